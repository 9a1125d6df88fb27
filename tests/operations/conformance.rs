//! What of the standard is served, and by which test that is shown: docs/conformance.md is made from the tables here, and
//! these are compared with our contract, with the tests and, where the standard lies beside the checkout, with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
};

use okd_core::caller::scopes_for;
use okd_local::template::read_yaml;
use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/conformance.md");
const STANDARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/standard/specification/v5");

/// An operation of the standard.
struct Operation {
    flow: &'static str,
    method: &'static str,
    path: &'static str,
    served: Served,
}

/// Who serves an operation.
enum Served {
    /// We do, as this operation of our contract; shown by these tests.
    Here(&'static str, &'static [&'static str]),
    /// The school's systems do, and a DMS calls it.
    ByComponents,
}

use Served::{ByComponents, Here};

const OPERATIONS: &[Operation] = &[
    Operation {
        flow: "service",
        method: "GET",
        path: "/",
        served: Here("getService", &["api/messages::the_base_answers_without_a_token"]),
    },
    Operation {
        flow: "1, 2, 3, 4",
        method: "POST",
        path: "/associations/{associationId}",
        served: Here(
            "postAssociationDocument",
            &["api/standard::every_message_of_flows_1_to_4_since_september_2025_is_stored_and_a_repeat_gives_its_id"],
        ),
    },
    Operation {
        flow: "1",
        method: "POST",
        path: "/persons/{personId}",
        served: Here(
            "postPersonDocument",
            &["api/standard::a_document_on_a_person_is_stored_in_both_forms_and_found_by_the_student"],
        ),
    },
    Operation {
        flow: "2",
        method: "POST",
        path: "/offerings/{offeringId}",
        served: Here(
            "postOfferingDocument",
            &["api/standard::every_message_of_flows_1_to_4_since_september_2025_is_stored_and_a_repeat_gives_its_id"],
        ),
    },
    Operation {
        flow: "5",
        method: "PATCH",
        path: "/associations/{associationId}",
        served: Here(
            "patchAssociation",
            &[
                "api/standard::every_message_of_flow_5_since_september_2025_is_remembered",
                "api/enrolments::all_six_states_are_taken_and_both_spellings_of_one",
            ],
        ),
    },
    Operation {
        flow: "x",
        method: "GET",
        path: "/documents/{documentId}",
        served: Here(
            "getDocument",
            &["api/downloads::a_document_comes_back_as_it_was_handed_in_to_be_saved_under_its_name"],
        ),
    },
    Operation {
        flow: "x",
        method: "GET",
        path: "/documents/{documentId}/metadata",
        served: Here(
            "getDocumentMetadata",
            &["api/standard::a_document_is_read_replaced_and_deleted_by_the_printed_messages"],
        ),
    },
    Operation {
        flow: "y",
        method: "PATCH",
        path: "/documents/{documentId}",
        served: Here(
            "patchDocument",
            &["api/standard::a_document_is_read_replaced_and_deleted_by_the_printed_messages"],
        ),
    },
    Operation {
        flow: "z",
        method: "DELETE",
        path: "/documents/{documentId}",
        served: Here(
            "deleteDocument",
            &["api/standard::a_document_is_read_replaced_and_deleted_by_the_printed_messages"],
        ),
    },
    Operation { flow: "7", method: "GET", path: "/persons", served: ByComponents },
    Operation { flow: "7", method: "GET", path: "/persons/{personId}", served: ByComponents },
    Operation { flow: "7", method: "GET", path: "/persons/{personId}/associations", served: ByComponents },
    Operation { flow: "7", method: "GET", path: "/associations/{associationId}", served: ByComponents },
    Operation { flow: "10", method: "GET", path: "/documents/documenttypes", served: ByComponents },
    Operation { flow: "11, 12, 13, 14", method: "POST", path: "/documents/_registerdmsdocument", served: ByComponents },
];

/// Scopes of the standard that are for what a DMS asks of the school's systems.
const OF_THE_DMS: [&str; 2] = ["okd:destroyednotification", "okd:studentinfo"];

/// The fields of the standard's schemas that concern a DMS, and what becomes of each.
const FIELDS: &[(&str, &[(&str, &str)])] = &[
    (
        "consumers/NL-OKD/V1/nl-okd-document",
        &[
            ("consumerKey", "the consumer is found by it"),
            (
                "documentType",
                "read, in the words of both revisions; it is part of the document's identity and decides the scope",
            ),
            ("documentSubtype", "read; rules of retention may ask for it"),
            ("documentId", "read; it is part of the document's identity"),
            ("documentName", "read; the file is saved under it"),
            ("documentSize", "read, and compared with the bytes"),
            ("retentionPeriodSuggestion", "read (`Y`, `M`, `D`, `H`); kept as sent where it is no period"),
            ("receivedDate", "read, and kept"),
            ("registrationDate", "read, and kept"),
        ],
    ),
    (
        "consumers/NL-OKD/V1/nl-okd-examen",
        &[
            ("consumerKey", "the consumer is found by it, also as one of its own"),
            ("examDateTime", "read, and kept"),
            ("examComponentOffering", "read as an id or an expanded object, and kept"),
            ("examName", "read, and kept"),
            ("examCode", "read, and kept"),
            ("studentNumber", "read; the document is found by it"),
        ],
    ),
    (
        "consumers/NL-OKD/V1/nl-okd-association",
        &[
            ("consumerKey", "the consumer is found by it, also as one of its own"),
            ("enrollmentStartDate", "read; `null` takes it away (flow 5)"),
            ("enrollmentExpectedEndDate", "read; `null` takes it away (flow 5)"),
            ("enrollmentFinalEndDate", "read; the period of retention counts from it; `null` takes it away (flow 5)"),
            ("sequenceCode", "read, and kept; also from `primaryCode` of the type `opleidingsblad`"),
        ],
    ),
    (
        "consumers/NL-OKD/V1/nl-okd-additional-studentinfo",
        &[
            ("consumerKey", "the consumer is found by it, also as one of its own"),
            ("studentNumber", "read; the document is found by it"),
        ],
    ),
    ("schemas/DocumentUploadResponse", &[("dmsDocumentId", "answered")]),
    (
        "schemas/DocumentMetadata",
        &[
            ("dmsDocumentId", "answered"),
            ("title", "answered: the name without its ending"),
            ("documentTempDownloadUrl", "answered; it lives five minutes"),
            ("creationdate", "answered: when this content was stored"),
            ("format", "answered"),
            ("documentname", "answered, and as `documentName`, as the standard's pages have it"),
            ("documentsize", "answered, and as `documentSize`"),
        ],
    ),
    (
        "schemas/Service",
        &[
            ("contactEmail", "answered (parameter `ContactEmail`)"),
            ("specification", "answered: our contract"),
            ("documentation", "answered (parameter `Documentation`)"),
            ("supportedVersions", "answered: `v5`"),
            ("supportedConsumers", "answered: `nl-okd`"),
            ("consumers", "not answered: there is nothing to say in it"),
            ("ext", "answered: version and limits"),
        ],
    ),
    (
        "schemas/Problem",
        &[
            ("status", "answered, as a number (RFC 9457 and the standard's examples; its schema says a text)"),
            ("title", "answered"),
            ("detail", "answered"),
        ],
    ),
];

/// Every operation of the contract, by its `operationId`.
fn contract() -> BTreeMap<String, (String, String)> {
    let contract = read_yaml(&Path::new(ROOT).join("infra/openapi.yaml")).unwrap();
    let mut operations = BTreeMap::new();
    for (path, item) in contract["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Some(id) = operation["operationId"].as_str() {
                operations.insert(id.to_owned(), (method.to_uppercase(), path.clone()));
            }
        }
    }
    operations
}

fn page() -> String {
    let mut page = "# Conformance\n\n\
        For who has to know whether a DMS speaks OKD. Made from `tests/operations/conformance.rs`, which compares it with the \
        standard (1.5.0 of 7 July 2026), our contract and the tests; `OKD_WRITE=1 cargo test --test operations conformance` \
        writes it anew.\n\n\
        ## Endpoints\n\n| Flow | Operation | Served | Shown by |\n|-|-|-|-|\n"
        .to_owned();
    for Operation { flow, method, path, served } in OPERATIONS {
        let (served, shown) = match served {
            Here(operation, tests) => {
                let tests: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
                (format!("yes: `{operation}`"), tests.join(", "))
            }
            ByComponents => ("no: the school's systems serve it, for a DMS to call".to_owned(), String::new()),
        };
        writeln!(page, "| {flow} | `{method} {path}` | {served} | {shown} |").unwrap();
    }
    page.push_str(
        "\nFlow 6 (a DMS tells a system that it has destroyed a document) is served by the school's systems too. One message \
         of the standard, a form of up to 1 GB in one request, cannot pass API Gateway: up to 4 MiB comes so, and more \
         through [the relay](operating/relay.md) (`client/okd/tests/relay.rs`), or [in parts](protocol.md).\n\n## Scopes\n\n| Scope | |\n|-|-|\n",
    );
    for scope in scopes_for(None) {
        writeln!(page, "| `{scope}` | opens its type of document, for handing in, reading, replacing and deleting |")
            .unwrap();
    }
    for scope in OF_THE_DMS {
        writeln!(page, "| `{scope}` | the DMS's own, for what it asks of the school's systems; opens nothing here |")
            .unwrap();
    }
    page.push_str("\n## Fields\n\n| Schema | Field | |\n|-|-|-|\n");
    for (schema, fields) in FIELDS {
        let schema = schema.rsplit('/').next().unwrap();
        for (field, what) in *fields {
            writeln!(page, "| {schema} | `{field}` | {what} |").unwrap();
        }
    }
    page.push_str(
        "\nEvery other field that a sender gives is kept word for word, and no field of OOAPI is asked for that the standard's \
         own examples leave out.\n",
    );
    page
}

#[test]
fn the_page_about_conformance_is_what_these_tables_say() {
    if std::env::var_os("OKD_WRITE").is_some() {
        fs::write(PAGE, page()).unwrap();
    }
    assert_eq!(fs::read_to_string(PAGE).unwrap(), page());
}

#[test]
fn what_is_served_is_in_the_contract_and_shown_by_tests_that_there_are() {
    let contract = contract();
    for Operation { method, path, served, .. } in OPERATIONS {
        let ours = path.replace("{documentId}", "{dmsDocumentId}");
        let is_there = contract.values().any(|operation| *operation == ((*method).to_owned(), ours.clone()));
        match served {
            Here(operation, tests) => {
                assert_eq!(contract[*operation], ((*method).to_owned(), ours));
                for test in *tests {
                    let (file, name) = test.split_once("::").unwrap();
                    let text = fs::read_to_string(format!("{ROOT}/tests/{file}.rs")).unwrap();
                    assert!(text.contains(&format!("fn {name}(")), "{test}");
                }
                assert!(!tests.is_empty());
            }
            ByComponents => assert!(!is_there, "{method} {path}"),
        }
    }
}

#[test]
fn the_tables_have_every_operation_scope_and_field_of_the_standard() {
    let standard = Path::new(STANDARD);
    let Ok(specification) = read_yaml(&standard.join("spec.yaml")) else {
        return;
    };
    let mut operations = BTreeSet::new();
    for (path, item) in specification["paths"].as_object().unwrap() {
        let item = read_yaml(&standard.join(item["$ref"].as_str().unwrap())).unwrap();
        let methods = ["get", "put", "post", "patch", "delete"].into_iter();
        for method in methods.filter(|method| item.get(method).is_some()) {
            operations.insert((method.to_uppercase(), path.clone()));
        }
    }
    let ours = OPERATIONS.iter().map(|operation| (operation.method.to_owned(), operation.path.to_owned()));
    assert_eq!(ours.collect::<BTreeSet<_>>(), operations);
    let flows = &specification["components"]["securitySchemes"]["oAuthFlows"]["flows"];
    let scopes = flows["clientCredentials"]["scopes"].as_object().unwrap().keys().map(String::as_str);
    let ours = scopes_for(None).into_iter().chain(OF_THE_DMS);
    assert_eq!(ours.collect::<BTreeSet<_>>(), scopes.collect());
    for (schema, fields) in FIELDS {
        let schema = read_yaml(&standard.join(format!("{schema}.yaml"))).unwrap();
        let theirs = fields_of(&schema);
        assert_eq!(fields.iter().map(|(field, _)| (*field).to_owned()).collect::<BTreeSet<_>>(), theirs);
    }
}

fn fields_of(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

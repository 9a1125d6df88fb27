//! The standard's own messages: those that it prints, every one that it ever printed, and those that a client generated
//! from its schemas sends.
//!
//! The folder `standard` beside this file holds examples of OKD (MIT licence), mended into valid JSON.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::{Value, json};
use uuid::Uuid;

use support::sender::{Answer, Sender, association, form, metadata, with};

const PERSON: &str = "3fa85f64-5717-4562-b3fc-2c963f66afa6";

/// A printed message.
struct Example {
    name: String,
    method: String,
    path: String,
    metadata: Value,
}

impl Example {
    /// Mends the path of a printed message: the person in it is the body's.
    fn mend(mut self) -> Self {
        if let Some(person) = self.metadata["personId"].as_str() {
            self.path = format!("/okd/v1/persons/{person}");
        }
        self
    }

    fn file(&self) -> Vec<u8> {
        let size = self.consumer()["documentSize"].as_u64().unwrap_or(48);
        let mut file = format!("%PDF-1.4 {}", self.name).into_bytes();
        file.resize(usize::try_from(size).unwrap(), b'.');
        file
    }

    fn consumer(&self) -> &Value {
        let wrapped = &self.metadata["association"];
        let resource = if wrapped.is_object() { wrapped } else { &self.metadata };
        &resource["consumers"][0]
    }

    async fn send(&self, sender: &Sender) -> Answer {
        let body = form(&[
            (
                "Content-Disposition: form-data; name=\"metadata\"\r\nContent-Type: application/json",
                self.metadata.to_string().as_bytes(),
            ),
            (
                "Content-Disposition: form-data; name=\"file\"; filename=\"inschrijving-100245.pdf\"\r\nContent-Type: application/pdf",
                &self.file(),
            ),
        ]);
        let request = sender.form_request(&self.method, &self.path, body);
        sender.send(request).await
    }
}

/// The examples in our own folder, by their names.
fn fixtures() -> BTreeMap<String, Example> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/standard"));
    let read = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        let value: Value = serde_json::from_slice(&std::fs::read(entry.path()).unwrap()).unwrap();
        let text = |key: &str| value[key].as_str().unwrap().to_owned();
        let example = Example {
            name: name.clone(),
            method: text("method"),
            path: text("path"),
            metadata: value["metadata"].clone(),
        };
        (name, example)
    };
    std::fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// Takes the example of flow 5, which hands in no document, out of the others.
fn take_report(fixtures: &mut BTreeMap<String, Example>) -> Example {
    fixtures.remove("flow-5.json").unwrap()
}

/// The standard's history, where it lies beside the checkout: every example of these flows since it has had its
/// present shape. (One path of that day, `/diplomering/associations`, is none of the standard's since.)
fn history(flows: &[&str]) -> Vec<Example> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/standard/history/examples.json");
    let Ok(text) = std::fs::read_to_string(file) else {
        return Vec::new();
    };
    let examples: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    for (number, example) in examples.iter().enumerate() {
        let text = |key: &str| example[key].as_str().unwrap_or_default();
        let path = text("path").replace("...", "");
        let is_ours = ["/okd/v1/associations/", "/okd/v1/offering/", "/okd/v1/offerings/", "/okd/v1/persons/"]
            .iter()
            .any(|ours| path.starts_with(ours));
        let is_asked_for = flows.iter().any(|flow| text("page").contains(flow));
        if !is_ours || !is_asked_for || text("first") < "2025-09-11" {
            continue;
        }
        let printed = text("asPrinted");
        let metadata = example["metadataMended"].as_str().map_or_else(|| mend_json(printed), str::to_owned);
        let metadata =
            serde_json::from_str(&metadata).unwrap_or_else(|error| panic!("example {number}: {error}: {metadata}"));
        found.push(Example { name: format!("example {number}"), method: text("method").to_owned(), path, metadata });
    }
    found
}

/// The metadata of a printed message whose JSON lacks quotes and commas.
fn mend_json(printed: &str) -> String {
    let start = printed.find("\n{").unwrap();
    let end = printed[start..].find("\n------").unwrap_or(printed.len() - start);
    let mended = printed[start..start + end].replace("Id: \"", "Id\": \"").replace(" value:", " \"value\":");
    let mended = mended
        .replace("Date\": 2025-07-31,", "Date\": \"2025-07-31\"")
        .replace("Date\": \"2025-07-31\",\n        }", "Date\": \"2025-07-31\"\n        }");
    // A line that ends in a value and is followed by a key lacks its comma.
    let mut lines: Vec<String> = Vec::new();
    for line in mended.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(before) = lines.last_mut()
            && line.trim_start().starts_with('"')
            && !before.trim_end().ends_with([',', '{', '['])
        {
            before.push(',');
        }
        lines.push(line.to_owned());
    }
    lines.concat()
}

/// The identity that a printed message gives its document.
fn identity(example: &Example) -> (String, String, String) {
    let path = example.path.replace("/offering/", "/offerings/");
    let document_type = match example.consumer()["documentType"].as_str().unwrap() {
        "examinering" => "examination",
        "inschrijving" => "enrollment",
        "diplomering" => "graduation",
        other => other,
    };
    (path, document_type.to_owned(), example.consumer()["documentId"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_message_of_flows_1_to_4_since_september_2025_is_stored_and_a_repeat_gives_its_id() {
    let sender = Sender::new();
    let mut ids: BTreeMap<_, String> = BTreeMap::new();
    let mut fixtures = fixtures();
    take_report(&mut fixtures);
    let examples = fixtures.into_values().chain(history(&["flow-1", "flow-2", "flow-3", "flow-4"]));
    for example in examples.map(Example::mend) {
        let id = example.send(&sender).await;
        assert_eq!(id.status, 200, "{}: {id:?}", example.name);
        assert_eq!(example.send(&sender).await.ok().id(), id.id(), "{}", example.name);
        let known = ids.entry(identity(&example)).or_insert_with(|| id.id());
        assert_eq!(*known, id.id(), "{}", example.name);
    }
    let distinct: std::collections::BTreeSet<&String> = ids.values().collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
    assert!(ids.len() >= 6, "{ids:?}");
}

#[tokio::test]
async fn the_newest_flows_in_their_order_are_as_many_documents_as_messages() {
    let sender = Sender::new();
    let mut fixtures = fixtures();
    let names = ["flow-1-association", "flow-1-person", "flow-2-sitting", "flow-2-result", "flow-3", "flow-4"];
    let mut ids = std::collections::BTreeSet::new();
    for name in names {
        let example = fixtures.remove(&format!("{name}.json")).unwrap().mend();
        ids.insert(example.send(&sender).await.ok().id());
    }
    assert_eq!(ids.len(), names.len(), "{ids:?}");
}

#[tokio::test]
async fn every_message_of_flow_5_since_september_2025_is_remembered() {
    let sender = Sender::new();
    for example in history(&["flow-5"]).into_iter().chain([take_report(&mut fixtures())]) {
        for media_type in ["application/json", "application/merge-patch+json"] {
            let request = sender.request(&example.method, &example.path).header("content-type", media_type);
            let answer = sender.send(request.body(example.metadata.to_string())).await;
            assert_eq!(answer.status, 204, "{} {media_type}: {answer:?}", example.name);
        }
    }
}

/// The messages and the answer of flows x, y and z, as they are printed.
#[tokio::test]
async fn a_document_is_read_replaced_and_deleted_by_the_printed_messages() {
    let sender = Sender::new();
    let enrolment = fixtures().remove("flow-1-association.json").unwrap();
    let id = enrolment.send(&sender).await.ok().id();
    let path = format!("/okd/v1/documents/{id}");
    let document = sender.call("GET", &path).await.ok();
    assert_eq!(document.headers["content-type"], "application/pdf");
    let described = sender.request("GET", &format!("{path}/metadata")).header("accept", "application/json");
    let described = sender.send(described).await.ok().body;
    for (name, printed) in [
        ("dmsDocumentId", json!("5ffc6127-debe-48ce-90ae-75ea80756475")),
        ("title", json!("Test title")),
        ("documentTempDownloadUrl", json!("https://aaa.djuma.nl/download/5ffc6127-debe-48ce-90ae-75ea80756475")),
        ("creationdate", json!("2025-09-30T14:48:00Z")),
        ("format", json!("application/pdf")),
        ("documentName", json!("test.pdf")),
        ("documentSize", json!(243_857)),
    ] {
        assert_eq!(described[name].is_string(), printed.is_string(), "{name}: {described}");
        assert_eq!(described[name].is_u64(), printed.is_u64(), "{name}: {described}");
    }
    let replaced = sender.request("PATCH", &path).header("content-type", "application/pdf");
    let replaced =
        replaced.header("content-disposition", "form-data; name=\"file\"; filename=\"inschrijving-100245.pdf\"");
    let replaced = replaced.header("accept", "application/json").body("%PDF-1.4\n1 0 obj\n<<\n/Type /Catalog\n");
    assert_eq!(sender.send(replaced).await.status, 204);
    assert_eq!(sender.call("GET", &path).await.ok().body, "%PDF-1.4\n1 0 obj\n<<\n/Type /Catalog\n");
    for _ in 0..2 {
        assert_eq!(sender.call("DELETE", &path).await.status, 204);
        sender.call("GET", &path).await.problem(404, "no-such-document");
    }
}

#[tokio::test]
async fn what_cannot_work_as_it_is_printed_says_why() {
    let sender = Sender::new();
    let fixtures = fixtures();
    // The person of the body is another than the path's: a document on the wrong student is worse than none.
    let person = &fixtures["flow-1-person.json"];
    let answer = person.send(&sender).await;
    answer.problem(422, "invalid-metadata");
    assert_eq!(answer.body["pointer"], "/personId");
    // The declared documentSize is not the printed file's.
    let result = &fixtures["flow-2-result.json"];
    sender.hand_in(&result.metadata, b"%PDF-1.4").await.problem(422, "size-mismatch");
}

/// Message 1 of the standard's history on persons, with an invented student.
fn dyslexia() -> Value {
    json!({
        "personId": PERSON,
        "primaryCode": { "codeType": "studentNumber", "code": "900123" },
        "consumers": [{
            "consumerKey": "nl-okd", "documentType": "other", "documentSubtype": "DYS", "documentId": Uuid::new_v4(),
            "documentName": "dyslexieverklaring-900123.pdf", "retentionPeriodSuggestion": "3Y",
            "receivedDate": "2026-01-13", "registrationDate": "2026-01-16",
        }],
    })
}

#[tokio::test]
async fn a_document_on_a_person_is_stored_in_both_forms_and_found_by_the_student() {
    let sender = Sender::new();
    let path = format!("/okd/v1/persons/{PERSON}");
    let inline = sender.hand_in_at(&path, &dyslexia(), b"x").await.ok();
    let links = sender.metadata_of(&inline.id()).await["links"].clone();
    assert_eq!(links, json!({ "personId": PERSON, "studentNumber": "900123" }));
    assert!(sender.found_by("person", PERSON).await.contains(&inline.id()));
    let mut offer = with(&dyslexia(), "documentSize", json!(5));
    offer["personId"] = Value::Null;
    let offered = sender.send(sender.request("POST", &path).json(&offer)).await.accepted();
    sender.send_parts(&offered.body["upload"], b"12345", None).await;
    sender.complete(&offered).await.ok();
    offer["personId"] = json!(Uuid::new_v4());
    let answer = sender.send(sender.request("POST", &path).json(&offer)).await;
    answer.problem(422, "invalid-metadata");
    assert_eq!(answer.body["pointer"], "/personId");
}

#[tokio::test]
async fn a_person_that_holds_another_person_is_refused() {
    let sender = Sender::new();
    for other in [json!("p2"), json!({ "personId": support::sender::OFFERING })] {
        let mut message = dyslexia();
        message["person"] = other;
        let path = format!("/okd/v1/persons/{PERSON}");
        let answer = sender.hand_in_at(&path, &message, b"x").await;
        answer.problem(422, "invalid-metadata");
    }
}

#[tokio::test]
async fn on_a_person_the_enrolments_scope_opens_other_documents_too() {
    let mut sender = Sender::new();
    let on_person = format!("/okd/v1/persons/{PERSON}");
    let on_association = with(&metadata(), "documentType", json!("other"));
    for (scope, person, association) in
        [("okd:enrollmentderollment", 200, 403), ("okd:alldocuments", 200, 200), ("okd:examdocuments", 403, 403)]
    {
        sender.token = sender.cloud.issuer.token(&sender.client, scope).unwrap();
        let answer = sender.hand_in_at(&on_person, &dyslexia(), b"x").await;
        assert_eq!(answer.status, person, "{scope}: {answer:?}");
        let answer = sender.hand_in(&on_association, b"x").await;
        assert_eq!(answer.status, association, "{scope}: {answer:?}");
    }
}

/// Messages as a client generated by openapi-generator 7.26 (python) sends them: its `anyOf` makes an item of
/// `consumers` hold one of the standard's consumers, so a document of an exam has two of them.
#[tokio::test]
async fn a_generated_client_hands_in_a_document_and_its_exam_as_two_consumers() {
    let sender = Sender::new();
    let document = json!({
        "consumerKey": "nl-okd", "documentType": "examination", "documentSubtype": "examenbeoordeling",
        "documentId": Uuid::new_v4(), "documentName": "beoordeling.pdf",
    });
    let exam = json!({
        "consumerKey": "nl-okd", "examDateTime": "2026-05-12T12:00:00Z", "examName": "Rekenen 3F", "examCode": "REK-3F",
        "studentNumber": "900123",
    });
    let enrolment = json!({ "consumerKey": "nl-okd", "enrollmentStartDate": "2025-09-01", "sequenceCode": "1.2", "studentNumber": "900123" });
    let other = json!({ "consumerKey": "nl-other", "documentType": "x", "documentId": 7 });
    let mut message = metadata();
    for consumers in [json!([document, exam, enrolment]), json!([other, exam, document])] {
        message["consumers"] = consumers;
        let id = sender.hand_in(&message, b"x").await.ok().id();
        let kept = sender.metadata_of(&id).await;
        assert_eq!((&kept["okd"]["examCode"], &kept["links"]["studentNumber"]), (&json!("REK-3F"), &json!("900123")));
    }
    let mut contradicting = exam.clone();
    contradicting["studentNumber"] = json!("900124");
    for (consumers, pointer) in [
        (json!([document, exam, contradicting]), "/consumers/2/studentNumber"),
        (json!([document, exam, document]), "/consumers/2"),
        (json!([exam, { "consumerKey": "nl-okd", "documentName": "a.pdf" }]), "/consumers/1/documentType"),
        (json!([exam]), "/consumers/0/documentType"),
    ] {
        message["consumers"] = consumers;
        let answer = sender.hand_in(&message, b"x").await;
        answer.problem(422, "invalid-metadata");
        assert_eq!(answer.body["pointer"], pointer);
    }
}

#[tokio::test]
async fn the_single_consumer_of_oeapi_6_is_read_alone_and_beside_the_list() {
    let sender = Sender::new();
    let list = metadata();
    let mut single = list.clone();
    single["consumer"] = list["consumers"][0].clone();
    let both = single.clone();
    single.as_object_mut().unwrap().remove("consumers");
    let id = sender.hand_in(&list, b"x").await.ok().id();
    let wrapped = json!({ "association": single });
    for message in [&single, &both, &wrapped] {
        assert_eq!(sender.hand_in(message, b"x").await.ok().id(), id);
    }
    let mut another = both.clone();
    another["consumer"]["documentId"] = json!("another");
    let answer = sender.hand_in(&another, b"x").await;
    answer.problem(422, "invalid-metadata");
    assert_eq!(answer.body["pointer"], "/consumer");
    let mut exam = list.clone();
    exam["consumer"] = json!({ "consumerKey": "nl-okd", "examCode": "REK-3F" });
    let id = sender.hand_in(&exam, b"x").await.ok().id();
    assert_eq!(sender.metadata_of(&id).await["links"]["examCode"], "REK-3F");
    let request = sender.request("POST", &association()).json(&json!({ "consumer": [] }));
    sender.send(request).await.problem(422, "invalid-metadata");
}

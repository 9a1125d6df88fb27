//! Every rule of the metadata, by what is refused and where it points, and what is accepted.

use serde_json::{Value, json};

use support::sender::{ASSOCIATION, Answer, OFFERING, Sender, association, form, metadata, offer, with, without};

/// Form B of this metadata is refused with 422, pointing there.
async fn refused(metadata: &Value, pointer: &str) -> String {
    let answer = Sender::new().offer(metadata).await;
    assert_eq!(answer.body["pointer"], pointer, "{answer:?}");
    answer.problem(422, "invalid-metadata")
}

async fn refused_text(text: &str, pointer: &str) {
    let sender = Sender::new();
    let request = sender.request("PUT", &association()).header("content-type", "application/json");
    let answer = sender.send(request.body(text.to_owned())).await;
    assert_eq!(answer.body["pointer"], pointer, "{answer:?}");
    answer.problem(422, "invalid-metadata");
}

/// The consumer as item 0 of the metadata, which is accepted; gives the stored okd consumer.
async fn stored(metadata: &Value) -> std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue> {
    let sender = Sender::new();
    let id = sender.hand_in(metadata, b"x").await.ok().id();
    let item = sender.item(&id).await.unwrap();
    item["content"].as_m().unwrap()["metadata"].as_m().unwrap()["okd"].as_m().unwrap().clone()
}

fn set(metadata: &Value, key: &str, value: Value) -> Value {
    let mut metadata = metadata.clone();
    metadata[key] = value;
    metadata
}

#[tokio::test]
async fn every_fault_of_a_message_is_told_at_once() {
    let mut wrong = set(&metadata(), "associationId", json!("x"));
    wrong = set(&wrong, "associationType", json!("programOffering"));
    wrong = set(&wrong, "person", json!(7));
    for (key, value) in [
        ("documentType", json!("cv")),
        ("receivedDate", json!("yesterday")),
        ("examDateTime", json!("2026-01-13")),
        ("documentChecksum", json!("md5:0")),
    ] {
        wrong = with(&wrong, key, value);
    }
    let answer = Sender::new().offer(&wrong).await;
    let errors = answer.body["errors"].as_array().unwrap().clone();
    let pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    let expected = [
        "/associationId",
        "/associationType",
        "/person",
        "/consumers/0/documentType",
        "/consumers/0/examDateTime",
        "/consumers/0/receivedDate",
        "/consumers/0/documentChecksum",
        "/consumers/0/documentSize",
    ];
    assert_eq!(pointers, expected);
    let detail = refused(&wrong, "/associationId").await;
    assert_eq!(detail, format!("/associationId: {}", errors[0]["detail"].as_str().unwrap()));

    let report = json!({ "associationId": 7, "state": "gone", "consumers": [{
        "consumerKey": "nl-okd", "enrollmentStartDate": "1-1-2026", "enrollmentFinalEndDate": "soon" }] });
    let sender = Sender::new();
    let answer = sender.send(sender.request("PATCH", &association()).json(&report)).await;
    assert_eq!(answer.body["errors"].as_array().map(Vec::len), Some(4), "{answer:?}");
}

#[tokio::test]
async fn an_id_that_differs_from_the_path_is_refused() {
    let detail = refused(&set(&offer(5), "associationId", json!(OFFERING)), "/associationId").await;
    assert!(detail.contains(ASSOCIATION), "{detail}");
}

#[tokio::test]
async fn the_same_id_in_upper_case_is_the_same_id() {
    let sender = Sender::new();
    let metadata = set(&offer(5), "associationId", json!(ASSOCIATION.to_uppercase()));
    sender.offer(&metadata).await.accepted();
}

#[tokio::test]
async fn an_id_that_is_no_uuid_is_refused() {
    refused(&set(&offer(5), "associationId", json!("123")), "/associationId").await;
}

#[tokio::test]
async fn an_association_type_that_ooapi_does_not_know_is_refused() {
    refused(&set(&offer(5), "associationType", json!("friendship")), "/associationType").await;
}

#[tokio::test]
async fn an_offering_where_an_association_belongs_is_refused() {
    let offering = json!({ "offeringId": ASSOCIATION, "offeringType": "component", "consumers": [] });
    refused(&offering, "/associationId").await;
}

#[tokio::test]
async fn consumers_that_are_missing_empty_or_no_array_are_refused() {
    refused(&set(&offer(5), "consumers", Value::Null), "/consumers").await;
    refused(&set(&offer(5), "consumers", json!([])), "/consumers").await;
    refused(&set(&offer(5), "consumers", json!({})), "/consumers").await;
    refused(&set(&offer(5), "consumers", json!(["nl-okd"])), "/consumers/0").await;
}

#[tokio::test]
async fn two_okd_consumers_are_refused_but_others_may_stand_beside_the_one() {
    let mut metadata = offer(5);
    let okd = metadata["consumers"][0].clone();
    metadata["consumers"] = json!([{ "consumerKey": "nl-other", "anything": [1] }, okd]);
    Sender::new().offer(&metadata).await.accepted();
    metadata["consumers"].as_array_mut().unwrap().push(okd);
    refused(&metadata, "/consumers/2").await;
}

#[tokio::test]
async fn every_word_for_a_document_type_of_both_revisions_is_understood() {
    for (sent, kept) in [
        ("examinering", "examination"),
        ("examination", "examination"),
        ("inschrijving", "enrollment"),
        ("enrollment", "enrollment"),
        ("bpv", "bpv"),
        ("diplomering", "graduation"),
        ("graduation", "graduation"),
        ("other", "other"),
    ] {
        assert_eq!(stored(&with(&metadata(), "documentType", json!(sent))).await["documentType"].as_s().unwrap(), kept);
    }
}

#[tokio::test]
async fn a_document_type_that_is_missing_or_unknown_is_refused() {
    refused(&without(&offer(5), "documentType"), "/consumers/0/documentType").await;
    refused(&with(&offer(5), "documentType", json!("Examinering")), "/consumers/0/documentType").await;
}

#[tokio::test]
async fn a_document_name_that_is_no_string_is_refused() {
    refused(&with(&offer(5), "documentName", json!(7)), "/consumers/0/documentName").await;
}

#[tokio::test]
async fn a_dangerous_document_name_is_kept_as_sent_beside_a_safe_file_name() {
    let sent = "../../geheim\u{202e}fdp.exe\r\n";
    let okd = stored(&with(&metadata(), "documentName", json!(sent))).await;
    assert_eq!(okd["documentName"].as_s().unwrap(), sent);
    assert_eq!(okd["fileName"].as_s().unwrap(), "geheimfdp.exe");
}

#[tokio::test]
async fn retention_is_read_in_both_spellings() {
    for key in ["bewaartermijnsuggestie", "retentionPeriodSuggestion"] {
        for period in ["3Y", "6M", "1321D", "24H"] {
            let metadata = with(&without(&metadata(), "bewaartermijnsuggestie"), key, json!(period));
            assert_eq!(stored(&metadata).await["retentionPeriodSuggestion"].as_s().unwrap(), period);
        }
    }
}

#[tokio::test]
async fn a_retention_that_is_no_period_is_kept_as_sent_and_marked_since_it_is_only_a_suggestion() {
    for (period, kept) in [
        (json!("3"), "3"),
        (json!("0Y"), "0Y"),
        (json!("blijvend"), "blijvend"),
        (json!("P3Y"), "P3Y"),
        (json!(3), "3"),
        (json!(["3Y"]), "[\"3Y\"]"),
    ] {
        let okd = stored(&with(&metadata(), "bewaartermijnsuggestie", period)).await;
        let suggestion = okd["retentionPeriodSuggestion"].as_m().unwrap();
        assert_eq!(suggestion["notUnderstood"].as_s().unwrap(), kept);
    }
}

#[tokio::test]
async fn what_the_path_or_the_file_says_need_not_be_in_the_metadata() {
    let sender = Sender::new();
    let consumer = json!([{ "consumerKey": "nl-okd", "documentType": "bpv", "documentSize": 5 }]);
    for nothing in [json!({}), json!({ "associationId": "", "associationType": "", "person": "" })] {
        sender.offer(&set(&nothing, "consumers", consumer.clone())).await.accepted();
    }
    let unnamed = without(&metadata(), "documentName");
    for metadata in [unnamed.clone(), with(&unnamed, "documentName", json!(""))] {
        let id = sender.hand_in(&metadata, b"x").await.ok().id();
        assert_eq!(sender.metadata_of(&id).await["okd"]["documentName"], "a.pdf");
        let id = Sender::new().offer(&with(&metadata, "documentSize", json!(5))).await.accepted().id();
        let item = sender.item(&id).await.unwrap();
        let upload: Value = serde_dynamo::from_attribute_value(item["upload"].clone()).unwrap();
        assert_eq!(upload["metadata"]["okd"]["documentName"], "document");
    }
}

#[tokio::test]
async fn an_empty_string_is_absent() {
    let sender = Sender::new();
    let mut metadata = metadata();
    for key in [
        "documentId",
        "documentSubtype",
        "receivedDate",
        "examDateTime",
        "bewaartermijnsuggestie",
        "documentChecksum",
        "studentNumber",
        "format",
        "documentSize",
    ] {
        metadata = with(&metadata, key, json!(""));
    }
    let id = sender.hand_in(&metadata, b"x").await.ok().id();
    let okd = &sender.metadata_of(&id).await["okd"];
    for absent in ["documentId", "documentSubtype", "receivedDate", "retentionPeriodSuggestion"] {
        assert_eq!(okd.get(absent), None, "{okd}");
    }
    refused(&with(&offer(5), "documentSize", json!("")), "/consumers/0/documentSize").await;
}

#[tokio::test]
async fn two_spellings_that_disagree_are_refused_and_that_agree_are_not() {
    let metadata = with(&offer(5), "retentionPeriodSuggestion", json!("5Y"));
    refused(&metadata, "/consumers/0/bewaartermijnsuggestie").await;
    Sender::new().offer(&with(&metadata, "bewaartermijnsuggestie", json!("5Y"))).await.accepted();
    let exam = with(&offer(5), "examDateTime", json!("2021-12-15T11:05:04Z"));
    refused(&with(&exam, "examDate", json!("2021-12-16")), "/consumers/0/examDate").await;
    Sender::new().offer(&with(&exam, "examDate", json!("2021-12-15"))).await.accepted();
}

#[tokio::test]
async fn dates_that_are_none_are_refused() {
    for date in ["2021-02-30", "01-09-2021", "2021-9-1", "2021-09-01T00:00:00Z", "gisteren"] {
        refused(&with(&offer(5), "examDate", json!(date)), "/consumers/0/examDate").await;
    }
    refused(&with(&offer(5), "receivedDate", json!(20_260_113)), "/consumers/0/receivedDate").await;
}

#[tokio::test]
async fn a_date_time_needs_its_offset() {
    for time in ["2021-12-15T11:05:04", "2021-12-15", "2021-12-15T25:00:00Z"] {
        refused(&with(&offer(5), "examDateTime", json!(time)), "/consumers/0/examDateTime").await;
    }
    let okd = stored(&with(&metadata(), "examDateTime", json!("2021-12-15T11:05:04+01:00"))).await;
    assert_eq!(okd["examDateTime"].as_s().unwrap(), "2021-12-15T11:05:04+01:00");
}

#[tokio::test]
async fn dutch_enrolment_dates_are_kept_in_english_and_null_is_absent() {
    let metadata = with(&metadata(), "inschrijvingStartDate", json!("2021-09-01"));
    let okd = stored(&with(&metadata, "inschrijvingFinalEndDate", Value::Null)).await;
    assert_eq!(okd["enrollmentStartDate"].as_s().unwrap(), "2021-09-01");
    assert!(!okd.contains_key("enrollmentFinalEndDate"));
}

#[tokio::test]
async fn neighbours_may_be_missing_an_id_or_an_object_and_nothing_else() {
    for person in [Value::Null, json!("5ab399b8-c499-4da8-af6d-b55e66251f31"), json!({ "givenName": "Maartje" })] {
        Sender::new().offer(&set(&offer(5), "person", person)).await.accepted();
    }
    refused(&set(&offer(5), "person", json!(7)), "/person").await;
    refused(&set(&offer(5), "organization", json!([])), "/organization").await;
}

#[tokio::test]
async fn fields_that_nobody_knows_are_kept() {
    let sender = Sender::new();
    let metadata = set(&metadata(), "schoolField", json!({ "deep": [1, 2.5, "é"] }));
    let id = sender.hand_in(&metadata, b"x").await.ok().id();
    let item = sender.item(&id).await.unwrap();
    let as_sent = item["content"].as_m().unwrap()["metadata"].as_m().unwrap()["asSent"].as_s().unwrap().clone();
    assert_eq!(serde_json::from_str::<Value>(&as_sent).unwrap(), metadata);
}

#[tokio::test]
async fn a_document_size_must_be_a_whole_number_of_at_least_one_byte() {
    for size in [json!(0), json!(-1), json!(1.5), json!("10"), json!(true)] {
        refused(&with(&offer(5), "documentSize", size), "/consumers/0/documentSize").await;
    }
    refused(&without(&offer(5), "documentSize"), "/consumers/0/documentSize").await;
    for huge in ["18446744073709551615", "18446744073709551616", "1e30", "1e400", "2E9"] {
        sized(huge).await.problem(413, "document-too-large");
    }
    for whole in ["5.0", "5E0", "0.5e1", "50e-1"] {
        let size = &sized(whole).await.accepted().body["upload"]["documentSize"];
        assert_eq!(size, 5, "{whole}");
    }
    sized("-1e400").await.problem(422, "invalid-metadata");
}

/// Form B with a `documentSize` that is spelled so.
async fn sized(size: &str) -> Answer {
    let sender = Sender::new();
    let text = offer(5).to_string().replace("\"documentSize\":5", &format!("\"documentSize\":{size}"));
    let request = sender.request("PUT", &association()).header("content-type", "application/json");
    sender.send(request.body(text)).await
}

#[tokio::test]
async fn a_checksum_of_an_unknown_algorithm_or_length_is_refused() {
    for checksum in ["md5:d41d8cd98f00b204e9800998ecf8427e", "sha-256:00", "crc64nvme:", "0000"] {
        refused(&with(&offer(5), "documentChecksum", json!(checksum)), "/consumers/0/documentChecksum").await;
    }
}

#[tokio::test]
async fn a_key_given_twice_is_refused_wherever_it_is() {
    let text = offer(5).to_string();
    refused_text(&text.replacen('{', "{\"associationType\":\"x\",", 1), "/associationType").await;
    refused_text(
        &text.replace("\"consumerKey\"", "\"documentName\":\"a\",\"consumerKey\""),
        "/consumers/0/documentName",
    )
    .await;
}

#[tokio::test]
async fn nesting_over_32_levels_is_refused() {
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    refused(&set(&offer(5), "x", deep), &format!("/x{}", "/0".repeat(31))).await;
}

#[tokio::test]
async fn the_standards_own_example_pasted_as_it_is_printed_is_refused_with_line_and_column() {
    let pasted = "{\n    \"associationId: \"123e4567-e89b-12d3-a456-426614174000\",\n    \"role\": \"student\"\n}";
    let sender = Sender::new();
    let body = form(&[
        ("content-disposition: form-data; name=\"metadata\"", pasted.as_bytes()),
        ("content-disposition: form-data; name=\"file\"", b"x"),
    ]);
    let answer = sender.send_form(&association(), body).await;
    let detail = answer.problem(400, "malformed-json");
    assert_eq!(answer.body["line"], 2);
    assert!(detail.contains("line 2, column"), "{detail}");
}

#[tokio::test]
async fn what_is_not_json_at_all_is_refused() {
    let sender = Sender::new();
    for text in ["", "{", "NaN", "{\"a\": 1e400}", "{\"a\": \"\\ud800\"}", "{} {}"] {
        let request = sender.request("PUT", &association()).header("content-type", "application/json");
        sender.send(request.body(text)).await.problem(400, "malformed-json");
    }
}

#[tokio::test]
async fn metadata_that_is_no_object_is_refused() {
    for text in ["[]", "\"x\"", "null", "7"] {
        refused_text(text, "").await;
    }
}

#[tokio::test]
async fn metadata_over_64_kib_is_refused_and_64_kib_is_not() {
    let sender = Sender::new();
    let padded = |size: usize| {
        let text = offer(5).to_string();
        format!("{text}{}", " ".repeat(size - text.len()))
    };
    for (size, status) in [(64 << 10, 202), ((64 << 10) + 1, 413)] {
        let request = sender.request("PUT", &association()).header("content-type", "application/json");
        let answer = sender.send(request.body(padded(size))).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[tokio::test]
async fn metadata_that_is_not_utf_8_is_refused_and_never_mended_in_silence() {
    let sender = Sender::new();
    let mut body = offer(5).to_string().into_bytes();
    let at = body.windows(4).position(|window| window == b"beoo").unwrap();
    body[at] = 0xe9;
    let request = sender.request("PUT", &association()).header("content-type", "application/json");
    let detail = sender.send(request.body(body)).await.problem(400, "malformed-json");
    assert!(detail.contains("not UTF-8"), "{detail}");
}

//! Paths, methods and what surrounds an answer.

use crate::sender::{OFFERING, Sender, association, offer};

#[tokio::test]
async fn a_path_or_method_that_is_not_in_the_template_is_answered_by_the_gateway() {
    let sender = Sender::new();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/okd/v1/associations"),
        ("PUT", "/okd/v2/offering/x"),
        ("GET", &format!("/okd/v1/offering/{OFFERING}")),
        ("DELETE", &association()),
        (
            "PUT",
            &format!("/okd/v1/documents/{OFFERING}/upload/complete"),
        ),
    ] {
        sender
            .call(method, path)
            .await
            .problem(404, "no-such-route");
    }
}

#[tokio::test]
async fn an_id_in_the_path_that_is_no_uuid_is_refused() {
    let sender = Sender::new();
    for id in [
        "1",
        "123e4567e89b12d3a456426614174000",
        "%7B123e4567-e89b-12d3-a456-426614174000%7D",
        "..%2F..%2Fx",
    ] {
        sender
            .call("GET", &format!("/okd/v1/documents/{id}/upload"))
            .await
            .problem(400, "invalid-id");
    }
}

#[tokio::test]
async fn behind_the_apis_own_url_the_links_carry_its_stage() {
    let sender = Sender::new();
    let path = format!("/live{}", association());
    let offer = sender
        .send(sender.request("PUT", &path).json(&offer(5)))
        .await
        .accepted();
    let location = offer.headers["location"].to_str().unwrap();
    assert!(
        location.starts_with(&format!("/live/okd/v1/documents/{}/upload?", offer.id())),
        "{location}"
    );
    let complete = offer.body["upload"]["complete"]["href"].as_str().unwrap();
    assert!(
        complete.starts_with("/live/okd/v1/documents/"),
        "{complete}"
    );
    sender.call("GET", location).await.ok();
}

#[tokio::test]
async fn the_logs_hold_no_token_no_signature_and_no_personal_data() {
    let sender = Sender::new();
    let mut metadata = offer(5);
    metadata["person"] = serde_json::json!({ "givenName": "Maartje", "surname": "Geheim" });
    let offer = sender.offer_and_send(&metadata, b"12345").await;
    sender
        .call(
            "POST",
            offer.body["upload"]["complete"]["href"].as_str().unwrap(),
        )
        .await
        .ok();
    sender
        .send(sender.request("PUT", &association()).body("x"))
        .await
        .problem(415, "unsupported-media-type");
    let log = crate::cloud::log(sender.cloud);
    assert!(log.contains("\"problem\":\"unsupported-media-type\""));
    for secret in [
        &sender.token[..20],
        "X-Amz-Signature",
        "Geheim",
        "beoordeling-100245",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

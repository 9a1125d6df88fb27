//! The refusals that a new user meets first, in order, on a cloud of its own: each says what to do, and
//! together they leave nothing behind.

use serde_json::json;

use support::cloud::own_cloud;
use support::sender::{ASSOCIATION, MIB, OFFERING, Sender, association, bytes, form, metadata, offer};

#[tokio::test]
async fn what_is_refused_leaves_no_item_no_object_and_no_multipart_upload() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);

    let mut broken = sender.clone();
    broken.token.truncate(broken.token.len() - 3);
    broken.hand_in(&metadata(), b"x").await.problem(401, "unauthenticated");

    let mut scopeless = Sender::to(cloud);
    scopeless.token = cloud.issuer.token(&scopeless.client, "okd:bpvdocuments").unwrap();
    scopeless.hand_in(&metadata(), b"x").await.problem(403, "missing-scope");

    let body = form(&[("content-disposition: form-data; name=\"metadata\"", metadata().to_string().as_bytes())]);
    sender.send_form(&association(), body).await.problem(422, "invalid-form");

    let detail = sender.hand_in(&metadata(), &bytes(5 * MIB, 1)).await.problem(413, "file-too-large-inline");
    assert!(detail.contains("documentSize"), "{detail}");

    let detail = sender.offer(&offer(2048 * MIB)).await.problem(413, "document-too-large");
    assert!(detail.contains("1073741824"), "{detail}");

    let mut other = offer(5);
    other["associationId"] = json!(OFFERING);
    let answer = sender.offer(&other).await;
    assert!(answer.problem(422, "invalid-metadata").contains(ASSOCIATION));
    assert_eq!(answer.body["pointer"], "/associationId");

    let request = sender.request("PUT", &association()).header("content-type", "application/json");
    sender.send(request.body("{ \"associationId: \"x\" }")).await.problem(400, "malformed-json");

    sender.finds_the_stores_empty().await;
}

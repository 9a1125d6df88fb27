//! Documents read back (flow x): the bytes, whole, in ranges or from S3, and what is known of them.

use reqwest::{Response, header::HeaderMap, redirect::Policy};
use serde_json::{Value, json};

use support::{
    cloud::own_cloud,
    sender::{Sender, bytes, file_form, metadata, offer, sha256, with},
};

const OVER_INLINE: usize = (4 << 20) + 1;

fn path(id: &str) -> String {
    format!("/okd/v1/documents/{id}")
}

/// A request with these headers, whose answer no redirect hides.
async fn get(sender: &Sender, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let mut request = client.request(method.parse().unwrap(), format!("{}{path}", sender.cloud.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.bearer_auth(&sender.token).send().await.unwrap()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).unwrap_or_else(|| panic!("no {name} in {headers:?}")).to_str().unwrap()
}

async fn stored_by_parts(sender: &Sender, file: &[u8]) -> String {
    let offered = sender.offer_and_send(&with(&offer(file.len()), "format", json!("application/pdf")), file).await;
    sender.complete(&offered).await.ok().id()
}

#[tokio::test]
async fn a_document_comes_back_as_it_was_handed_in_to_be_saved_under_its_name() {
    let sender = Sender::new();
    let named = with(&metadata(), "documentName", json!("Überzicht €5 \"x\".pdf"));
    let id = sender.hand_in(&named, b"%PDF-1.7 \x00\xff").await.ok().id();
    let response = get(&sender, "GET", &path(&id), &[]).await;
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    for (name, value) in [
        ("content-type", "application/pdf"),
        (
            "content-disposition",
            "attachment; filename=\"_berzicht _5 x.pdf\"; filename*=UTF-8''%C3%9Cberzicht%20%E2%82%AC5%20x.pdf",
        ),
        ("accept-ranges", "bytes"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'; frame-ancestors 'none'"),
        ("content-length", "11"),
    ] {
        assert_eq!(text(&headers, name), value);
    }
    assert_eq!(&response.bytes().await.unwrap()[..], b"%PDF-1.7 \x00\xff");

    let head = get(&sender, "HEAD", &path(&id), &[]).await;
    assert_eq!(head.status(), 200);
    for name in ["content-type", "content-disposition", "etag", "content-length"] {
        assert_eq!(text(head.headers(), name), text(&headers, name));
    }
    assert_eq!(head.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn who_has_the_content_gets_304_and_who_asks_for_a_range_gets_that() {
    let sender = Sender::new();
    let id = sender.hand_in(&metadata(), b"0123456789").await.ok().id();
    let etag = text(get(&sender, "HEAD", &path(&id), &[]).await.headers(), "etag").to_owned();
    for known in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
        let response = get(&sender, "GET", &path(&id), &[("if-none-match", &known)]).await;
        assert_eq!((response.status().as_u16(), text(response.headers(), "etag")), (304, etag.as_str()), "{known}");
    }
    for (range, condition, status, content_range, body) in [
        ("bytes=2-4", None, 206, Some("bytes 2-4/10"), "234"),
        ("bytes=-1", None, 206, Some("bytes 9-9/10"), "9"),
        ("bytes=2-4", Some(etag.as_str()), 206, Some("bytes 2-4/10"), "234"),
        ("bytes=2-4", Some("\"another\""), 200, None, "0123456789"),
        ("bytes=2-4,6-7", None, 200, None, "0123456789"),
    ] {
        let mut headers = vec![("range", range)];
        headers.extend(condition.map(|etag| ("if-range", etag)));
        let response = get(&sender, "GET", &path(&id), &headers).await;
        let found = response.headers().get("content-range").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!((response.status().as_u16(), found.as_deref()), (status, content_range), "{range}");
        assert_eq!(response.text().await.unwrap(), body, "{range}");
    }
    let beyond = sender.request("GET", &path(&id)).header("range", "bytes=10-");
    let beyond = sender.send(beyond).await;
    beyond.problem(416, "no-such-range");
    assert_eq!(beyond.headers["content-range"], "bytes */10");
}

#[tokio::test]
async fn a_document_too_large_for_an_answer_is_at_s3_by_a_url_that_needs_no_token() {
    let sender = Sender::new();
    let file = bytes(OVER_INLINE, 1);
    let id = stored_by_parts(&sender, &file).await;
    let response = get(&sender, "GET", &path(&id), &[]).await;
    assert_eq!(response.status(), 307);
    let location = text(response.headers(), "location").to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["documentTempDownloadUrl"], location);
    assert!(body["detail"].as_str().unwrap().contains("without an Authorization header"), "{body}");
    let from_s3 = reqwest::get(&location).await.unwrap();
    assert_eq!(from_s3.status(), 200);
    for (name, value) in [
        ("content-type", "application/pdf"),
        (
            "content-disposition",
            "attachment; filename=\"beoordeling-100245.pdf\"; filename*=UTF-8''beoordeling-100245.pdf",
        ),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(text(from_s3.headers(), name), value);
    }
    assert!(from_s3.bytes().await.unwrap() == file);
    // In ranges it comes through the API, for who cannot follow.
    let part = get(&sender, "GET", &path(&id), &[("range", "bytes=4194304-")]).await;
    assert_eq!((part.status().as_u16(), &part.bytes().await.unwrap()[..]), (206, &file[OVER_INLINE - 1..]));
    let log = support::cloud::log(sender.cloud);
    assert!(!log.contains("X-Amz-Signature"), "a URL is in the log");
}

#[tokio::test]
async fn what_is_known_of_a_document_has_the_standards_names_in_both_spellings() {
    let sender = Sender::new();
    let metadata = metadata();
    let id = sender.hand_in(&metadata, b"%PDF-1.7").await.ok().id();
    let known = sender.call("GET", &format!("{}/metadata", path(&id))).await.ok().body;
    for (name, value) in [
        ("dmsDocumentId", json!(id)),
        ("title", json!("beoordeling-100245")),
        ("format", json!("application/pdf")),
        ("documentName", json!("beoordeling-100245.pdf")),
        ("documentname", json!("beoordeling-100245.pdf")),
        ("documentSize", json!(8)),
        ("documentsize", json!(8)),
    ] {
        assert_eq!(known[name], value, "{name}");
    }
    let created: jiff::Timestamp = known["creationdate"].as_str().unwrap().parse().unwrap();
    assert!(created <= jiff::Timestamp::now());
    let ours = &known["ext"]["okd"];
    assert_eq!(ours["documentId"], metadata["consumers"][0]["documentId"]);
    assert_eq!((&ours["documentType"], &ours["verification"]), (&json!("examination"), &json!("done")));
    assert!(ours["checksums"].as_array().unwrap().contains(&json!(sha256(b"%PDF-1.7"))), "{ours}");
    let download = reqwest::get(known["documentTempDownloadUrl"].as_str().unwrap()).await.unwrap();
    assert_eq!(&download.bytes().await.unwrap()[..], b"%PDF-1.7");
}

#[tokio::test]
async fn a_document_that_is_not_stored_is_409_that_says_where_its_upload_stands() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let declaring = with(&offer(5), "documentChecksum", json!(sha256(b"right")));
    cloud.events.pause(true);
    let offered = sender.offer(&declaring).await.accepted();
    for path in [path(&offered.id()), format!("{}/metadata", path(&offered.id()))] {
        let refused = sender.call("GET", &path).await;
        refused.problem(409, "not-stored");
        assert_eq!(refused.body["upload"]["state"], "uploading");
        assert_eq!(refused.body["upload"]["status"], offered.body["upload"]["status"]);
    }
    sender.send_parts(&offered.body["upload"], b"wrong", None).await;
    sender.call("POST", offered.href("complete")).await.accepted();
    let verifying = sender.call("GET", &path(&offered.id())).await;
    verifying.problem(409, "not-stored");
    assert_eq!(
        (&verifying.body["upload"]["state"], &verifying.headers["retry-after"]),
        (&json!("verifying"), &"2".parse().unwrap())
    );
    cloud.events.pause(false);
    cloud.events.drained().await;
    let corrupt = sender.call("GET", &path(&offered.id())).await;
    corrupt.problem(409, "not-stored");
    assert_eq!(corrupt.body["upload"]["state"], "corrupt");
}

#[tokio::test]
async fn while_a_new_version_is_compared_or_where_it_is_corrupt_the_one_before_it_is_read() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let metadata = metadata();
    let id = sender.hand_in(&metadata, b"first").await.ok().id();
    let read = async || sender.call("GET", &path(&id)).await.ok().body;
    let declaring = with(&with(&metadata, "documentSize", json!(5)), "documentChecksum", json!(sha256(b"right")));
    cloud.events.pause(true);
    let offered = sender.offer(&declaring).await.accepted();
    assert_eq!(read().await, "first", "an upload is open");
    sender.send_parts(&offered.body["upload"], b"wrong", None).await;
    sender.call("POST", offered.href("complete")).await.accepted();
    assert_eq!(read().await, "first", "its bytes are not compared yet");
    let version = offered.href("status").split_once("upload=").unwrap().1;
    let unverified = sender.call("GET", &format!("{}?version={version}", path(&id))).await;
    unverified.problem(409, "not-stored");
    cloud.events.pause(false);
    cloud.events.drained().await;
    assert_eq!(read().await, "first", "it is corrupt");
    let corrupt = sender.call("GET", &format!("{}?version={version}", path(&id))).await;
    corrupt.problem(404, "no-such-version");
}

#[tokio::test]
async fn a_version_that_was_replaced_is_read_by_its_id() {
    let sender = Sender::new();
    let metadata = metadata();
    let id = sender.hand_in(&metadata, b"first").await.ok().id();
    let known = async |query: &str| sender.call("GET", &format!("{}/metadata{query}", path(&id))).await.ok().body;
    let first = known("").await["ext"]["okd"]["version"].as_str().unwrap().to_owned();
    sender.hand_in(&metadata, b"second").await.ok();
    assert_eq!(sender.call("GET", &path(&id)).await.ok().body, "second");
    assert_eq!(sender.call("GET", &format!("{}?version={first}", path(&id))).await.ok().body, "first");
    assert_eq!(known(&format!("?version={first}")).await["documentSize"], 5);
    let never = "0".repeat(64);
    let refused = sender.call("GET", &format!("{}?version={never}", path(&id))).await;
    refused.problem(404, "no-such-version");
    sender.call("GET", &format!("{}?version=x", path(&id))).await.problem(400, "invalid-id");
}

#[tokio::test]
async fn a_file_that_a_browser_would_run_is_sent_as_unknown_bytes() {
    let sender = Sender::new();
    for (media_type, sent_as) in [
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("application/xhtml+xml", "application/octet-stream"),
        ("text/javascript", "application/octet-stream"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("image/png", "image/png"),
    ] {
        let head = format!("; filename=\"a\"\r\ncontent-type: {media_type}");
        let body = file_form(&metadata(), &head, b"<script>alert(1)</script>");
        let id = sender.send_form(&support::sender::association(), body).await.ok().id();
        let response = get(&sender, "GET", &path(&id), &[]).await;
        assert_eq!(text(response.headers(), "content-type"), sent_as);
        let known = sender.call("GET", &format!("{}/metadata", path(&id))).await.ok().body;
        assert!(media_type.starts_with(known["format"].as_str().unwrap()), "{known}");
        let url = known["documentTempDownloadUrl"].as_str().unwrap();
        let from_s3 = reqwest::get(url).await.unwrap();
        assert_eq!(text(from_s3.headers(), "content-type"), sent_as);
    }
}

#[tokio::test]
async fn a_document_is_read_with_a_scope_for_its_type_and_by_the_client_that_handed_it_in() {
    let sender = Sender::new();
    let id = sender.hand_in(&metadata(), b"an exam").await.ok().id();
    let token = |client: &str, scope: &str| sender.cloud.issuer.token(client, scope).unwrap();
    for (client, scope, status) in [
        (sender.client.as_str(), "okd:examdocuments", 200),
        (sender.client.as_str(), "okd:bpvdocuments", 403),
        ("another", "okd:alldocuments", 404),
    ] {
        let mut reader = sender.clone();
        reader.token = token(client, scope);
        for path in [path(&id), format!("{}/metadata", path(&id))] {
            assert_eq!(reader.call("GET", &path).await.status, status, "{client} {scope} {path}");
        }
    }
}

#[tokio::test]
async fn a_read_takes_two_calls_to_aws_and_so_does_what_is_known_of_it() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let id = sender.hand_in(&metadata(), b"an exam").await.ok().id();
    let calls = async |path: &str| {
        let before = cloud.faults.calls().len();
        sender.call("GET", path).await.ok();
        let calls = cloud.faults.calls().split_off(before);
        let calls = calls.into_iter().filter(|call| call.from == "ApiFunction");
        calls.map(|call| call.operation).collect::<Vec<_>>()
    };
    assert_eq!(calls(&path(&id)).await, ["Query", "GetObject"]);
    assert_eq!(calls(&format!("{}/metadata", path(&id))).await, ["Query", "GetItem"]);
}

#[tokio::test]
async fn the_base_says_what_the_service_is_without_a_token() {
    let sender = Sender::new();
    for path in ["/okd/v1", "/okd/v1/", "/live/okd/v1", "/live/okd/v1/"] {
        let response = sender.request("GET", path).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), text(response.headers(), "cache-control")),
            (200, "max-age=300"),
            "{path}"
        );
        let service: Value = response.json().await.unwrap();
        for name in ["contactEmail", "specification", "documentation"] {
            assert!(service[name].is_string(), "{service}");
        }
        assert_eq!(service["supportedVersions"], json!(["v5"]));
        assert_eq!(service["supportedConsumers"], json!([{ "consumerKey": "nl-okd", "version": "1.5.0" }]));
    }
    sender.call("PUT", "/okd/v1").await.problem(405, "method-not-allowed");
}

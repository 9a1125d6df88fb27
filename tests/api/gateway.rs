//! Paths, methods and what surrounds an answer.

use support::sender::{ASSOCIATION, OFFERING, Sender, association, offer};

#[tokio::test]
async fn a_path_or_method_that_is_not_in_the_template_is_answered_by_the_gateway() {
    let sender = Sender::new();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/okd/v1/associations"),
        ("PUT", "/okd/v2/offering/x"),
        ("TRACE", &association()),
        ("PROPFIND", &association()),
    ] {
        sender.call(method, path).await.problem(404, "no-such-route");
    }
}

#[tokio::test]
async fn an_id_in_the_path_that_is_no_uuid_is_refused() {
    let sender = Sender::new();
    for id in ["1", "123e4567e89b12d3a456426614174000", "%7B123e4567-e89b-12d3-a456-426614174000%7D", "..%2F..%2Fx"] {
        sender.call("GET", &format!("/okd/v1/documents/{id}/upload")).await.problem(400, "invalid-id");
    }
}

#[tokio::test]
async fn behind_the_apis_own_url_the_links_carry_its_stage() {
    let sender = Sender::new();
    let path = format!("/live{}", association());
    let offer = sender.send(sender.request("PUT", &path).json(&offer(5))).await.accepted();
    let location = offer.headers["location"].to_str().unwrap();
    assert!(location.starts_with(&format!("/live/okd/v1/documents/{}/upload?", offer.id())), "{location}");
    let complete = offer.body["upload"]["complete"]["href"].as_str().unwrap();
    assert!(complete.starts_with("/live/okd/v1/documents/"), "{complete}");
    sender.call("GET", location).await.ok();
}

#[tokio::test]
async fn the_logs_hold_no_token_no_signature_and_no_personal_data() {
    let sender = Sender::new();
    let mut metadata = offer(5);
    metadata["person"] = serde_json::json!({ "givenName": "Maartje", "surname": "Geheim" });
    let offer = sender.offer_and_send(&metadata, b"12345").await;
    sender.call("POST", offer.body["upload"]["complete"]["href"].as_str().unwrap()).await.ok();
    sender.send(sender.request("PUT", &association()).body("x")).await.problem(415, "unsupported-media-type");
    let log = support::cloud::log(sender.cloud);
    assert!(log.contains("\"problem\":\"unsupported-media-type\""));
    for secret in [&sender.token[..20], "X-Amz-Signature", "Geheim", "beoordeling-100245"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn a_client_may_choose_the_requests_id_but_not_the_gateways_own() {
    let sender = Sender::new();
    // The gateway's own answer, and the function's.
    for (method, path, status) in [("GET", "/".to_owned(), 404), ("PUT", association(), 415)] {
        let mut own = Vec::new();
        for chosen in [Some("chosen by the client"), None] {
            let mut request = sender.request(method, &path).header("x-amz-apigw-id", "forged");
            if let Some(chosen) = chosen {
                request = request.header("X-Amzn-RequestId", chosen);
            }
            let answer = sender.send(request).await;
            assert_eq!(answer.status, status, "{answer:?}");
            let id = answer.headers["x-amzn-requestid"].to_str().unwrap();
            assert_eq!(id == "chosen by the client", chosen.is_some(), "{id}");
            let ids: Vec<_> = answer.headers.get_all("x-amz-apigw-id").iter().collect();
            assert!(ids.len() == 1 && ids[0] != "forged", "{ids:?}");
            own.push(ids[0].clone());
            if status == 404 {
                assert_eq!(answer.body["requestId"], id);
            }
        }
        assert_ne!(own[0], own[1]);
    }
}

#[tokio::test]
async fn a_body_over_the_gateways_limit_gets_amazons_own_words() {
    let sender = Sender::new();
    let request = sender.request("PUT", &association());
    let answer = sender.send(request.body(vec![b'x'; (10 << 20) + 1])).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.headers["content-type"], "text; charset=utf-8");
    assert_eq!(answer.body, "HTTP content length exceeded 10485760 bytes.");
}

#[tokio::test]
async fn a_method_that_a_path_does_not_serve_is_405_and_allow_says_which_it_does() {
    let sender = Sender::new();
    let complete = format!("/okd/v1/documents/{OFFERING}/upload/complete");
    for (path, methods) in [
        (association(), "PUT, POST, PATCH, OPTIONS"),
        (format!("/okd/v1/offering/{OFFERING}"), "PUT, POST, OPTIONS"),
        (format!("/okd/v1/offerings/{OFFERING}"), "PUT, POST, OPTIONS"),
        (format!("/okd/v1/persons/{OFFERING}"), "PUT, POST, OPTIONS"),
        (complete, "POST, OPTIONS"),
    ] {
        for method in ["GET", "HEAD", "DELETE"] {
            let answer = sender.call(method, &path).await;
            assert_eq!((answer.status, &answer.headers["allow"]), (405, &methods.parse().unwrap()), "{method} {path}");
            if method != "HEAD" {
                answer.problem(405, "method-not-allowed");
            }
        }
        // Asking for the methods needs no token, and no id that is one.
        let id = [ASSOCIATION, OFFERING].into_iter().find(|id| path.contains(id));
        for path in [path.clone(), path.replace(id.unwrap(), "x")] {
            let answer = sender.request("OPTIONS", &path).send().await.unwrap();
            assert_eq!(
                (answer.status().as_u16(), &answer.headers()["allow"]),
                (204, &methods.parse().unwrap()),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn an_encoded_hyphen_in_the_paths_uuid_is_a_hyphen() {
    let path = association().replace('-', "%2D");
    let sender = Sender::new();
    sender.send(sender.request("PUT", &path).json(&offer(5))).await.accepted();
}

#[tokio::test]
async fn an_upload_in_the_query_that_is_none_is_told_apart_from_the_id_in_the_path() {
    let path = format!("/okd/v1/documents/{OFFERING}/upload");
    for upload in ["", "x", "../../x"] {
        let answer = Sender::new().call("GET", &format!("{path}?upload={upload}")).await;
        let detail = answer.problem(400, "invalid-id");
        assert!(detail.contains("?upload="), "{detail}");
    }
}

#[tokio::test]
async fn every_answer_is_for_tls_and_for_nobody_to_keep() {
    let sender = Sender::new();
    let stored = sender.hand_in(&support::sender::metadata(), b"x").await.ok();
    let upload = format!("/okd/v1/documents/{}/upload", stored.id());
    let answers = [
        stored,
        sender.call("DELETE", &upload).await,
        sender.call("OPTIONS", &association()).await,
        sender.call("GET", &association()).await,
        sender.call("GET", "/okd/v1/nothing").await,
    ];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 204, 204, 405, 404]);
    for answer in answers {
        for (name, value) in okd_api::SAFE_HEADERS {
            assert_eq!(answer.headers[name], value, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn what_the_gateway_itself_refuses_a_page_can_read() {
    let sender = Sender::new();
    for (path, size, status) in [("/okd/v1/nothing".to_owned(), 1, 404), (association(), 8 << 20, 413)] {
        let body = vec![b'x'; size];
        let answer = sender.send(sender.request("PUT", &path).body(body)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
    }
}

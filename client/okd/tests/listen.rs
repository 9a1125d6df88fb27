//! The events of a cloud, forwarded to a receiver that is being made.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{Scene, end, until};

#[tokio::test]
async fn an_event_that_is_triggered_reaches_the_receiver_signed() {
    let scene = Scene::with_console();
    let heard = Arc::new(Mutex::new(Vec::<(HeaderMap, String)>::new()));
    let told = heard.clone();
    let hook = post(async move |headers: HeaderMap, body: String| {
        told.lock().unwrap().push((headers, body));
        // The first time it fails, and is asked again.
        if told.lock().unwrap().len() == 1 { StatusCode::BAD_GATEWAY } else { StatusCode::NO_CONTENT }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", hook)).await.unwrap() });

    let mut listen = scene.okd(&["listen", "--forward-to", &url]);
    let mut listen = listen.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(listen.stderr.take().unwrap()).lines();
    let secret = said.next_line().await.unwrap().unwrap().replace("signed with ", "");
    assert_eq!(said.next_line().await.unwrap().as_deref(), Some("listening"));

    let triggered = end(scene.okd(&["trigger", "document.removed"])).await;
    assert_eq!(triggered.code, 0, "{triggered:?}");
    let id = triggered.out.trim();
    until("both events are heard", async || heard.lock().unwrap().len() >= 3).await;
    let webhook = standardwebhooks::Webhook::new(&secret).unwrap();
    let mut kinds = Vec::new();
    for (headers, body) in heard.lock().unwrap().iter() {
        webhook.verify(body.as_bytes(), headers).unwrap();
        let event: Value = serde_json::from_str(body).unwrap();
        assert_eq!(event["detail"]["dmsDocumentId"], id);
        kinds.push(event["detail-type"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds, ["document.stored", "document.stored", "document.removed"]);
    let mut printed = BufReader::new(listen.stdout.take().unwrap()).lines();
    assert_eq!(printed.next_line().await.unwrap(), Some(format!("document.stored {id} -> 204 No Content")));
}

#[tokio::test]
async fn a_service_that_is_not_on_this_machine_tells_no_events() {
    let scene = Scene::new();
    for arguments in [&["listen", "--forward-to", "http://127.0.0.1:9"][..], &["trigger", "document.stored"]] {
        let ended = end(scene.okd(arguments)).await;
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.err.contains("only the cloud on this machine"), "{ended:?}");
    }
}

//! Each command once, and how each fails.

use std::{collections::BTreeMap, process::Stdio};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use axum::{
    Form, Json, Router,
    routing::{get, post},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};
use support::sender::ASSOCIATION;
use tokio::io::AsyncWriteExt;

use crate::{MIB, Scene, end};

#[tokio::test]
async fn a_document_of_either_form_is_handed_in_once_however_often_and_read_back() {
    let scene = Scene::new();
    for (name, size) in [("small", 1000), ("large", 20 * MIB)] {
        let (metadata, file) = (scene.metadata(name), scene.file(name, size));
        let first = end(scene.put(&metadata, &file)).await;
        assert_eq!((first.code, first.err.as_str()), (0, ""), "{first:?}");
        let id = first.out.trim().to_owned();
        assert_eq!(first.out, format!("{id}\n"), "the id alone is printed");
        let sent = scene.parts_sent().len();
        let again = end(scene.put(&metadata, &file)).await;
        assert_eq!(again.out, first.out, "{again:?}");
        assert_eq!(scene.parts_sent().len(), sent, "nothing is sent twice");
        scene.compare(&id, &file).await;
        let described = scene.described(&id).await;
        assert_eq!(described["documentName"], name, "a file is called by its name");
        assert_eq!(described["documentSize"], size);
        assert_ne!(described["ext"]["okd"]["verification"], "none", "a checksum was declared");
    }
}

#[tokio::test]
async fn an_upload_is_shown_gone_on_with_and_ended_and_a_document_deleted() {
    let scene = Scene::new();
    let (metadata, file) = (scene.metadata("killed"), scene.file("recording", 33 * MIB));
    let mut put = scene.put(&metadata, &file).arg("--parallel=1").spawn().unwrap();
    crate::until("a part has arrived", async || !scene.parts_sent().is_empty()).await;
    put.kill().await.unwrap();
    let documents = scene.okd(&["status", "00000000-0000-4000-8000-000000000000"]);
    let nobodys = end(documents).await;
    assert_eq!(nobodys.code, 3, "{nobodys:?}");
    assert!(nobodys.err.contains("refused with 404"), "{}", nobodys.err);

    let again = end(scene.put(&metadata, &file)).await;
    let id = again.out.trim();
    let status = end(scene.okd(&["status", id])).await;
    assert!(status.out.contains(r#""state": "stored""#), "{status:?}");
    let resumed = end(scene.okd(&["resume", id, "--file", "recording"])).await;
    assert_eq!((resumed.code, resumed.out.trim()), (0, id), "{resumed:?}");
    assert_eq!(end(scene.okd(&["delete", id])).await.code, 0);
    let gone = end(scene.okd(&["meta", id])).await;
    assert_eq!(gone.code, 3, "{gone:?}");
}

#[tokio::test]
async fn a_client_gets_its_tokens_from_its_issuer_and_its_secret_stands_on_no_command_line() {
    let scene = Scene::new();
    let (metadata, file) = (scene.metadata("by-client"), scene.file("exam.pdf", 100));
    let config = format!("url = '{}'\nissuer = '{}'\nclient-id = 'my-sis'\n", scene.cloud.url, scene.cloud.issuer_url);
    scene.written("okd.toml", config.as_bytes());
    for (from_stdin, secret_file) in [(true, "-"), (false, "secret")] {
        scene.written("secret", b"s%cr\xc3\xa9t\n");
        let mut put = scene.put(&metadata, &file);
        put.env_remove("OKD_URL").env_remove("OKD_TOKEN").args([
            "--config",
            "okd.toml",
            "--client-secret-file",
            secret_file,
        ]);
        let mut put = put.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = put.stdin.take().unwrap();
        if from_stdin {
            stdin.write_all("s%crét\n".as_bytes()).await.unwrap();
        }
        drop(stdin);
        let output = put.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn a_client_may_prove_itself_to_its_issuer_by_a_key() {
    let scene = Scene::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    // An uncompressed point: 4, x, y.
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let known = DecodingKey::from_ec_components(&BASE64URL.encode(x), &BASE64URL.encode(y)).unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(pkcs8));
    scene.written("key.pem", pem.as_bytes());

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let endpoint = format!("{issuer}/oauth/token");
    let discovery = json!({ "issuer": issuer, "token_endpoint": endpoint });
    let token = scene.token.clone();
    let grant = post(async move |Form(form): Form<BTreeMap<String, String>>| {
        assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[&endpoint]);
        validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
        let assertion = decode::<Value>(&form["client_assertion"], &known, &validation).unwrap();
        assert_eq!(assertion.header.kid.as_deref(), Some("key-1"));
        assert_eq!((&assertion.claims["iss"], &assertion.claims["sub"]), (&json!("my-sis"), &json!("my-sis")));
        assert!(assertion.claims["jti"].is_string());
        Json(json!({ "access_token": token, "expires_in": 300 }))
    });
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(async move || Json(discovery)))
        .route("/oauth/token", grant);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let mut put = scene.put(&scene.metadata("by-key"), &scene.file("exam.pdf", 100));
    put.env_remove("OKD_TOKEN").env("OKD_ISSUER", &issuer).args([
        "--client-id",
        "my-sis",
        "--client-key-file",
        "key.pem",
    ]);
    let ended = end({
        put.args(["--client-key-id", "key-1"]);
        put
    })
    .await;
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[tokio::test]
async fn what_went_wrong_is_said_by_the_exit_code_and_in_words() {
    let scene = Scene::new();
    let (metadata, file) = (scene.metadata("wrong"), scene.file("exam.pdf", 100));
    let wrong_size = crate::metadata("wrong").to_string().replace("\"nl-okd\"", "\"nl-okd\", \"documentSize\": 99");
    let wrong_sum = "sha-256:0000000000000000000000000000000000000000000000000000000000000000";
    let wrong_sum = format!("\"nl-okd\", \"documentChecksum\": \"{wrong_sum}\"");
    let wrong_sum = crate::metadata("wrong").to_string().replace("\"nl-okd\"", &wrong_sum);
    let wrong_size = scene.written("size.json", wrong_size.as_bytes());
    let wrong_sum = scene.written("sum.json", wrong_sum.as_bytes());
    let no_json = scene.written("no.json", b"{");
    let empty = scene.written("empty", b"");

    let mut unknown_type = scene.put(&metadata, &file);
    unknown_type.env("OKD_TOKEN", "nonsense");
    let mut nobody = scene.put(&metadata, &file);
    nobody.env("OKD_URL", "http://127.0.0.1:9").arg("--patience=0");
    let mut open = scene.put(&metadata, &file);
    open.env("OKD_URL", "http://dms.example");
    for (command, code, words) in [
        (scene.put(&wrong_size, &file), 2, "documentSize says 99 bytes"),
        (scene.put(&no_json, &file), 2, "no JSON"),
        (scene.put(&metadata, &empty), 2, "no bytes"),
        (scene.put(&metadata, &scene.folder.path().join("not-there")), 1, "not-there"),
        (unknown_type, 3, "No valid access token"),
        (nobody, 4, "given up"),
        (scene.put(&wrong_sum, &file), 5, "checksum"),
        (open, 2, "--allow-http"),
        (scene.okd(&["put", "course", ASSOCIATION]), 2, "none of association, offering and person"),
    ] {
        let ended = end(command).await;
        assert_eq!(ended.code, code, "{ended:?}");
        assert_eq!(ended.out, "");
        assert!(ended.err.contains(words), "{words}: {ended:?}");
    }
}

#[tokio::test]
async fn bytes_that_are_others_than_those_stored_are_not_left_where_they_were_wanted() {
    let scene = Scene::new();
    let (metadata, file) = (scene.metadata("changed"), scene.file("exam.bin", 5 * MIB));
    let id = end(scene.put(&metadata, &file)).await.out.trim().to_owned();
    // One byte changes on S3's disk.
    let mut folders = vec![scene.cloud.data.join("s3")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let is_the_file = entry.metadata().unwrap().len() == 5 * MIB as u64;
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if is_the_file {
                let mut bytes = std::fs::read(entry.path()).unwrap();
                bytes[MIB] ^= 1;
                std::fs::write(entry.path(), bytes).unwrap();
            }
        }
    }
    let ended = end(scene.okd(&["get", &id, "--output", "back"])).await;
    assert_eq!(ended.code, 5, "{ended:?}");
    let left: Vec<_> =
        std::fs::read_dir(scene.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("back")), "{left:?}");
}

#[tokio::test]
async fn the_manual_and_the_completions_are_printed() {
    let scene = Scene::new();
    for (arguments, words) in [
        (&["--help"][..], "Exit codes"),
        (&["man"], ".TH okd"),
        (&["completions", "bash"], "complete -F"),
        (&["completions", "zsh"], "#compdef okd"),
    ] {
        let ended = end(scene.okd(arguments)).await;
        assert!(ended.code == 0 && ended.out.contains(words), "{arguments:?}");
    }
}

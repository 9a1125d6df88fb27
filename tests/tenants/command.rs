//! `cargo run -- tenant`, against the cloud of this machine.

use std::{
    process::{Command, Output},
    time::{Duration, Instant},
};

use okd_local::Cloud;
use serde_json::json;

use support::{
    cloud::own_cloud,
    sender::{Sender, metadata, offer, with},
};

use crate::{keys::serve_keys, rsa::Rsa, school::serve_issuer};

pub(crate) fn tenant(cloud: &Cloud, arguments: &[&str]) -> Output {
    let port: u16 = cloud.dynamodb_url.rsplit(':').next().unwrap().parse().unwrap();
    let mut command = Command::new(support::executable());
    command.args(["tenant", "--port", &(port - 3).to_string(), "--data"]).arg(&cloud.data);
    command.args(arguments).output().unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_added_shown_listed_changed_and_removed_and_its_tokens_count_accordingly() {
    let cloud = own_cloud();
    let issuer = serve_issuer().await;
    let run = |arguments: &[&str]| tenant(cloud, arguments);
    let mut sender = Sender::to(cloud);
    sender.token = issuer.token_for("dms", "sis", "okd:examdocuments").unwrap();

    let add = ["add", "school-a", "--issuer", issuer.url(), "--audience", "dms"];
    let output = run(&add);
    assert!(output.status.success(), "{}", said(&output));
    sender.hand_in(&metadata(), b"x").await.ok();

    let output = run(&["list"]);
    let listed = said(&output);
    assert!(listed.contains("local-school") && listed.contains("school-a"), "{listed}");
    let shown: serde_json::Value = serde_json::from_slice(&run(&["show", "school-a"]).stdout).unwrap();
    assert_eq!(shown["issuer"], issuer.url());
    assert_eq!(shown["limits"]["openUploads"], 1000);
    assert_eq!(shown["usage"]["openUploads"], 0);

    assert!(said(&run(&add)).contains("--replace"));
    let other = ["add", "school-b", "--issuer", issuer.url(), "--audience", "dms"];
    assert!(said(&run(&other)).contains("school-a has this issuer and audience already"));
    let changes = [
        &["--replace", "--open-uploads", "7", "--algorithm", "ES256"][..],
        &["--client-as-audience", "--scope-prefix", "okd/"],
    ];
    let output = run(&[&add[..], &changes.concat()].concat());
    assert!(output.status.success(), "{}", said(&output));
    let shown: serde_json::Value = serde_json::from_slice(&run(&["show", "school-a"]).stdout).unwrap();
    assert_eq!((&shown["limits"]["openUploads"], &shown["algorithms"]), (&7.into(), &serde_json::json!(["ES256"])));

    assert_eq!((&shown["clientAsAudience"], &shown["scopePrefix"]), (&true.into(), &"okd/".into()));

    // What is not named stays, and the ids of documents with it.
    let salt = shown["salt"].clone();
    let output = run(&["add", "school-a", "--replace", "--shared", "--client-as-audience=false"]);
    assert!(output.status.success(), "{}", said(&output));
    let shown: serde_json::Value = serde_json::from_slice(&run(&["show", "school-a"]).stdout).unwrap();
    assert_eq!(
        (&shown["limits"]["openUploads"], &shown["shared"], &shown["clientAsAudience"]),
        (&7.into(), &true.into(), &false.into())
    );
    assert_eq!((&shown["salt"], &shown["scopePrefix"]), (&salt, &"okd/".into()));

    assert!(run(&["remove", "school-a"]).status.success());
    assert!(said(&run(&["remove", "school-a"])).contains("no tenant school-a"));
    assert!(!said(&run(&["list"])).contains("school-a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_tenants_name_and_documents_go_to_nobody_who_does_not_ask_for_them() {
    let cloud = own_cloud();
    let issuer = serve_issuer().await;
    let run = |arguments: &[&str]| tenant(cloud, arguments);
    let add = ["add", "school-a", "--issuer", issuer.url(), "--audience", "dms"];
    assert!(run(&add).status.success());
    let mut sender = Sender::to(cloud);
    sender.token = issuer.token_for("dms", "sis", "okd:alldocuments").unwrap();
    let message = metadata();
    let id = sender.hand_in(&message, b"x").await.ok().id();
    let whole = sender.offer_and_send(&offer(5), b"12345").await;
    let begun = sender.offer(&offer(5)).await.accepted();

    let refused = said(&run(&["remove", "school-a"]));
    assert!(refused.contains("--abort-uploads"), "{refused}");
    let listed = said(&run(&["uploads", "school-a", "--client", "sis"]));
    assert!(listed.contains(&whole.id()) && listed.contains(&begun.id()), "{listed}");
    assert!(said(&run(&["uploads", "school-a", "--client", "other"])).contains("no upload is open"));
    let removed = said(&run(&["remove", "school-a", "--abort-uploads"]));
    assert!(removed.contains("2 uploads have ended"), "{removed}");
    // Nothing of it comes in later, not even what was there whole.
    let later = jiff::Timestamp::now() + Duration::from_hours(3);
    cloud.tick(later).await.unwrap();
    assert_eq!(sender.s3.list_objects_v2().bucket(&cloud.bucket).send().await.unwrap().contents().len(), 1);

    let refused = said(&run(&add));
    assert!(refused.contains("--take-over-documents"), "{refused}");
    assert!(!said(&run(&["list"])).contains("school-a"));
    assert!(run(&[&add[..], &["--take-over-documents"]].concat()).status.success());
    let mut again = Sender::to(cloud);
    again.token.clone_from(&sender.token);
    // It has been refused for a minute, and is so yet in the process that saw that.
    let deadline = Instant::now() + Duration::from_secs(90);
    let answer = loop {
        let answer = again.hand_in(&message, b"x").await;
        if answer.status == 200 || Instant::now() > deadline {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(answer.ok().id(), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tenants_have_no_document_id_in_common_and_nobody_can_compute_one() {
    let (cloud, other) = (own_cloud(), own_cloud());
    let mut ids = Vec::new();
    // The same in everything that a sender knows.
    for (cloud, name) in [(cloud, "school-a"), (cloud, "school-b"), (other, "school-a")] {
        let issuer = serve_issuer().await;
        let add = ["add", name, "--issuer", issuer.url(), "--audience", "dms"];
        assert!(tenant(cloud, &add).status.success());
        let mut sender = Sender::to(cloud);
        sender.token = issuer.token_for("dms", "sis", "okd:alldocuments").unwrap();
        let message = with(&metadata(), "documentId", json!("1"));
        ids.push(sender.hand_in(&message, b"x").await.ok().id());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_tenant_is_refused_with_what_to_do() {
    let cloud = own_cloud();
    let issuer = serve_issuer().await;
    let add = |arguments: &[&str]| {
        let output = tenant(cloud, &[&["add"], arguments].concat());
        assert!(!output.status.success());
        said(&output)
    };
    let sound = ["--issuer", issuer.url(), "--audience", "dms"];
    for (arguments, hint) in [
        (&["School"][..], "a-z, 0-9 and '-'"),
        (&["a", "--algorithm", "HS256"], "could make it"),
        (&["a", "--algorithm", "RS256"], "no key for a signature that this tenant accepts"),
        (&["a", "--document-size", "5368709120001"], "5368709120000"),
        (&["a", "--bytes-in-flight", "1"], "largest size, 1073741824"),
        (&["a", "--audience", ""], "--audience"),
        (&["a", "--replace"], "no tenant a to replace"),
        (&["a", "--jwks", "ftp://keys"], "not a URL"),
        (&["a", "--jwks", "http://10.0.0.1/keys"], "without TLS"),
        (&["a", "--jwks", "https://169.254.169.254/keys"], "not a public address"),
    ] {
        let said = add(&[arguments, &sound].concat());
        assert!(said.contains(hint), "{arguments:?}: {said}");
    }
    let said = add(&["a", "--issuer", "okd", "--audience", "dms"]);
    assert!(said.contains("not a URL"), "{said}");
    issuer.go_down(true);
    let said = add(&[&["a"][..], &sound].concat());
    assert!(said.contains("503") && said.contains("--unchecked"), "{said}");
    for said in said_of_no_cloud(cloud) {
        assert!(said.contains("cargo run") && said.contains("--table"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_was_deleted_is_brought_back_by_the_operator() {
    let cloud = own_cloud();
    let run = |arguments: &[&str]| tenant(cloud, arguments);
    let sender = Sender::to(cloud);
    let id = sender.hand_in(&metadata(), b"evidence").await.ok().id();
    let path = format!("/okd/v1/documents/{id}");
    assert!(said(&run(&["undelete", "local-school", &id])).contains("is not deleted"));
    assert_eq!(sender.call("DELETE", &path).await.status, 204);
    sender.call("GET", &path).await.problem(404, "no-such-document");
    assert!(said(&run(&["undelete", "local-school", "x"])).contains("no dmsDocumentId"));
    let never = "7d0a4c1e-1b52-4f0e-9a61-2f6f0c1e5a10";
    assert!(said(&run(&["undelete", "local-school", never])).contains("has no document"));
    assert!(said(&run(&["undelete", "local-school", &id])).contains("is there again"));
    assert_eq!(sender.call("GET", &path).await.ok().body, "evidence");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_keys_that_can_verify_a_token_count() {
    let cloud = own_cloud();
    let add = |keys: &str| {
        let sound = ["--issuer", "https://login.example", "--audience", "dms"];
        tenant(cloud, &[&["add", "a", "--jwks", keys][..], &sound].concat())
    };
    let rsa = Rsa::new("rsa").jwk();
    let with = |name: &str, value: &str| {
        let mut jwk = rsa.clone();
        jwk[name] = json!(value);
        jwk
    };
    let even = format!("{}Q", &rsa["n"].as_str().unwrap()[..340]);
    let off_the_curve = json!({
        "kty": "EC", "crv": "P-256", "kid": "1", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1",
    });
    let useless = json!([off_the_curve, with("n", &even), with("n", "AQAB"), with("e", "AQ")]);
    let mut nameless = rsa.clone();
    nameless.as_object_mut().unwrap().remove("kid");
    for (keys, hint) in [
        (useless, "no key for a signature that this tenant accepts"),
        (json!([nameless]), "publish each key with a kid"),
    ] {
        let output = add(&serve_keys(keys).await);
        assert!(!output.status.success());
        let said = said(&output);
        assert!(said.contains(hint), "{said}");
    }
    let output = add(&serve_keys(json!([Rsa::new("java").javas_jwk()])).await);
    assert!(output.status.success(), "{}", said(&output));
}

/// What the command says where there is no cloud: port 1 is nobody's, and the second folder has no key.
fn said_of_no_cloud(cloud: &Cloud) -> [String; 2] {
    [("1", cloud.data.as_path()), ("7080", "nowhere".as_ref())].map(|(port, data)| {
        let mut command = Command::new(support::executable());
        let command = command.args(["tenant", "--port", port, "list", "--data"]);
        let output = command.arg(data).output().unwrap();
        assert!(!output.status.success());
        said(&output)
    })
}

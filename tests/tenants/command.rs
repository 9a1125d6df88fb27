//! `cargo run -- tenant`, against the cloud of this machine.

use std::process::{Command, Output};

use crate::{
    cloud::own_cloud,
    school::serve_issuer,
    sender::{Sender, metadata},
};

fn tenant(dynamodb_url: &str, arguments: &[&str]) -> Output {
    let port: u16 = dynamodb_url.rsplit(':').next().unwrap().parse().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.args(["tenant", "--port", &(port - 3).to_string()]);
    command.args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_added_shown_listed_changed_and_removed_and_its_tokens_count_accordingly() {
    let cloud = own_cloud();
    let issuer = serve_issuer().await;
    let run = |arguments: &[&str]| tenant(&cloud.dynamodb_url, arguments);
    let mut sender = Sender::to(cloud);
    sender.token = issuer.token_for("dms", "sis", "okd:examdocuments").unwrap();

    let add = [
        "add",
        "school-a",
        "--issuer",
        issuer.url(),
        "--audience",
        "dms",
    ];
    let output = run(&add);
    assert!(output.status.success(), "{}", said(&output));
    sender.hand_in(&metadata(), b"x").await.ok();

    let output = run(&["list"]);
    let listed = said(&output);
    assert!(
        listed.contains("local-school") && listed.contains("school-a"),
        "{listed}"
    );
    let shown: serde_json::Value =
        serde_json::from_slice(&run(&["show", "school-a"]).stdout).unwrap();
    assert_eq!(shown["issuer"], issuer.url());
    assert_eq!(shown["limits"]["openUploads"], 1000);
    assert_eq!(shown["usage"]["openUploads"], 0);

    assert!(said(&run(&add)).contains("--replace"));
    let other = [
        "add",
        "school-b",
        "--issuer",
        issuer.url(),
        "--audience",
        "dms",
    ];
    assert!(said(&run(&other)).contains("school-a has this issuer and audience already"));
    let output = run(&[
        &add[..],
        &["--replace", "--open-uploads", "7", "--algorithm", "ES256"],
    ]
    .concat());
    assert!(output.status.success(), "{}", said(&output));
    let shown: serde_json::Value =
        serde_json::from_slice(&run(&["show", "school-a"]).stdout).unwrap();
    assert_eq!(
        (&shown["limits"]["openUploads"], &shown["algorithms"]),
        (&7.into(), &serde_json::json!(["ES256"]))
    );

    assert!(run(&["remove", "school-a"]).status.success());
    assert!(said(&run(&["remove", "school-a"])).contains("no tenant school-a"));
    assert!(!said(&run(&["list"])).contains("school-a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_tenant_is_refused_with_what_to_do() {
    let cloud = own_cloud();
    let issuer = serve_issuer().await;
    let add = |arguments: &[&str]| {
        let output = tenant(&cloud.dynamodb_url, &[&["add"], arguments].concat());
        assert!(!output.status.success());
        said(&output)
    };
    let sound = ["--issuer", issuer.url(), "--audience", "dms"];
    for (arguments, hint) in [
        (&["School"][..], "a-z, 0-9 and '-'"),
        (&["a", "--algorithm", "HS256"], "could make it"),
        (
            &["a", "--algorithm", "RS256"],
            "no key for a signature that this tenant accepts",
        ),
        (&["a", "--document-size", "2000000000"], "1073741824"),
        (&["a", "--bytes-in-flight", "1"], "largest size, 1073741824"),
        (&["a", "--audience", ""], "--audience"),
        (&["a", "--replace"], "no tenant a to replace"),
        (&["a", "--jwks", "ftp://keys"], "not a URL"),
        (&["a", "--jwks", "http://10.0.0.1/keys"], "without TLS"),
        (
            &["a", "--jwks", "https://169.254.169.254/keys"],
            "not a public address",
        ),
    ] {
        let said = add(&[arguments, &sound].concat());
        assert!(said.contains(hint), "{arguments:?}: {said}");
    }
    let said = add(&["a", "--issuer", "okd", "--audience", "dms"]);
    assert!(said.contains("not a URL"), "{said}");
    issuer.go_down(true);
    let said = add(&[&["a"][..], &sound].concat());
    assert!(
        said.contains("503") && said.contains("--unchecked"),
        "{said}"
    );
    let said = said_of_no_cloud();
    assert!(
        said.contains("cargo run") && said.contains("--table"),
        "{said}"
    );
}

/// Port 1 is nobody's.
fn said_of_no_cloud() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_local"))
        .args(["tenant", "--port", "1", "list"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    said(&output)
}

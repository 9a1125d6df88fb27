//! A real issuer: oidc-provider, certified by the OpenID Foundation, on Node. `.ci/oidc` installs it and runs these.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use okd_core::{ids::TenantId, tenant::Tenant};
use serde_json::Value;

use support::{
    cloud::own_cloud,
    sender::{Sender, metadata},
};

use crate::{keys::load, school::know_keys};

/// The issuer's process; gone when this is.
struct Issuer {
    process: Child,
    url: String,
    http: reqwest::Client,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Issuer {
    fn start() -> Self {
        let folder = std::env::var("OKD_TEST_OIDC_PROVIDER").expect(".ci/oidc installs the issuer and says where");
        let mut process = Command::new("node")
            .arg("issuer.mjs")
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { process, url: url.trim().to_owned(), http: reqwest::Client::new() }
    }

    /// A token by client credentials.
    async fn token(&self, scope: &str) -> String {
        let request = self.http.post(format!("{}/token", self.url));
        let request = request.basic_auth("sis", Some("a-secret-of-the-test"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let body = format!("grant_type=client_credentials&scope={scope}");
        let answer: Value = request.body(body).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn rotate(&self) {
        let rotated = self.http.post(format!("{}/rotate", self.url)).send().await.unwrap();
        assert_eq!(rotated.status(), 200);
    }

    async fn asked(&self) -> usize {
        let asked = self.http.get(format!("{}/asked", self.url)).send().await.unwrap();
        asked.text().await.unwrap().parse().unwrap()
    }

    /// A sender whose tenant has this issuer, by its discovery document.
    async fn sender(&self) -> Sender {
        let cloud = own_cloud();
        let id = TenantId::try_from("real-school".to_owned()).unwrap();
        let tenant = Tenant::new(id, self.url.clone().try_into().unwrap(), vec!["okd".to_owned()]);
        cloud.tenants.add(&tenant, None).await.unwrap();
        know_keys(cloud, &tenant).await;
        let mut sender = Sender::to(cloud);
        sender.token = self.token("okd:examdocuments").await;
        sender
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs oidc-provider: .ci/oidc"]
async fn a_real_issuers_tokens_are_understood_and_its_scopes_obeyed() {
    let issuer = Issuer::start();
    let mut sender = issuer.sender().await;
    sender.hand_in(&metadata(), b"x").await.ok();
    sender.token = issuer.token("okd:bpvdocuments").await;
    sender.hand_in(&metadata(), b"x").await.problem(403, "missing-scope");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs oidc-provider: .ci/oidc"]
async fn rotating_a_real_issuers_keys_under_load_loses_nothing_and_taking_it_down_refuses_nobody() {
    let mut issuer = Issuer::start();
    let sender = issuer.sender().await;
    let processes = || sender.cloud.functions["ApiFunction"].processes();
    // The newest token and the one before, by turns: the old key's go on being good.
    let tokens = Mutex::new((sender.token.clone(), sender.token.clone()));
    let next = async || {
        let mut tokens = tokens.lock().unwrap();
        *tokens = (tokens.1.clone(), tokens.0.clone());
        tokens.0.clone()
    };
    let (mut count, mut lost) = load(&sender, 50, Duration::from_secs(5), next).await;
    let (warm, began) = (issuer.asked().await, Instant::now());
    assert!(warm <= processes(), "{warm}");
    for rotation in 1..=2 {
        issuer.rotate().await;
        let new = issuer.token("okd:examdocuments").await;
        {
            let mut tokens = tokens.lock().unwrap();
            *tokens = (new, tokens.0.clone());
        }
        // A process asks for keys that it does not know every 30 s at most, and some have no request for a while: the
        // next rotation comes when none has asked for so long.
        let pause = Duration::from_secs(if rotation == 1 { 31 } else { 10 });
        let (started, mut asked) = (Instant::now(), (issuer.asked().await, Instant::now()));
        while asked.1.elapsed() < pause {
            assert!(started.elapsed() < Duration::from_mins(3), "a process always asks");
            let (more, refused) = load(&sender, 50, Duration::from_secs(5), next).await;
            count += more;
            lost.extend(refused);
            let now = issuer.asked().await;
            if now != asked.0 {
                asked = (now, Instant::now());
            }
        }
        let asked = asked.0;
        assert!(asked <= (rotation + 1) * processes(), "{asked} by {} processes", processes());
    }
    assert!(lost.is_empty(), "{} of {count} lost: {:#?}", lost.len(), &lost[..lost.len().min(3)]);
    let asked = issuer.asked().await;
    let rate = count as u64 * 1000 / u64::try_from(began.elapsed().as_millis()).unwrap();
    assert!(rate >= 45, "{rate} requests a second");

    issuer.process.kill().unwrap();
    issuer.process.wait().unwrap();
    let (more, refused) = load(&sender, 50, Duration::from_secs(10), next).await;
    assert!(refused.is_empty(), "{} of {more}: {:#?}", refused.len(), &refused[..refused.len().min(3)]);
    eprintln!(
        "{count} requests over two rotations: none lost, {asked} fetches of keys by {} processes; {more} more without the issuer: none refused",
        processes()
    );
}

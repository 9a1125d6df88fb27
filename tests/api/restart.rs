//! `cargo run` whose plug is pulled: what was answered is there when it comes back.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::sender::{MIB, association, bytes, offer};

/// The executable, as a user runs it.
struct Running {
    process: Child,
    url: String,
    token: String,
    http: reqwest::Client,
}

impl Running {
    /// Starts it and reads its greeting.
    fn start(data: &Path) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_local"))
            .args(["--port", "0", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut running = Self {
            process,
            url: String::new(),
            token: String::new(),
            http: reqwest::Client::new(),
        };
        for line in BufReader::new(running.process.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some((_, rest)) = line.split_once("runs at ") {
                rest.split(' ').next().unwrap().clone_into(&mut running.url);
            }
            if let Some(token) = line.strip_prefix("TOKEN=") {
                token.clone_into(&mut running.token);
                return running;
            }
        }
        panic!("it ended without a greeting");
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let method = method.parse().unwrap();
        let request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn send_part(&self, part: &Value, file: &[u8]) {
        let number = |key: &str| usize::try_from(part[key].as_u64().unwrap()).unwrap();
        let slice = file[number("offset")..number("offset") + number("size")].to_vec();
        let answer = self
            .http
            .put(part["href"].as_str().unwrap())
            .body(slice)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
    }
}

impl Drop for Running {
    /// SIGKILL: nothing of it can tidy up.
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test]
async fn an_upload_goes_on_and_is_completed_after_the_plug_was_pulled_twice() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let data = folder.path().join("data");
    let file = bytes(16 * MIB + 10, 5);

    let running = Running::start(&data);
    let (status, offered) = running
        .call("PUT", &association(), Some(&offer(file.len())))
        .await;
    assert_eq!(status, 202, "{offered}");
    running
        .send_part(&offered["upload"]["parts"][0], &file)
        .await;
    drop(running);

    let running = Running::start(&data);
    let upload = offered["upload"]["status"]["href"].as_str().unwrap();
    let (status, resumed) = running.call("GET", upload, None).await;
    assert_eq!(
        (status, &resumed["upload"]["partsReceived"]),
        (200, &Value::from(1)),
        "{resumed}"
    );
    running
        .send_part(&resumed["upload"]["parts"][0], &file)
        .await;
    let complete = resumed["upload"]["complete"]["href"].as_str().unwrap();
    let (status, stored) = running.call("POST", complete, None).await;
    assert_eq!(
        (status, &stored["dmsDocumentId"]),
        (200, &offered["dmsDocumentId"]),
        "{stored}"
    );
    drop(running);

    let running = Running::start(&data);
    let (status, stored) = running.call("GET", upload, None).await;
    assert_eq!(
        (status, &stored["upload"]["state"]),
        (200, &Value::from("stored")),
        "{stored}"
    );
}

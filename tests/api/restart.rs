//! `cargo run` whose plug is pulled: what was answered is there when it comes back.

use std::{path::Path, process::Command};

use serde_json::Value;

use support::{
    program::Program,
    sender::{MIB, association, bytes, offer},
};

/// The executable, as a user runs it.
struct Running {
    program: Program,
    http: reqwest::Client,
}

impl Running {
    fn start(data: &Path) -> Self {
        let mut command = Command::new(support::executable());
        let command = command.args(["--port", "0", "--data"]).arg(data);
        Self { program: Program::start(command), http: reqwest::Client::new() }
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let method = method.parse().unwrap();
        let request = self
            .http
            .request(method, format!("{}{path}", self.program.after("runs at ")))
            .bearer_auth(self.program.after("TOKEN="));
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
        let answer = self.http.put(part["href"].as_str().unwrap()).body(slice).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test]
async fn an_upload_goes_on_and_is_completed_after_the_plug_was_pulled_twice() {
    let folder = tempfile::tempdir_in(support::temporary()).unwrap();
    let data = folder.path().join("data");
    let file = bytes(16 * MIB + 10, 5);

    let running = Running::start(&data);
    let (status, offered) = running.call("PUT", &association(), Some(&offer(file.len()))).await;
    assert_eq!(status, 202, "{offered}");
    running.send_part(&offered["upload"]["parts"][0], &file).await;
    drop(running);

    let running = Running::start(&data);
    let upload = offered["upload"]["status"]["href"].as_str().unwrap();
    let (status, resumed) = running.call("GET", upload, None).await;
    assert_eq!((status, &resumed["upload"]["partsReceived"]), (200, &Value::from(1)), "{resumed}");
    running.send_part(&resumed["upload"]["parts"][0], &file).await;
    let complete = resumed["upload"]["complete"]["href"].as_str().unwrap();
    let (status, stored) = running.call("POST", complete, None).await;
    assert_eq!((status, &stored["dmsDocumentId"]), (200, &offered["dmsDocumentId"]), "{stored}");
    drop(running);

    let running = Running::start(&data);
    let (status, stored) = running.call("GET", upload, None).await;
    assert_eq!((status, &stored["upload"]["state"]), (200, &Value::from("stored")), "{stored}");
}

//! The relay: the standard's own requests, of any size.

use std::{
    io::{BufRead, BufReader},
    ops::Deref,
    path::PathBuf,
    process::Stdio,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::{Body, Response};
use serde_json::{Value, json};
use support::sender::{ASSOCIATION, BOUNDARY, OFFERING};

use crate::{MIB, Scene, peak_memory};

/// A running relay in front of a cloud.
pub(crate) struct Relay {
    scene: Scene,
    pub(crate) process: std::process::Child,
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
}

impl Deref for Relay {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Relay {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::before(Scene::new(), arguments)
    }

    /// A relay in front of this cloud, on a free port.
    pub(crate) fn before(scene: Scene, arguments: &[&str]) -> Self {
        let spool = scene.folder.path().join("spool");
        std::fs::create_dir_all(&spool).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_okd"));
        command.args(["relay", "--listen", "127.0.0.1:0", "--service", &scene.cloud.url, "--spool"]).arg(spool);
        let mut process = command.args(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let listens = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            line["url"].as_str().map(str::to_owned)
        });
        // Its log goes on to be read, or it would wait for a reader.
        std::thread::spawn(move || lines.for_each(|line| eprintln!("{}", line.unwrap_or_default())));
        Self { scene, process, url: listens.unwrap(), http: reqwest::Client::new() }
    }

    /// What it sends for a document on the association of the examples.
    pub(crate) fn put(&self, body: impl Into<Body>) -> reqwest::RequestBuilder {
        self.request("PUT", &format!("/okd/v1/associations/{ASSOCIATION}"), body)
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: impl Into<Body>) -> reqwest::RequestBuilder {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        let media = format!("multipart/form-data; boundary={BOUNDARY}");
        request.bearer_auth(&self.token).header("content-type", media).body(body)
    }
}

/// A form of these parts, in this order, each behind the rest of its Content-Disposition.
pub(crate) fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let headed = |(rest, bytes): &(&str, _)| (format!("content-disposition: form-data; {rest}"), *bytes);
    let headed: Vec<(String, &[u8])> = parts.iter().map(headed).collect();
    let parts: Vec<(&str, &[u8])> = headed.iter().map(|(heads, bytes)| (heads.as_str(), *bytes)).collect();
    support::sender::form(&parts)
}

pub(crate) const METADATA: &str = "name=\"metadata\"";
pub(crate) const FILE: &str = "name=\"file\"; filename=\"opname.mp4\"\r\ncontent-type: video/mp4";

/// The form of a document that is called so.
pub(crate) fn document(document_id: &str, file: &[u8]) -> Vec<u8> {
    form(&[(METADATA, crate::metadata(document_id).to_string().as_bytes()), (FILE, file)])
}

/// A body whose length is said nowhere.
fn chunked(body: Vec<u8>) -> Body {
    let body = Bytes::from(body);
    let pieces: Vec<Bytes> =
        (0..body.len()).step_by(100_000).map(|at| body.slice(at..body.len().min(at + 100_000))).collect();
    Body::wrap_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)))
}

pub(crate) async fn id(answer: Response) -> String {
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
    serde_json::from_str::<Value>(&text).unwrap()["dmsDocumentId"].as_str().unwrap().to_owned()
}

/// The status and the last word of the type of a problem.
pub(crate) async fn problem(answer: Response) -> (u16, String) {
    let media = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert_eq!(media, "application/problem+json", "{text}");
    let kind = serde_json::from_str::<Value>(&text).unwrap()["type"].as_str().unwrap().to_owned();
    (status, kind.rsplit(':').next().unwrap().to_owned())
}

fn bytes(path: &PathBuf) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn one_request_of_64_mib_is_one_document_wherever_its_metadata_stand_and_its_length_is_said() {
    let relay = Relay::start(&[]);
    let path = relay.file("recording", 64 * MIB);
    let file = bytes(&path);
    let mut ids = Vec::new();
    for (name, body) in [
        ("first", Body::from(document("first", &file))),
        ("last", form(&[(FILE, &file), (METADATA, crate::metadata("last").to_string().as_bytes())]).into()),
        ("chunked", chunked(document("chunked", &file))),
    ] {
        let answer = relay.put(body).send().await.unwrap();
        assert_eq!(answer.headers()["api-version"], "1.0.0", "{name}");
        let id = id(answer).await;
        relay.compare(&id, &path).await;
        let described = relay.described(&id).await;
        assert_eq!((&described["documentName"], &described["format"]), (&json!("opname.mp4"), &json!("video/mp4")));
        ids.push(id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
    let sent = relay.parts_sent().len();
    let again = relay.put(document("first", &file)).send().await.unwrap();
    assert_eq!(id(again).await, ids[0], "a repeat is the same document");
    assert_eq!(relay.parts_sent().len(), sent, "and is stored once");
    let peak = peak_memory(relay.process.id());
    assert!(peak < 100, "it held {peak} MiB");
    let spool: Vec<_> = std::fs::read_dir(relay.folder.path().join("spool")).unwrap().collect();
    assert!(spool.is_empty(), "nothing stays on its disk");
}

#[tokio::test]
async fn a_large_file_hangs_on_an_offering_a_person_and_takes_the_place_of_another() {
    let relay = Relay::start(&[]);
    let (first, second) = (relay.file("first", 5 * MIB), relay.file("second", 6 * MIB));
    let offering = json!({
        "offeringId": OFFERING, "offeringType": "component",
        "consumers": [{ "consumerKey": "nl-okd", "documentType": "examination", "documentId": "report" }],
    });
    for collection in ["offering", "offerings"] {
        let body = form(&[(METADATA, offering.to_string().as_bytes()), (FILE, &bytes(&first))]);
        let path = format!("/okd/v1/{collection}/{OFFERING}");
        let id = id(relay.request("POST", &path, body).send().await.unwrap()).await;
        relay.compare(&id, &first).await;
    }
    let person = json!({
        "personId": ASSOCIATION,
        "consumers": [{ "consumerKey": "nl-okd", "documentType": "other", "documentId": "letter" }],
    });
    let body = form(&[(METADATA, person.to_string().as_bytes()), (FILE, &bytes(&first))]);
    let letter = id(relay.request("PUT", &format!("/okd/v1/persons/{ASSOCIATION}"), body).send().await.unwrap()).await;

    let path = format!("/okd/v1/documents/{letter}");
    for (method, media) in [("PATCH", "application/pdf"), ("PUT", "application/octet-stream")] {
        let url = format!("{}{path}", relay.url);
        let request = relay.http.request(method.parse().unwrap(), url).bearer_auth(&relay.token);
        let answer = request.header("content-type", media).body(bytes(&second)).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{}", answer.text().await.unwrap());
    }
    relay.compare(&letter, &second).await;
    assert_eq!(relay.described(&letter).await["format"], "application/pdf");
}

#[tokio::test]
async fn everything_else_is_passed_on_as_it_is() {
    let relay = Relay::start(&[]);
    let small = relay.file("small", 1000);
    let direct = relay.http.get(format!("{}/okd/v1", relay.cloud.url)).send().await.unwrap();
    let passed = relay.http.get(format!("{}/okd/v1", relay.url)).send().await.unwrap();
    assert_eq!(passed.text().await.unwrap(), direct.text().await.unwrap());

    let id = id(relay.put(document("small", &bytes(&small))).send().await.unwrap()).await;
    let chunked_id = id_of_chunked(&relay, &bytes(&small)).await;
    assert_eq!(chunked_id, id);
    assert!(relay.parts_sent().is_empty(), "a small file goes in one request");
    let path = format!("{}/okd/v1/documents/{id}", relay.url);
    let get = || relay.http.get(&path).bearer_auth(&relay.token);
    let read = get().header("range", "bytes=10-19").send().await.unwrap();
    assert_eq!((read.status().as_u16(), &read.bytes().await.unwrap()[..]), (206, &bytes(&small)[10..20]));
    let etag = get().send().await.unwrap().headers()["etag"].clone();
    assert_eq!(get().header("if-none-match", etag).send().await.unwrap().status(), 304);
    let refused = relay.put(form(&[(METADATA, b"{}"), (FILE, b"x")])).send().await.unwrap();
    assert!(refused.headers().contains_key("x-amzn-requestid"));
    assert_eq!(problem(refused).await, (422, "invalid-metadata".to_owned()));
    let nowhere = relay.http.get(format!("{}/nowhere", relay.url)).send().await.unwrap();
    assert_eq!(problem(nowhere).await, (404, "no-such-route".to_owned()));
    let gone = relay.http.delete(&path).bearer_auth(&relay.token).send().await.unwrap();
    assert_eq!(gone.status(), 204);
}

async fn id_of_chunked(relay: &Relay, file: &[u8]) -> String {
    id(relay.put(chunked(document("small", file))).send().await.unwrap()).await
}

#[tokio::test]
async fn what_is_wrong_with_a_large_request_is_said_as_the_service_says_it() {
    let relay = Relay::start(&["--max-size", "8000000"]);
    let file = bytes(&relay.file("large", 5 * MIB));
    let with = |change: (&str, &str)| crate::metadata("wrong").to_string().replace(change.0, change.1).into_bytes();
    let size = with(("\"nl-okd\"", "\"nl-okd\",\"documentSize\":7"));
    let another_type = with(("examination", "diary"));
    let no_consumer = with(("nl-okd", "other"));
    let crc = with(("\"nl-okd\"", "\"nl-okd\",\"documentChecksum\":\"crc64nvme:0000000000000000\""));
    let long = vec![b' '; 70_000];
    let too_much = vec![0; 9_000_000];
    let encoded = "name=\"file\"\r\ncontent-transfer-encoding: base64";
    for (what, body, expected) in [
        ("another size", form(&[(METADATA, &size), (FILE, &file)]), (422, "size-mismatch")),
        ("no such type", form(&[(METADATA, &another_type), (FILE, &file)]), (422, "invalid-metadata")),
        ("no consumer", form(&[(METADATA, &no_consumer), (FILE, &file)]), (422, "invalid-metadata")),
        ("another checksum", form(&[(METADATA, &crc), (FILE, &file)]), (422, "checksum-mismatch")),
        ("no JSON", form(&[(METADATA, b"{"), (FILE, &file)]), (400, "malformed-json")),
        ("no UTF-8", form(&[(METADATA, b"{\"a\":\"\xff\"}"), (FILE, &file)]), (400, "malformed-json")),
        ("too much metadata", form(&[(METADATA, &long), (FILE, &file)]), (413, "metadata-too-large")),
        ("no metadata", form(&[(FILE, &file)]), (422, "invalid-form")),
        ("no file", form(&[(METADATA, b"{}"), ("name=\"x\"", &file)]), (422, "invalid-form")),
        ("two files", form(&[(FILE, &file), (FILE, b"x"), (METADATA, b"{}")]), (422, "invalid-form")),
        ("an encoded file", form(&[(encoded, &file), (METADATA, b"{}")]), (422, "invalid-form")),
        ("no end", document("wrong", &file)[..5_000_000].to_vec(), (400, "malformed-form")),
        ("too much", document("wrong", &too_much), (413, "document-too-large")),
    ] {
        for body in [Body::from(body.clone()), chunked(body)] {
            let answer = relay.put(body).send().await.unwrap();
            assert_eq!(problem(answer).await, (expected.0, expected.1.to_owned()), "{what}");
        }
    }
    for (token, expected) in [("nonsense", 401), ("", 401)] {
        let mut request = relay.put(document("wrong", &file)).build().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let answer = relay.http.execute(request).await.unwrap();
        assert!(answer.headers().contains_key("www-authenticate"));
        assert_eq!(problem(answer).await, (expected, "unauthenticated".to_owned()));
    }
    for (name, value, expected) in [
        ("content-encoding", "gzip", (415, "unsupported-media-type")),
        ("idempotency-key", "é", (400, "invalid-idempotency-key")),
    ] {
        let answer = relay.put(document("wrong", &file)).header(name, value.as_bytes()).send().await.unwrap();
        assert_eq!(problem(answer).await, (expected.0, expected.1.to_owned()), "{name}");
    }
    let path = "/okd/v1/associations/nonsense";
    let answer = relay.request("PUT", path, document("wrong", &file)).send().await.unwrap();
    assert_eq!(problem(answer).await, (400, "invalid-id".to_owned()));
    let path = "/okd/v1/documents/00000000-0000-4000-8000-000000000000";
    let answer = relay.request("PATCH", path, document("wrong", &file)).send().await.unwrap();
    assert_eq!(problem(answer).await, (415, "unsupported-media-type".to_owned()), "a form is no document's bytes");
    let scopes = relay.cloud.issuer.token("my-sis", "okd:bpvdocuments").unwrap();
    let mut request = relay.put(document("wrong", &file)).build().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {scopes}").parse().unwrap());
    let answer = relay.http.execute(request).await.unwrap();
    assert_eq!(problem(answer).await, (403, "missing-scope".to_owned()));
}

#[tokio::test]
async fn what_the_relay_refuses_it_words_as_the_service_does() {
    let relay = Relay::start(&[]);
    let large = vec![b'x'; 5 * MIB];
    let size = crate::metadata("wrong").to_string().replace("\"nl-okd\"", "\"nl-okd\",\"documentSize\":7");
    let other = "name=\"other\"";
    for (metadata, kind) in
        [(&b"{"[..], FILE), (size.as_bytes(), FILE), (b"{}", other), (b"{}", METADATA), (b"{}", "name*=\"file\"")]
    {
        let answered = async |file: &[u8]| {
            let answer = relay.put(form(&[(METADATA, metadata), (kind, file)])).send().await.unwrap();
            let problem: Value = answer.json().await.unwrap();
            [problem["type"].clone(), problem["title"].clone(), problem["status"].clone()]
        };
        assert_eq!(answered(&large).await, answered(b"small").await, "{kind}");
    }
}

#[tokio::test]
async fn an_idempotency_key_names_a_large_file_through_the_relay_too() {
    let relay = Relay::start(&[]);
    let (first, second) = (bytes(&relay.file("first", 5 * MIB)), bytes(&relay.file("second", 5 * MIB)));
    let unnamed = crate::metadata("x").to_string().replace("\"documentId\":\"x\",", "");
    let send = async |file: &[u8]| {
        let body = form(&[(METADATA, unnamed.as_bytes()), (FILE, file)]);
        relay.put(body).header("idempotency-key", "the-key").send().await.unwrap()
    };
    let one = id(send(&first).await).await;
    assert_eq!(id(send(&first).await).await, one);
    assert_eq!(problem(send(&second).await).await, (422, "idempotency-key-reused".to_owned()));
}

#[tokio::test]
async fn more_large_files_than_it_takes_at_once_are_told_to_come_again() {
    let relay = Relay::start(&["--max-files", "1", "--idle", "1"]);
    let file = bytes(&relay.file("large", 5 * MIB));
    // A sender that stops in the middle keeps its place until it has been silent for a second.
    let (sender, receiver) = futures_channel();
    let begun = relay.put(Body::wrap_stream(receiver)).header("content-length", 6 * MIB);
    let begun = tokio::spawn(begun.send());
    sender.send(Ok(Bytes::from(vec![b'-'; 1000]))).await.unwrap();
    crate::until("it is on its way", async || metric(&relay, "okd_relay_files_in_flight").await == 1).await;
    let refused = relay.put(document("second", &file)).send().await.unwrap();
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(problem(refused).await, (503, "try-again".to_owned()));
    let silent = begun.await.unwrap();
    // Some see the answer, and some that the connection is closed.
    assert!(silent.is_err() || silent.is_ok_and(|answer| answer.status() == 408));
    crate::until("its place is free", async || metric(&relay, "okd_relay_files_in_flight").await == 0).await;
    id(relay.put(document("second", &file)).send().await.unwrap()).await;
}

/// A body that is sent piece by piece.
fn futures_channel() -> (
    tokio::sync::mpsc::Sender<std::io::Result<Bytes>>,
    impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + 'static,
) {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    (sender, stream::unfold(receiver, async |mut pieces| Some((pieces.recv().await?, pieces))).boxed())
}

pub(crate) async fn metric(relay: &Relay, name: &str) -> u64 {
    let text = relay.http.get(format!("{}/relay/metrics", relay.url)).send().await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().parse().unwrap()
}

#[tokio::test]
async fn it_tells_its_health_and_is_asked_to_stop_without_losing_what_runs() {
    let mut relay = Relay::start(&[]);
    let health = relay.http.get(format!("{}/relay/health", relay.url)).send().await.unwrap();
    assert_eq!(health.status(), 200);
    let path = relay.file("recording", 20 * MIB);
    let body = document("running", &bytes(&path));
    let (sender, receiver) = futures_channel();
    let running = relay.put(Body::wrap_stream(receiver)).header("content-length", body.len());
    let running = tokio::spawn(running.send());
    let (beginning, rest) = body.split_at(MIB);
    sender.send(Ok(Bytes::copy_from_slice(beginning))).await.unwrap();
    crate::until("it is on its way", async || metric(&relay, "okd_relay_files_in_flight").await == 1).await;
    let asked = std::process::Command::new("kill").arg(relay.process.id().to_string()).status().unwrap();
    assert!(asked.success());
    crate::until("it takes no more", async || {
        relay.http.get(format!("{}/relay/health", relay.url)).send().await.is_err()
    })
    .await;
    sender.send(Ok(Bytes::copy_from_slice(rest))).await.unwrap();
    drop(sender);
    let id = id(running.await.unwrap().unwrap()).await;
    relay.compare(&id, &path).await;
    let ended = relay.process.wait().unwrap();
    assert!(ended.success(), "{ended}");
}

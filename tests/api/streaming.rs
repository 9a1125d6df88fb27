//! Where the gateway takes answers as streams, a large file comes in one answer, to a reader that sends its token and follows
//! no redirect.

use okd_local::{Cloud, sample, sender::Source};
use serde_json::json;
use support::{
    cloud::start,
    sender::{Sender, metadata, sha256, with},
};

const MIB: usize = 1 << 20;

fn streaming() -> &'static Cloud {
    start(|options| {
        options.parameters.insert("ResponseTransferMode".to_owned(), "RESPONSE_STREAM".to_owned());
    })
}

/// A document of this size, stored by parts: its path and its bytes.
async fn stored(sender: &Sender, size: usize) -> (String, Vec<u8>) {
    let mut bytes = vec![0; size];
    fastrand::Rng::with_seed(7).fill(&mut bytes);
    let token = sender.token.clone();
    let uploader = okd_local::sender::Sender::new(&sender.cloud.url, token);
    let message = with(&sample::metadata("opname.mp4", None), "documentSize", json!(size));
    let handed_in = uploader.hand_in_by_parts(&message, &Source::Bytes(bytes.clone().into())).await.unwrap();
    (format!("/okd/v1/documents/{}", handed_in.id), bytes)
}

fn get(sender: &Sender, path: &str) -> reqwest::RequestBuilder {
    sender.request("GET", path).bearer_auth(&sender.token)
}

#[tokio::test]
async fn a_large_file_comes_in_one_answer_and_is_never_held_whole() {
    let cloud = streaming();
    let sender = Sender::to(cloud);
    let (path, bytes) = stored(&sender, 64 * MIB).await;
    for range in [None, Some((5, 40 * MIB))] {
        let request = get(&sender, &path);
        let request = match range {
            Some((from, to)) => request.header("range", format!("bytes={from}-{to}")),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let expected = range.map_or(&bytes[..], |(from, to)| &bytes[from..=to]);
        assert_eq!(answer.status(), if range.is_some() { 206 } else { 200 });
        assert_eq!(answer.headers()["content-length"], expected.len().to_string());
        assert_eq!(
            answer.headers()["content-disposition"],
            "attachment; filename=\"opname.mp4\"; filename*=UTF-8''opname.mp4"
        );
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(sha256(&answer.bytes().await.unwrap()), sha256(expected));
    }
    let peak = cloud.functions["ApiFunction"].peak_memory();
    assert!(peak < 48 * MIB as u64, "{} MiB", peak / MIB as u64);
}

/// Cuts one part of the only file in the cloud's S3 short, as a broken disk would.
fn break_a_part(cloud: &Cloud) {
    let mut folders = vec![cloud.data.join("s3")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.len() == 16 * MIB as u64 {
                let file = std::fs::File::options().write(true).open(entry.path()).unwrap();
                return file.set_len(8 * MIB as u64).unwrap();
            }
        }
    }
    panic!("no part is there");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_to_its_end_breaks_off_for_its_reader_and_holds_nothing_else() {
    let cloud = streaming();
    let sender = Sender::to(cloud);
    let (path, bytes) = stored(&sender, 48 * MIB).await;
    break_a_part(cloud);
    let mut answer = get(&sender, &path).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut came = Vec::new();
    let end = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => came.extend_from_slice(&chunk),
            end => break end,
        }
    };
    assert!(end.is_err(), "{} bytes came, and the answer ended well", came.len());
    assert!(bytes.starts_with(&came), "there are other bytes among the {} that came", came.len());
    sender.call("GET", &format!("{path}/metadata")).await.ok();
}

#[tokio::test]
async fn a_reader_that_goes_in_the_midst_leaves_the_function_to_the_next() {
    let cloud = streaming();
    let sender = Sender::to(cloud);
    let (path, bytes) = stored(&sender, 32 * MIB).await;
    for _ in 0..4 {
        let mut answer = get(&sender, &path).send().await.unwrap();
        assert!(answer.chunk().await.unwrap().is_some());
        drop(answer);
    }
    let answer = get(&sender, &path).send().await.unwrap();
    let status = answer.status();
    let read = answer.bytes().await.unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&read[..read.len().min(1000)]));
    assert_eq!(read.len(), bytes.len());
}

#[tokio::test]
async fn every_other_answer_is_the_same_as_where_answers_are_not_streamed() {
    let sender = Sender::to(streaming());
    let id = sender.hand_in(&metadata(), b"an exam").await.ok().id();
    let path = format!("/okd/v1/documents/{id}");
    let read = sender.call("GET", &path).await.ok();
    assert_eq!(read.body, "an exam");
    let known = get(&sender, &path).header("if-none-match", read.headers["etag"].clone());
    assert_eq!(known.send().await.unwrap().status(), 304);
    assert_eq!(sender.call("GET", &format!("{path}/metadata")).await.ok().body["documentSize"], 7);
    assert_eq!(sender.call("HEAD", &path).await.headers["content-length"], "7");
    sender.hand_in(&json!({}), b"file").await.problem(422, "invalid-metadata");
    sender.call("PUT", "/okd/v1").await.problem(405, "method-not-allowed");
    assert_eq!(sender.call("DELETE", &path).await.status, 204);
    sender.call("GET", &path).await.problem(404, "no-such-document");
    let service = sender.request("GET", "/okd/v1").send().await.unwrap();
    assert_eq!(service.headers()["content-type"], "application/json");
}

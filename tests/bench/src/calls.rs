//! The calls to AWS that each use case makes, in their order.

use std::collections::BTreeMap;

use bytes::Bytes;
use okd_core::checksum::Checksum;
use okd_local::Result;
use okd_local::sample;
use serde_json::{Value, json};

use crate::{
    cloud::{Cloud, Wire},
    compare::GIB,
    contenders::Contender,
    events::Requests,
    function::Function,
};

/// Makes each request once, by a function that knows its tenant already.
pub(crate) async fn count(cloud: &Cloud) -> Result<BTreeMap<String, Vec<String>>> {
    let requests = Requests { token: cloud.token(Wire::Plain) };
    let mut counter =
        Counter { cloud, function: Contender::Ours.start(cloud, Wire::Plain, &[]).await?, counted: BTreeMap::new() };
    counter.count("PUT by parts, the first of a process", requests.offer(5), 202).await?;

    let stored = counter.count("PUT inline, new", requests.inline(b"%PDF-1.4 one"), 200).await?;
    let stored = stored["dmsDocumentId"].as_str().unwrap_or_default().to_owned();
    counter.count("GET metadata", requests.metadata(&stored), 200).await?;
    counter.count("GET list", requests.list(), 200).await?;

    let mut declared = sample::metadata("opname.mp4", Some(5));
    declared["consumers"][0]["documentChecksum"] = json!(Checksum::sha256(b"12345").to_string());
    let upload = counter.count("PUT by parts, new", requests.offer_of(&declared), 202).await?["upload"].take();
    counter.count("PUT by parts, repeated while parts are missing", requests.offer_of(&declared), 202).await?;
    counter.count("GET upload", requests.follow(&upload["status"]), 200).await?;
    counter.count("complete, too early", requests.follow(&upload["complete"]), 409).await?;
    send(&upload["parts"][0], b"12345").await?;
    counter.count("complete, where a SHA-256 was declared", requests.follow(&upload["complete"]), 202).await?;

    let undeclared = sample::metadata("opname.mp4", Some(5));
    let upload =
        counter.count("PUT by parts, new, no checksum", requests.offer_of(&undeclared), 202).await?["upload"].take();
    send(&upload["parts"][0], b"12345").await?;
    counter.count("complete", requests.follow(&upload["complete"]), 200).await?;
    counter.count("complete, repeated", requests.follow(&upload["complete"]), 200).await?;

    let mut crc = sample::metadata("opname.mp4", Some(5));
    crc["consumers"][0]["documentChecksum"] = json!(Checksum::crc64nvme(b"12345").to_string());
    let upload = counter.function.expect(requests.offer_of(&crc), 202).await?.body()?["upload"].take();
    send(&upload["parts"][0], b"12345").await?;
    counter.function.expect(requests.follow(&upload["complete"]), 200).await?;
    counter.count("PUT by parts, repeated when stored", requests.offer_of(&crc), 200).await?;

    let unsent = counter.function.expect(requests.offer(GIB), 202).await?.body()?["upload"].take();
    counter.count("DELETE upload, no part sent", requests.follow(&unsent["abort"]), 204).await?;
    let begun = counter.function.expect(requests.offer(GIB), 202).await?.body()?["upload"].take();
    let part = &begun["parts"][63];
    let size = usize::try_from(part["size"].as_u64().unwrap_or_default())?;
    send(part, &vec![0; size]).await?;
    counter.count("DELETE upload, a part sent", requests.follow(&begun["abort"]), 204).await?;
    Ok(counter.counted)
}

struct Counter<'a> {
    cloud: &'a Cloud,
    function: Function,
    counted: BTreeMap<String, Vec<String>>,
}

impl Counter<'_> {
    /// Sends a request that is answered with this status; gives the answer's JSON.
    async fn count(&mut self, what: &str, event: Bytes, status: u16) -> Result<Value> {
        let before = self.cloud.calls();
        let answered = self.function.expect(event, status).await?;
        self.counted.insert(what.to_owned(), self.cloud.calls_since(before));
        if status == 204 { Ok(Value::Null) } else { answered.body() }
    }
}

/// Sends a part, as senders do.
pub(crate) async fn send(part: &Value, bytes: &[u8]) -> Result<()> {
    let href = part["href"].as_str().ok_or("a part has no href")?;
    let answer = reqwest::Client::new().put(href).body(bytes.to_vec()).send().await?;
    Ok(answer.error_for_status().map(drop)?)
}

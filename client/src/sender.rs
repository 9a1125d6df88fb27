//! A school system as it should be: it hands in what it has and does not give up before it knows that it is
//! stored. It asks again where there is no answer, or one that says "again"; it believes a refusal.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    Error, Refused, Result,
    calls::{Answer, Calls, connections},
    message::{Message, OfFile},
    source::{Contents, INLINE, Source},
    tokens::Tokens,
};

/// The longest pause, a part of which is drawn, before it opens an upload again that another sender has ended.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The time that any part may take, and the slowest line on which a large one may take longer.
const PART_TIMEOUT: Duration = Duration::from_mins(1);
const SLOWEST_BYTES_PER_SECOND: u64 = 32 << 10;

/// A school system with its token.
pub struct Sender {
    pub(crate) calls: Calls,
    /// Parts sent at once; so many pieces of 256 KiB are in memory.
    pub parallel: usize,
    /// Told the length of each part that has arrived, and of each that had arrived before.
    pub arrived: Box<dyn Fn(u64) + Send + Sync>,
}

/// A document that the service has whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedIn {
    /// Its `dmsDocumentId`.
    pub id: String,
    /// True if it is stored; else its bytes have yet to be compared with what was declared.
    pub is_stored: bool,
}

/// The outcome of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The document is stored.
    Stored,
    /// It is there, and has yet to be compared with what was declared.
    Verifying,
    /// The upload ended, and another is to begin.
    Gone,
}

impl Sender {
    /// A sender to the service at `url`, with this token.
    pub fn new(url: &str, token: String) -> Self {
        Self::with_tokens(url, Tokens::fixed(token))
    }

    /// The same, with tokens that are got when they are needed.
    pub fn with_tokens(url: &str, tokens: Tokens) -> Self {
        Self::over(connections(), url, tokens)
    }

    /// The same, over [`connections`] that several senders share.
    pub fn over(http: reqwest::Client, url: &str, tokens: Tokens) -> Self {
        Self { calls: Calls::new(http, url, tokens), parallel: 4, arrived: Box::new(|_| ()) }
    }

    /// Has it go on asking for so long, where there is no answer; two minutes, if nothing else is said.
    pub fn set_patience(&mut self, patience: Duration) {
        self.calls.patience = patience;
    }

    /// Has it pause for at most so long before it asks again, also where an answer names a longer pause; half a second, if
    /// nothing else is said.
    pub fn set_longest_pause(&mut self, pause: Duration) {
        self.calls.longest_pause = pause;
    }

    /// Hands in a document, in the form that its size asks for, and comes back when it is stored. The same again, also by
    /// another process after this one was killed, goes on where it stopped.
    ///
    /// A checksum is declared, so that 200 means compared, unless the metadata has one. Up to [`INLINE`] the file goes
    /// inside the request.
    pub async fn put(&self, message: &Message, source: &Source, contents: &Contents) -> Result<HandedIn> {
        if let Some(sha256) = contents.sha256.as_ref().filter(|_| contents.size <= INLINE) {
            let checksum = format!("sha-256:{sha256}");
            let message =
                message.with_file(OfFile { size: contents.size, checksum: &checksum, ..OfFile::default() })?;
            let id = self.inline(message, source.name().as_deref().unwrap_or("file"), &source.whole().await?).await?;
            (self.arrived)(contents.size);
            return Ok(HandedIn { id, is_stored: true });
        }
        let checksum = contents.checksum_of_parts();
        let name = source.name();
        let of_file = OfFile { size: contents.size, checksum: &checksum, name: name.as_deref(), format: None };
        self.put_by_parts(&message.with_file(of_file)?, source).await
    }

    /// Form B, until the document is stored: a checksum that the service compares later than it answers is waited for.
    pub async fn put_by_parts(&self, message: &Message, source: &Source) -> Result<HandedIn> {
        let began = Instant::now();
        loop {
            let handed_in = self.hand_in_by_parts(message, source).await?;
            if handed_in.is_stored || began.elapsed() >= self.calls.patience {
                return Ok(handed_in);
            }
            self.calls.pause().await;
        }
    }

    /// Form A: everything in one request. Gives the `dmsDocumentId`.
    pub async fn hand_in_inline(&self, message: impl Into<Message>, file: &[u8]) -> Result<String> {
        self.inline(message.into(), "file", file).await
    }

    async fn inline(&self, message: Message, name: &str, file: &[u8]) -> Result<String> {
        // As browsers do it (HTML, "multipart form data"): a quotation mark would end the name.
        let name = name.replace('"', "%22").replace(['\r', '\n'], "");
        let mut body = form_part("metadata", "application/json", message.json.as_bytes());
        body.extend(form_part(&format!("file\"; filename=\"{name}"), "application/octet-stream", file));
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let (body, media) = (Bytes::from(body), format!("multipart/form-data; boundary={BOUNDARY}"));
        let filled = |request| named(request, &message).header("content-type", &media).body(body.clone());
        match self.calls.ask(Method::PUT, &message.resource.path(), filled).await? {
            (200, answer) => id_of(&answer),
            refused => Err(refusal(refused)),
        }
    }

    /// Replaces the bytes of a stored document, in one request.
    pub async fn replace(&self, id: &str, file: &Bytes) -> Result<()> {
        let filled =
            |request: RequestBuilder| request.header("content-type", "application/octet-stream").body(file.clone());
        done(self.calls.ask(Method::PATCH, &document(id), filled).await?)
    }

    /// The same, of bytes of any size, by parts. Comes back when they are stored.
    pub async fn replace_by_parts(&self, id: &str, of_file: OfFile<'_>, source: &Source) -> Result<()> {
        let OfFile { size, checksum, format, .. } = of_file;
        let mut offer = json!({ "documentSize": size, "documentChecksum": checksum });
        if let Some(format) = format {
            offer["format"] = format.into();
        }
        let began = Instant::now();
        loop {
            let answer = self.calls.ask(Method::PATCH, &document(id), |request| request.json(&offer)).await?;
            let end = match answer {
                (200 | 204, _) => End::Stored,
                (202, answer) => self.finish(source, answer["upload"].clone()).await?,
                refused => return Err(refusal(refused)),
            };
            if end == End::Stored {
                return Ok(());
            }
            if began.elapsed() >= self.calls.patience {
                return Err(Error::Unreachable("the new bytes are not stored yet".to_owned(), None));
            }
            self.calls.pause().await;
        }
    }

    /// Reports what became of an association.
    pub async fn report(&self, association: &str, message: &Value) -> Result<()> {
        let path = format!("/okd/v1/associations/{association}");
        done(self.calls.ask(Method::PATCH, &path, |request| request.json(message)).await?)
    }

    /// Deletes a document; where it is deleted already too.
    pub async fn delete(&self, id: &str) -> Result<()> {
        done(self.calls.ask(Method::DELETE, &document(id), |request| request).await?)
    }

    /// The metadata of a document, as the service has them.
    pub async fn metadata(&self, id: &str) -> Result<Value> {
        given(self.calls.ask(Method::GET, &format!("{}/metadata", document(id)), |request| request).await?)
    }

    /// The state of a document's upload, with fresh URLs of the parts that are missing.
    pub async fn status(&self, id: &str) -> Result<Value> {
        given(self.calls.ask(Method::GET, &format!("{}/upload", document(id)), |request| request).await?)
    }

    /// Ends the upload of a document.
    pub async fn abort(&self, id: &str) -> Result<()> {
        done(self.calls.ask(Method::DELETE, &format!("{}/upload", document(id)), |request| request).await?)
    }

    /// Goes on with an upload whose document is known, with the file that was declared for it.
    pub async fn resume(&self, id: &str, source: &Source, contents: &Contents) -> Result<End> {
        let upload = self.status(id).await?["upload"].clone();
        if let Some(size) = upload["documentSize"].as_u64().filter(|size| *size != contents.size) {
            let words = format!("the upload is of {size} bytes, and the file has {}", contents.size);
            return Err(Error::Usage(words));
        }
        match end_of(&upload) {
            Some(end) => Ok(end),
            None => self.finish(source, upload).await,
        }
    }

    /// Form B: the metadata, then the parts that are missing, then complete.
    pub async fn hand_in_by_parts(&self, message: impl Into<Message>, source: &Source) -> Result<HandedIn> {
        let message = message.into();
        let began = Instant::now();
        let mut known: Option<String> = None;
        let mut pause = Duration::from_millis(20);
        loop {
            let (status, answer) = self.offer(&message).await?;
            let id = match status {
                200 | 202 => id_of(&answer)?,
                _ => return Err(refusal((status, answer))),
            };
            if known.is_some_and(|known| known != id) {
                return Err(Error::Answer(format!("a document has two ids, {id} is one")));
            }
            let end = match status {
                200 => End::Stored,
                _ => self.finish(source, answer["upload"].clone()).await?,
            };
            if end != End::Gone {
                let is_stored = end == End::Stored;
                return Ok(HandedIn { id, is_stored });
            }
            known = Some(id);
            if began.elapsed() >= self.calls.patience {
                return Err(Error::Unreachable(
                    "the upload always ended before it could be completed".to_owned(),
                    None,
                ));
            }
            // Another sends the same document, and our next upload ends its: a pause lets it finish.
            tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// The first step of form B alone.
    pub async fn offer(&self, message: impl Into<Message>) -> Result<Answer> {
        let message = message.into();
        let filled =
            |request| named(request, &message).header("content-type", "application/json").body(message.json.clone());
        self.calls.ask(Method::PUT, &message.resource.path(), filled).await
    }

    /// Sends what is missing and completes.
    pub async fn finish(&self, source: &Source, mut upload: Value) -> Result<End> {
        self.tell_of_earlier(&upload);
        let mut progress = Instant::now();
        loop {
            let arrived = self.arrive(source, &upload).await?;
            if arrived.contains(&true) {
                progress = Instant::now();
            } else if progress.elapsed() >= self.calls.patience && !arrived.is_empty() {
                return Err(Error::Unreachable("S3 takes no part".to_owned(), None));
            }
            if arrived.contains(&false) {
                match self.follow(&upload["status"]).await? {
                    (200, answer) => {
                        upload = answer["upload"].clone();
                        match end_of(&upload) {
                            Some(end) => return Ok(end),
                            None => continue,
                        }
                    }
                    refused => return Err(refusal(refused)),
                }
            }
            // None is sent again while S3 joins them.
            upload["parts"] = json!([]);
            match self.follow(&upload["complete"]).await? {
                (200, _) => return Ok(End::Stored),
                (202, answer) if answer["upload"]["state"] == "verifying" => {
                    return Ok(End::Verifying);
                }
                (202, _) if progress.elapsed() >= self.calls.patience => {
                    return Err(Error::Unreachable("S3 is still joining the parts".to_owned(), None));
                }
                (202, _) => self.calls.pause().await,
                (409, answer) => upload = answer["upload"].clone(),
                (410, _) => return Ok(End::Gone),
                refused => return Err(refusal(refused)),
            }
        }
    }

    /// Sends the parts that an upload lists; says whether all have arrived. If not, S3 did not want one: its URL
    /// is too old, or the upload has ended.
    pub async fn send_parts(&self, source: &Source, upload: &Value) -> Result<bool> {
        Ok(!self.arrive(source, upload).await?.contains(&false))
    }

    /// Sends the parts that an upload lists; says of each whether it arrived.
    async fn arrive(&self, source: &Source, upload: &Value) -> Result<Vec<bool>> {
        let parts = upload["parts"].as_array().cloned().unwrap_or_default();
        let sent = stream::iter(parts).map(|part| self.send_part(source, part));
        sent.buffer_unordered(self.parallel.max(1)).try_collect().await
    }

    /// Follows a link of an upload, such as `complete`.
    pub async fn follow(&self, link: &Value) -> Result<Answer> {
        let method = link["method"].as_str().and_then(|method| method.parse().ok());
        let (Some(method), Some(href)) = (method, link["href"].as_str()) else {
            return Err(Error::Answer("a link has no method and href".to_owned()));
        };
        self.calls.ask(method, href, |request| request).await
    }

    /// No token and no headers but the length: the URL is the permission.
    async fn send_part(&self, source: &Source, part: Value) -> Result<bool> {
        let (Some(offset), Some(size), Some(href)) =
            (part["offset"].as_u64(), part["size"].as_u64(), part["href"].as_str())
        else {
            return Err(Error::Answer("the upload has a part without offset, size or href".to_owned()));
        };
        let timeout = PART_TIMEOUT + Duration::from_secs(size / SLOWEST_BYTES_PER_SECOND);
        let request = move || async move {
            let put = self.calls.http.put(href).header("content-length", size).timeout(timeout);
            Ok(put.body(source.slice(offset, size).await?))
        };
        let (status, _) = self.calls.ask_anew(request).await?;
        if status == 200 {
            (self.arrived)(size);
        }
        Ok(status == 200)
    }

    /// Tells of the bytes that had arrived before.
    fn tell_of_earlier(&self, upload: &Value) {
        let missing = upload["parts"].as_array().into_iter().flatten().filter_map(|part| part["size"].as_u64());
        if let (Some(size), true) = (upload["documentSize"].as_u64(), upload["parts"].is_array()) {
            (self.arrived)(size.saturating_sub(missing.sum()));
        }
    }
}

/// With the message's `Idempotency-Key`.
fn named(request: RequestBuilder, message: &Message) -> RequestBuilder {
    match &message.idempotency_key {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    }
}

/// How an upload ended, if it did: one that goes on has parts to be sent, or is to be completed.
fn end_of(upload: &Value) -> Option<End> {
    match upload["state"].as_str() {
        Some("uploading" | "received" | "completing") => None,
        Some("stored") => Some(End::Stored),
        Some("verifying") => Some(End::Verifying),
        _ => Some(End::Gone),
    }
}

/// The path of a document.
pub(crate) fn document(id: &str) -> String {
    format!("/okd/v1/documents/{id}")
}

/// An answer of which there is nothing to say (204).
fn done(answer: Answer) -> Result<()> {
    if answer.0 == 204 { Ok(()) } else { Err(refusal(answer)) }
}

/// The body of an answer of 200.
fn given((status, answer): Answer) -> Result<Value> {
    if status == 200 { Ok(answer) } else { Err(refusal((status, answer))) }
}

fn refusal((status, problem): Answer) -> Error {
    Refused { status, problem }.into()
}

const BOUNDARY: &str = "okd-client-boundary-b7c63a31e4d0";

fn form_part(name: &str, media: &str, bytes: &[u8]) -> Vec<u8> {
    let head =
        format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\ncontent-type: {media}\r\n\r\n");
    [head.as_bytes(), bytes, b"\r\n"].concat()
}

fn id_of(answer: &Value) -> Result<String> {
    let id = answer["dmsDocumentId"].as_str().filter(|id| uuid::Uuid::try_parse(id).is_ok());
    Ok(id.ok_or_else(|| Error::Answer(format!("the answer has no dmsDocumentId: {answer}")))?.to_owned())
}

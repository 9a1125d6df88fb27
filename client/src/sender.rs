//! A school system as it should be: it hands in what it has and does not give up before it knows that it is
//! stored. It asks again where there is no answer, or one that says "again"; it believes a refusal.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Body, Method, RequestBuilder};
use serde_json::Value;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, SeekFrom},
};
use tokio_util::io::ReaderStream;

use crate::{Error, Result};

/// Parts sent at once.
const PARALLEL: usize = 4;
/// Bytes read at once of each of them.
const PIECE: usize = 1 << 18;
/// The longest pause before it asks again; schools' systems are in less of a hurry.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause, a part of which is drawn, before it opens an upload again that another sender has ended.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The bytes of a document.
#[derive(Debug, Clone)]
pub enum Source {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File(PathBuf),
}

/// A school system with its token.
pub struct Sender {
    http: reqwest::Client,
    url: String,
    token: String,
    /// The time for which it goes on asking.
    pub patience: Duration,
    /// Outcome the length of each part that has arrived.
    pub arrived: Box<dyn Fn(u64) + Send + Sync>,
}

/// A document that the service has whole.
#[derive(Debug)]
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

/// The service said no, and why.
#[derive(Debug)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The problem document.
    pub problem: Value,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}: {}", self.status, self.problem)
    }
}

impl std::error::Error for Refused {}

impl Sender {
    /// A sender to the gateway at `url`.
    pub fn new(url: &str, token: String) -> Self {
        Self {
            http: reqwest::Client::new(),
            url: url.to_owned(),
            token,
            patience: Duration::from_mins(2),
            arrived: Box::new(|_| ()),
        }
    }

    /// Form A: everything in one request. Gives the `dmsDocumentId`.
    pub async fn hand_in_inline(&self, metadata: &Value, file: &[u8]) -> Result<String> {
        let json = metadata.to_string();
        let mut body = form_part("metadata", "application/json", json.as_bytes());
        body.extend(form_part("file\"; filename=\"file", "application/octet-stream", file));
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let (body, media) = (Bytes::from(body), format!("multipart/form-data; boundary={BOUNDARY}"));
        let request = || {
            let request = self.request(Method::PUT, &association(metadata));
            request.header("content-type", &media).body(body.clone())
        };
        match self.ask(request).await? {
            (200, answer) => id_of(&answer),
            (status, problem) => Err(Refused { status, problem }.into()),
        }
    }

    /// Replaces the bytes of a stored document, in one request.
    pub async fn replace(&self, id: &str, file: &Bytes) -> Result<()> {
        self.have_done(|| {
            let request = self.request(Method::PATCH, &format!("/okd/v1/documents/{id}"));
            request.header("content-type", "application/octet-stream").body(file.clone())
        })
        .await
    }

    /// Reports what became of an association.
    pub async fn report(&self, association: &str, message: &Value) -> Result<()> {
        let path = format!("/okd/v1/associations/{association}");
        self.have_done(|| self.request(Method::PATCH, &path).json(message)).await
    }

    /// Deletes a document; where it is deleted already too.
    pub async fn delete(&self, id: &str) -> Result<()> {
        self.have_done(|| self.request(Method::DELETE, &format!("/okd/v1/documents/{id}"))).await
    }

    /// Form B: the metadata, then the parts that are missing, then complete.
    pub async fn hand_in_by_parts(&self, metadata: &Value, source: &Source) -> Result<HandedIn> {
        let began = Instant::now();
        let mut known: Option<String> = None;
        let mut pause = Duration::from_millis(20);
        loop {
            let (status, answer) = self.offer(metadata).await?;
            let id = match status {
                200 | 202 => id_of(&answer)?,
                _ => {
                    return Err(Refused { status, problem: answer }.into());
                }
            };
            if known.is_some_and(|known| known != id) {
                return Err(format!("a document has two ids, {id} is one").into());
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
            if began.elapsed() >= self.patience {
                return Err("the upload always ended before it could be completed".into());
            }
            // Another sends the same document, and our next upload ends its: a pause lets it finish.
            tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// The first step of form B alone.
    pub async fn offer(&self, metadata: &Value) -> Result<(u16, Value)> {
        self.ask(|| self.request(Method::PUT, &association(metadata)).json(metadata)).await
    }

    /// Sends what is missing and completes.
    pub async fn finish(&self, source: &Source, mut upload: Value) -> Result<End> {
        loop {
            if !self.send_parts(source, &upload).await? {
                match self.follow(&upload["status"]).await? {
                    (200, answer) if answer["upload"]["parts"].is_array() => {
                        upload = answer["upload"].clone();
                        continue;
                    }
                    (200, answer) => {
                        return Ok(match answer["upload"]["state"].as_str() {
                            Some("stored") => End::Stored,
                            Some("verifying") => End::Verifying,
                            _ => End::Gone,
                        });
                    }
                    (status, problem) => return Err(Refused { status, problem }.into()),
                }
            }
            match self.follow(&upload["complete"]).await? {
                (200, _) => return Ok(End::Stored),
                (202, answer) if answer["upload"]["state"] == "verifying" => {
                    return Ok(End::Verifying);
                }
                (202, _) => tokio::time::sleep(PAUSE).await,
                (409, answer) => upload = answer["upload"].clone(),
                (410, _) => return Ok(End::Gone),
                (status, problem) => return Err(Refused { status, problem }.into()),
            }
        }
    }

    /// Sends the parts that an upload lists; says whether all have arrived. If not, S3 did not want one: its URL
    /// is too old, or the upload has ended.
    pub async fn send_parts(&self, source: &Source, upload: &Value) -> Result<bool> {
        let parts = upload["parts"].as_array().cloned().unwrap_or_default();
        let arrived = stream::iter(parts)
            .map(|part| self.send_part(source, part))
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<bool>>()
            .await?;
        Ok(arrived.into_iter().all(|arrived| arrived))
    }

    /// Follows a link of an upload, such as `complete`.
    pub async fn follow(&self, link: &Value) -> Result<(u16, Value)> {
        let method = link["method"].as_str().unwrap_or_default().parse()?;
        let href = link["href"].as_str().ok_or("a link has no href")?;
        self.ask(|| self.request(Method::clone(&method), href)).await
    }

    /// No token and no headers but the length: the URL is the permission.
    async fn send_part(&self, source: &Source, part: Value) -> Result<bool> {
        let (Some(offset), Some(size), Some(href)) =
            (part["offset"].as_u64(), part["size"].as_u64(), part["href"].as_str())
        else {
            return Err("the upload has a part without offset, size or href".into());
        };
        let request = move || async move {
            let put = self.http.put(href).header("content-length", size);
            Ok(put.body(source.slice(offset, size).await?))
        };
        let (status, _) = self.ask_anew(request).await?;
        if status == 200 {
            (self.arrived)(size);
        }
        Ok(status == 200)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// Has something done of which there is nothing to say (204).
    async fn have_done(&self, request: impl Fn() -> RequestBuilder) -> Result<()> {
        match self.ask(request).await? {
            (204, _) => Ok(()),
            (status, problem) => Err(Refused { status, problem }.into()),
        }
    }

    /// The first answer that is not "again".
    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> Result<(u16, Value)> {
        self.ask_anew(|| std::future::ready(Ok(request()))).await
    }

    /// The same, of a request that is made anew each time: what it reads is read again.
    async fn ask_anew<F: Future<Output = Result<RequestBuilder>>>(
        &self,
        request: impl Fn() -> F,
    ) -> Result<(u16, Value)> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(20);
        loop {
            let trouble = match request().await?.send().await {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    match answer.text().await {
                        Ok(text) if status < 500 && status != 429 => {
                            return Ok((status, serde_json::from_str(&text).unwrap_or_default()));
                        }
                        Ok(text) => format!("{status} {text}"),
                        Err(error) => error.to_string(),
                    }
                }
                // Without its URL, which may be a secret.
                Err(error) => error.without_url().to_string(),
            };
            if began.elapsed() >= self.patience {
                return Err(format!("given up; the last answer was: {trouble}").into());
            }
            tokio::time::sleep(pause).await;
            pause = PAUSE.min(pause * 2);
        }
    }
}

impl Source {
    /// A slice of them, to be sent. Of a file no more is in memory than is on its way, and the disk does not wait for the net.
    async fn slice(&self, offset: u64, size: u64) -> Result<Body> {
        match self {
            Self::Bytes(bytes) => {
                let (from, to) = (usize::try_from(offset)?, usize::try_from(offset + size)?);
                if to > bytes.len() {
                    return Err(Error::from("a part ends after the file"));
                }
                Ok(bytes.slice(from..to).into())
            }
            Self::File(path) => {
                let mut file = File::open(path).await?;
                file.seek(SeekFrom::Start(offset)).await?;
                Ok(Body::wrap_stream(ReaderStream::with_capacity(file.take(size), PIECE)))
            }
        }
    }
}

fn association(metadata: &Value) -> String {
    let id = metadata["associationId"].as_str().unwrap_or_default();
    format!("/okd/v1/associations/{id}")
}

const BOUNDARY: &str = "okd-local-sender-boundary";

fn form_part(name: &str, media: &str, bytes: &[u8]) -> Vec<u8> {
    let head =
        format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\ncontent-type: {media}\r\n\r\n");
    [head.as_bytes(), bytes, b"\r\n"].concat()
}

fn id_of(answer: &Value) -> Result<String> {
    let id = answer["dmsDocumentId"].as_str();
    Ok(id.ok_or("the answer has no dmsDocumentId")?.to_owned())
}

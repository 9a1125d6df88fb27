//! Reads a document back.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use reqwest::{Method, Response, StatusCode, header};
use serde_json::Value;
use tokio::{fs::File, io::AsyncWriteExt};

use crate::{
    Error, Refused, Result, Sender,
    calls::url_of,
    error::with_causes,
    sender::document,
    source::{Contents, Digests, cannot},
};

/// The time for which a connection may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// The time for an answer of the service's own, its body included: 4 MiB, or a redirect. It may stream 200 MB.
const ANSWER: Duration = Duration::from_mins(30);

impl Sender {
    /// Writes the bytes of a stored document into a new file, and compares them with the checksums that the service has of
    /// it. A connection that breaks is taken up where it broke. Where it fails, nothing is left at `path`.
    pub async fn get(&self, id: &str, path: &Path) -> Result<Contents> {
        let described = self.metadata(id).await?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = path.with_file_name(name);
        let got = self.read_into(&described, id, &part).await;
        if let Err(error) = got {
            // It may not be there.
            let _ = tokio::fs::remove_file(&part).await;
            return Err(error);
        }
        tokio::fs::rename(&part, path).await.map_err(|error| cannot(path, error))?;
        got
    }

    async fn read_into(&self, described: &Value, id: &str, path: &Path) -> Result<Contents> {
        // The version that was described, also where a newer one comes meanwhile.
        let source =
            format!("{}?version={}", document(id), described["ext"]["okd"]["version"].as_str().unwrap_or_default());
        let mut file = File::create(path).await.map_err(|error| cannot(path, error))?;
        let (mut digests, mut read) = (Digests::both(), 0);
        let mut progress = Instant::now();
        loop {
            let before = read;
            let trouble = match self.open(&source, read).await? {
                Ok(answer) => self.copy(answer, &mut file, &mut digests, &mut read, path).await?,
                Err(trouble) => Some(trouble),
            };
            let Some(trouble) = trouble else { break };
            if read > before {
                progress = Instant::now();
            }
            if progress.elapsed() >= self.calls.patience {
                return Err(Error::Unreachable(trouble, None));
            }
            self.calls.pause().await;
        }
        file.flush().await.map_err(|error| cannot(path, error))?;
        let contents = digests.finish();
        compare(described, &contents)?;
        Ok(contents)
    }

    /// Asks for the bytes from `from` on; the inner error is one after which to ask again.
    async fn open(&self, source: &str, from: u64) -> Result<Result<Response, String>> {
        let token = self.calls.tokens.get(&self.calls.http).await?;
        let range = format!("bytes={from}-");
        let with_range = |request: reqwest::RequestBuilder| match from {
            0 => request,
            _ => request.header(header::RANGE, &range),
        };
        let request = self.calls.http.request(Method::GET, url_of(&self.calls.url, source)).bearer_auth(token);
        let mut answer = match with_range(request).timeout(ANSWER).send().await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(with_causes(&error.without_url()))),
        };
        if answer.status() == StatusCode::TEMPORARY_REDIRECT {
            let location = answer.headers().get(header::LOCATION).and_then(|url| url.to_str().ok());
            let url = location.ok_or_else(|| Error::Answer("a redirect leads nowhere".to_owned()))?;
            // Without the token: the URL is the permission.
            let sent = tokio::time::timeout(SILENCE, with_range(self.calls.http.get(url)).send()).await;
            answer = match sent {
                Err(silent) => return Ok(Err(silent.to_string())),
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => return Ok(Err(with_causes(&error.without_url()))),
            };
        }
        match answer.status() {
            StatusCode::OK if from == 0 => Ok(Ok(answer)),
            StatusCode::PARTIAL_CONTENT => Ok(Ok(answer)),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Ok(Err(status.to_string()))
            }
            StatusCode::OK => Err(Error::Answer("a range was asked for, and all of it came".to_owned())),
            status => {
                let problem = answer.text().await.ok().and_then(|text| serde_json::from_str(&text).ok());
                Err(Refused { status: status.as_u16(), problem: problem.unwrap_or_default() }.into())
            }
        }
    }

    /// Copies what comes; what it broke off with, if it did.
    async fn copy(
        &self,
        answer: Response,
        file: &mut File,
        digests: &mut Digests,
        read: &mut u64,
        path: &Path,
    ) -> Result<Option<String>> {
        let mut pieces = answer.bytes_stream();
        loop {
            let piece = match tokio::time::timeout(SILENCE, pieces.next()).await {
                Err(silent) => return Ok(Some(silent.to_string())),
                Ok(None) => return Ok(None),
                Ok(Some(Ok(piece))) => piece,
                Ok(Some(Err(error))) => return Ok(Some(with_causes(&error.without_url()))),
            };
            digests.update(&piece);
            file.write_all(&piece).await.map_err(|error| cannot(path, error))?;
            *read += piece.len() as u64;
            (self.arrived)(piece.len() as u64);
        }
    }
}

/// Compares what was read with the size and the checksums that the service has.
fn compare(described: &Value, contents: &Contents) -> Result<()> {
    let size = described["documentSize"].as_u64();
    let mut checksums = described["ext"]["okd"]["checksums"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let same = size.is_none_or(|size| size == contents.size)
        && checksums.all(|known| match known.split_once(':') {
            Some(("sha-256", value)) => contents.sha256.as_deref() == Some(value),
            Some(("crc64nvme", value)) => value == contents.crc64nvme,
            _ => true,
        });
    if same { Ok(()) } else { Err(Error::Corrupt("the bytes that came are not those that are stored".to_owned())) }
}

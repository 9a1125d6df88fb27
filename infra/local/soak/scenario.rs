//! The scenarios of the soak: senders, what each does with its document, and what it knows in the end.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use fastrand::Rng;
use okd_core::checksum::Checksum;
use serde_json::{Value, json};

use crate::{
    Error, Result, sample,
    sender::{self, HandedIn, Refused, Sender, Source},
};

/// The scenarios of senders and their documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scenario {
    /// Form A.
    Inline,
    /// Form B.
    Parts,
    /// Either form, and the same again.
    Repeated,
    /// Either form, and then another file under the same key.
    Replaced,
    /// Form B with a CRC64NVME that is another file's.
    WrongCrc,
    /// Form B with a SHA-256 that is another file's.
    WrongSha,
    /// Form B, and its sender dies after the last part.
    DiesAtTheEnd,
    /// Form B, and its sender dies before the first.
    DiesAtOnce,
    /// Form A, by a sender that asks once and does not wait for what comes of it.
    AsksOnce,
}

/// The knowledge of a sender in the end.
pub(super) struct Outcome {
    pub(super) scenario: Scenario,
    /// The `dmsDocumentId` of each answer; none where none was waited for.
    pub(super) ids: Vec<String>,
    pub(super) bytes: u64,
    /// The content that must be current now; `None`: none may be.
    pub(super) current: Option<Checksum>,
    /// The contents that must have been replaced.
    pub(super) past: Vec<Checksum>,
    pub(super) corrupt: usize,
}

/// One document.
pub(super) struct One<'a> {
    pub(super) sender: &'a Sender,
    pub(super) impatient: &'a Sender,
    pub(super) handed_in: &'a Mutex<BTreeSet<String>>,
    pub(super) random: Rng,
}

impl One<'_> {
    pub(super) async fn hand_in(mut self) -> Result<Outcome> {
        let scenario = match self.random.u8(..100) {
            0..35 => Scenario::Inline,
            35..65 => Scenario::Parts,
            65..75 => Scenario::Repeated,
            75..88 => Scenario::Replaced,
            88..91 => Scenario::WrongCrc,
            91..94 => Scenario::WrongSha,
            94..96 => Scenario::DiesAtTheEnd,
            96..98 => Scenario::DiesAtOnce,
            _ => Scenario::AsksOnce,
        };
        let metadata = sample::metadata("verslag.pdf", None);
        let file = self.file();
        let sha256 = Checksum::sha256(&file);
        let mut outcome = Outcome {
            scenario,
            ids: Vec::new(),
            bytes: file.len() as u64,
            current: Some(sha256),
            past: Vec::new(),
            corrupt: 0,
        };
        match scenario {
            Scenario::Inline => outcome.ids.push(self.inline(&metadata, &file).await?),
            Scenario::Parts => outcome.ids.push(self.parts(&metadata, &file).await?),
            Scenario::Repeated => {
                outcome.ids.push(self.either(&metadata, &file).await?);
                outcome.ids.push(self.either(&metadata, &file).await?);
                // By parts and without a checksum the same file is another version.
                outcome.past = vec![sha256];
            }
            Scenario::Replaced => {
                outcome.ids.push(self.either(&metadata, &file).await?);
                let other = self.file();
                outcome.ids.push(self.either(&metadata, &other).await?);
                outcome.bytes += other.len() as u64;
                outcome.past = vec![sha256];
                outcome.current = Some(Checksum::sha256(&other));
            }
            Scenario::WrongCrc => {
                let wrong = declaring(&metadata, Checksum::crc64nvme(b"another file"));
                outcome.ids.push(self.offered(&wrong, &file).await?.0);
                let refused = self.parts_of(&wrong, &file).await;
                match refused {
                    Err(error) if is_422(&error) => {}
                    Err(error) => return Err(error),
                    Ok(_) => return Err("a wrong checksum was accepted".into()),
                }
                outcome.current = None;
            }
            Scenario::WrongSha => {
                let wrong = declaring(&metadata, Checksum::sha256(b"another file"));
                outcome.ids.push(self.offered(&wrong, &file).await?.0);
                match self.parts_of(&wrong, &file).await {
                    // The verification may be quicker than the answer.
                    Err(error) if !is_422(&error) => return Err(error),
                    Ok(handed_in) if handed_in.is_stored => {
                        return Err("bytes that nobody had compared were called stored".into());
                    }
                    _ => {}
                }
                outcome.current = None;
                outcome.corrupt = 1;
            }
            Scenario::DiesAtTheEnd => {
                let (id, upload) = self.offered(&metadata, &file).await?;
                self.sender.send_parts(&Source::Bytes(file), &upload).await?;
                outcome.ids.push(id);
            }
            Scenario::DiesAtOnce => {
                outcome.ids.push(self.offered(&metadata, &file).await?.0);
                outcome.current = None;
            }
            Scenario::AsksOnce => {
                let _ = self.impatient.hand_in_inline(&metadata, &file).await;
            }
        }
        Ok(outcome)
    }

    /// A file like no other: mostly small, some of several parts.
    fn file(&mut self) -> Bytes {
        let size = match self.random.u8(..200) {
            0 => self.random.usize(16 << 20..40 << 20),
            1..20 => self.random.usize(64 << 10..4 << 20),
            _ => self.random.usize(16..64 << 10),
        };
        let mut bytes = vec![0; size];
        self.random.fill(&mut bytes);
        let sha256 = Checksum::sha256(&bytes).to_string();
        let mut handed_in = self.handed_in.lock().unwrap_or_else(PoisonError::into_inner);
        handed_in.insert(sha256);
        bytes.into()
    }

    async fn either(&mut self, metadata: &Value, file: &Bytes) -> Result<String> {
        if self.random.bool() { self.inline(metadata, file).await } else { self.parts(metadata, file).await }
    }

    async fn inline(&mut self, metadata: &Value, file: &Bytes) -> Result<String> {
        if file.len() > 4 << 20 {
            return self.parts(metadata, file).await;
        }
        Ok(self.sender.hand_in_inline(metadata, file).await?)
    }

    async fn parts(&mut self, metadata: &Value, file: &Bytes) -> Result<String> {
        let metadata = match self.random.u8(..3) {
            0 => metadata.clone(),
            1 => declaring(metadata, Checksum::sha256(file)),
            _ => declaring(metadata, Checksum::crc64nvme(file)),
        };
        Ok(self.parts_of(&metadata, file).await?.id)
    }

    async fn parts_of(&self, metadata: &Value, file: &Bytes) -> Result<HandedIn> {
        let source = Source::Bytes(file.clone());
        Ok(self.sender.hand_in_by_parts(&sized(metadata, file), &source).await?)
    }

    async fn offered(&self, metadata: &Value, file: &Bytes) -> Result<(String, Value)> {
        match self.sender.offer(&sized(metadata, file)).await? {
            (202, answer) => {
                let id = answer["dmsDocumentId"].as_str().unwrap_or_default();
                Ok((id.to_owned(), answer["upload"].clone()))
            }
            (status, problem) => Err(Refused { status, problem }.into()),
        }
    }
}

pub(super) fn declaring(metadata: &Value, checksum: Checksum) -> Value {
    let mut metadata = metadata.clone();
    metadata["consumers"][0]["documentChecksum"] = json!(checksum);
    metadata
}

pub(super) fn sized(metadata: &Value, file: &Bytes) -> Value {
    let mut metadata = metadata.clone();
    metadata["consumers"][0]["documentSize"] = json!(file.len());
    metadata
}

pub(super) fn label(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Inline => "inline",
        Scenario::Parts => "by parts",
        Scenario::Repeated => "sent twice",
        Scenario::Replaced => "replaced by another file",
        Scenario::WrongCrc => "declared with a wrong CRC64NVME: refused",
        Scenario::WrongSha => "declared with a wrong SHA-256: found corrupt",
        Scenario::DiesAtTheEnd => "whose sender died after the last part: stored by the sweep",
        Scenario::DiesAtOnce => "whose sender died before the first part: expired",
        Scenario::AsksOnce => "inline, whose sender asked once and died: stored whole, or nothing left of them",
    }
}

fn is_422(error: &Error) -> bool {
    let refused = error.downcast_ref::<sender::Error>().and_then(sender::Error::refused);
    refused.is_some_and(|no| no.status == 422)
}

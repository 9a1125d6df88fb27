//! A stand-in for `GuardDuty`'s Malware Protection, where the template has a plan of it: it looks at each new object, leaves its
//! verdict in a tag of that, and tells it to the functions that the template subscribes. It knows the EICAR test file, and
//! what it cannot scan: a ZIP with a password.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    operation::get_object::GetObjectError,
    types::{Tag, Tagging},
};
use jiff::Timestamp;
use okd_core::stores::VERDICT_TAG;
use okd_faults::Faults;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    Result,
    delivery::{event, invoke},
    runtime::Function,
    template::Template,
};

/// The name by which an event of a verdict passes the fault layer.
pub const VERDICT: &str = "Verdict";
/// The `detail-type` of `GuardDuty`'s events.
const SCANNED: &str = "GuardDuty Malware Protection Object Scan Result";
/// The text of the test file of EICAR, in two pieces: this file must not be taken for it.
const EICAR: [&str; 2] = ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-", "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"];
/// The time between two looks of what waits here.
const PAUSE: Duration = Duration::from_millis(10);

/// The test file of EICAR, which every scanner takes for malware and no machine is harmed by.
pub fn eicar() -> Vec<u8> {
    EICAR.concat().into_bytes()
}

/// The scanner.
pub struct Scanner {
    s3: aws_sdk_s3::Client,
    bucket: String,
    faults: Arc<Faults>,
    subscribers: Vec<Arc<Function>>,
    is_down: AtomicBool,
    /// The objects that wait for their scan.
    waiting: AtomicUsize,
    queue: mpsc::UnboundedSender<Scanned>,
}

/// A version of an object.
struct Scanned {
    key: String,
    version: Option<String>,
}

impl Scanner {
    /// Starts it, where the template has a plan of `GuardDuty`'s, with what has no verdict yet.
    pub(crate) async fn start(
        template: &Template,
        function: impl Fn(&str) -> Option<Arc<Function>>,
        faults: Arc<Faults>,
        s3: aws_sdk_s3::Client,
        bucket: String,
    ) -> Result<Option<Arc<Self>>> {
        if template.resources("AWS::GuardDuty::MalwareProtectionPlan").next().is_none() {
            return Ok(None);
        }
        let rules = template.events("EventBridgeRule");
        let of_scans = rules.filter(|(_, rule)| rule["Pattern"]["detail-type"][0] == SCANNED);
        let subscribers = of_scans.filter_map(|(name, _)| function(name)).collect();
        let (queue, mut objects) = mpsc::unbounded_channel();
        let (is_down, waiting) = (AtomicBool::new(false), AtomicUsize::new(0));
        let scanner = Arc::new(Self { s3, bucket, faults, subscribers, is_down, waiting, queue });
        scanner.take_up().await?;
        let scans = scanner.clone();
        tokio::spawn(async move {
            while let Some(object) = objects.recv().await {
                while scans.is_down.load(Ordering::SeqCst) {
                    tokio::time::sleep(PAUSE).await;
                }
                // S3 may be at fault for a while.
                while let Err(error) = scans.scan(&object).await {
                    tracing::warn!(%error, "an object could not be scanned yet");
                    tokio::time::sleep(PAUSE).await;
                }
                scans.waiting.fetch_sub(1, Ordering::SeqCst);
            }
        });
        Ok(Some(scanner))
    }

    /// Takes it down, or up again: then it looks at what came meanwhile.
    pub fn down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    /// Returns when nothing waits for it.
    pub async fn drained(&self) {
        while self.waiting.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Has it look at an object some time.
    pub(crate) fn enqueue(&self, key: String, version: Option<String>) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        // It is there as long as the process.
        let _ = self.queue.send(Scanned { key, version });
    }

    /// Takes up what was there before it, and that it had not scanned when it ended.
    async fn take_up(&self) -> Result<()> {
        let list = self.s3.list_objects_v2().bucket(&self.bucket);
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page?.contents() {
                let key = object.key().unwrap_or_default();
                let tags = self.s3.get_object_tagging().bucket(&self.bucket).key(key).send().await?;
                if tags.tag_set().iter().all(|tag| tag.key() != VERDICT_TAG) {
                    self.enqueue(key.to_owned(), None);
                }
            }
        }
        Ok(())
    }

    async fn scan(&self, Scanned { key, version }: &Scanned) -> Result<()> {
        let get = self.s3.get_object().bucket(&self.bucket).key(key).set_version_id(version.clone());
        let object = match get.send().await.map_err(SdkError::into_service_error) {
            Ok(object) => object,
            // One that is gone needs no verdict.
            Err(GetObjectError::NoSuchKey(_)) => return Ok(()),
            Err(error) if error.code() == Some("NoSuchVersion") => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let result = judge(object.body).await?;
        let tag = Tag::builder().key(VERDICT_TAG).value(result).build()?;
        let tags = Tagging::builder().tag_set(tag).build()?;
        let put = self.s3.put_object_tagging().bucket(&self.bucket).key(key).set_version_id(version.clone());
        put.tagging(tags).send().await?;
        let event = self.event(key, version.as_deref(), result).to_string();
        for _ in 0..self.faults.deliveries(VERDICT) {
            for function in &self.subscribers {
                invoke(function, &event).await;
            }
        }
        Ok(())
    }

    fn event(&self, key: &str, version: Option<&str>, result: &str) -> Value {
        let detail = json!({
            "schemaVersion": "1.0",
            "scanStatus": if result == UNSUPPORTED { "SKIPPED" } else { "COMPLETED" },
            "resourceType": "S3_OBJECT",
            "s3ObjectDetails": { "bucketName": self.bucket, "objectKey": key, "versionId": version },
            "scanResultDetails": { "scanResultStatus": result, "threats": null },
        });
        event("aws.guardduty", SCANNED, Timestamp::now(), &detail)
    }
}

const UNSUPPORTED: &str = "UNSUPPORTED";

/// The verdict on these bytes, in `GuardDuty`'s words.
async fn judge(mut bytes: aws_sdk_s3::primitives::ByteStream) -> Result<&'static str> {
    let eicar = eicar();
    // The end of what was read before: the text may lie across two pieces.
    let mut window = Vec::new();
    let mut is_first = true;
    while let Some(piece) = bytes.try_next().await? {
        if is_first && has_password(&piece) {
            return Ok(UNSUPPORTED);
        }
        is_first = false;
        window.extend_from_slice(&piece);
        if window.windows(eicar.len()).any(|text| text == eicar) {
            return Ok("THREATS_FOUND");
        }
        let kept = window.len().min(eicar.len() - 1);
        window.drain(..window.len() - kept);
    }
    Ok("NO_THREATS_FOUND")
}

/// Returns whether a ZIP begins here whose first entry is encrypted (APPNOTE.TXT, 4.4.4: bit 0 of the flags).
fn has_password(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") && bytes.get(6).is_some_and(|flags| flags & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_it_knows_is_found_wherever_it_lies() {
        let among = [vec![0; 70_000], eicar(), vec![1; 70_000]].concat();
        for (bytes, expected) in [
            (eicar(), "THREATS_FOUND"),
            (among, "THREATS_FOUND"),
            (b"PK\x03\x04\x14\x00\x01\x00".to_vec(), UNSUPPORTED),
            (b"PK\x03\x04\x14\x00\x00\x00".to_vec(), "NO_THREATS_FOUND"),
            (b"an exam".to_vec(), "NO_THREATS_FOUND"),
            (Vec::new(), "NO_THREATS_FOUND"),
        ] {
            assert_eq!(judge(bytes.into()).await.unwrap(), expected);
        }
    }
}

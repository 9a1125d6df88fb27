//! The invariants of the whole cloud: what must hold after any fault.
//!
//! - Every content that an item names, current or replaced, has its object, and its bytes are what the item
//!   says and one of the files that were handed in: nothing is missing, different or mixed.
//! - Nothing is pending without being listed by the index, and the index lists nothing else.
//! - No object and no multipart upload is there that no item points to.
//! - The tenants' counters come to what is open.
//! - Every document is found by the ids that its metadata has and by the day to which it is to be kept, and by no other.
//! - Every document knows what was last reported of the enrolment that it is about.
//! - The changes of a document are each later than the one before.
//! - Every change of a document has been announced, and the announcements alone tell its current content and
//!   the day to which it is to be kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use okd_core::{
    checksum::{Checksum, Digest},
    document::{Content, Verification},
    ids::{DocumentKey, ObjectKey},
    stores::{ItemKey, QUEUES},
};

use crate::{
    Cloud, Result,
    announced::Announced,
    named::{Item, Named, text},
    setup,
};

/// The state of all documents, and the faults in it.
#[derive(Debug, Default)]
pub struct Findings {
    /// Every document by its id, with the SHA-256 of each of its contents.
    pub documents: BTreeMap<String, Stored>,
    /// The faults, in words.
    pub faults: Vec<String>,
    /// The number of objects.
    pub objects: usize,
}

/// The contents of one document.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The current one.
    pub current: Option<Checksum>,
    /// Those that were current once, the oldest first; refused ones are not among them.
    pub past: Vec<Checksum>,
    /// True if the current one has yet to be verified or screened.
    pub unverified: bool,
    /// The number of contents that were found to be corrupt, or quarantined.
    pub corrupt: usize,
    /// True if an upload is pending.
    pub uploading: bool,
}

/// Lets everything end before the invariants are checked: the events are delivered, late calls arrive, the clock
/// ticks once when everything is due, and the bucket's lifecycle rule has its turn.
pub async fn drain(cloud: &Cloud) -> Result<()> {
    const DAY: Duration = Duration::from_hours(24);
    cloud.events.pause(false);
    cloud.events.drained().await;
    cloud.faults.idle().await;
    // A late call may have made an object.
    cloud.events.drained().await;
    if let Some(scanner) = &cloud.scanner {
        scanner.down(false);
        scanner.drained().await;
    }
    // Past the 35 days of an orphan that the listing found.
    let swept = cloud.tick(Timestamp::now() + 40 * DAY).await;
    swept.map_err(|failed| format!("the sweep failed: {failed:?}"))?;
    cloud.events.drained().await;
    if let Some(stream) = &cloud.stream {
        stream.drained().await?;
    }
    if let Some(s3) = cloud.s3.clone() {
        let lifecycle = move || s3.run_lifecycle(SystemTime::now() + 4 * DAY);
        tokio::task::spawn_blocking(lifecycle).await??;
    }
    Ok(())
}

/// Checks everything. `handed_in` are the SHA-256 of all files that were ever sent.
pub async fn check_invariants(cloud: &Cloud, handed_in: &BTreeSet<String>) -> Result<Findings> {
    // Clients of our own: a connection dies with the runtime that drives it.
    let dynamodb = setup::dynamodb_client(&cloud.dynamodb_url, &cloud.access_key);
    let s3 = setup::s3_client(&cloud.s3_url, &cloud.access_key);
    let scan = dynamodb.scan().table_name(&cloud.table);
    let items: Vec<Item> = scan.consistent_read(true).into_paginator().items().send().collect::<Result<_, _>>().await?;
    let mut findings = Findings::default();
    let named = Named::read(items, cloud.scanner.is_some())?;
    for key in &named.uploading {
        findings.stored(key).uploading = true;
    }
    let listed = listed(cloud, &dynamodb).await?;
    if listed != named.pending {
        let difference: Vec<_> = listed.symmetric_difference(&named.pending).collect();
        let fault = format!("the index and the items differ in {difference:?}");
        findings.faults.push(fault);
    }
    let wrong = named.counters.iter().filter(|(_, wrong)| **wrong != 0);
    findings.faults.extend(wrong.map(|(item, wrong)| format!("the counter {item:?} is wrong by {wrong}")));
    let wrong = named.links.symmetric_difference(&named.entries);
    findings
        .faults
        .extend(wrong.map(|entry| format!("the entry {entry:?} and the document that it leads to do not agree")));
    let wrong = named.wrong_pointers();
    findings.faults.extend(wrong.map(|object| format!("the history does not lead to {object}")));
    for (document, id, known) in &named.enrollments {
        let reported = named.reported.get(&(document.tenant.clone(), *id)).copied().flatten();
        if *known != reported {
            findings
                .faults
                .push(format!("{document:?} knows {known:?} of an enrolment, and {reported:?} was reported"));
        }
    }
    findings.check_announced(&Announced::read(&cloud.data)?, &named);
    findings.read_objects(&s3, &cloud.bucket, named.contents, handed_in).await;
    findings.find_strays(&s3, &cloud.bucket, &named.objects, &named.uploads).await?;
    Ok(findings)
}

impl Findings {
    /// Compares what was announced with what the items say.
    fn check_announced(&mut self, announced: &Announced, named: &Named) {
        let silent = named.concerning.iter();
        let silent = silent.filter(|(document, moment)| !announced.has(document, moment));
        self.faults.extend(silent.map(|change| format!("{change:?} was not announced")));
        let mut current: BTreeMap<String, ObjectKey> = BTreeMap::new();
        for (key, content, is_current) in &named.contents {
            let object = key.object(&content.content_id);
            if *is_current {
                current.insert(key.id.to_string(), object);
            } else if content.refusal().is_some() && !announced.is_refused(object.as_str()) {
                self.faults.push(format!("{object} was not announced to be refused"));
            }
        }
        for (document, changes) in &named.changes {
            if !changes.iter().is_sorted_by(|one, next| one.1 < next.1) {
                self.faults.push(format!("the history of {document} runs backwards: {changes:?}"));
            }
            let until = named.kept_until.get(document).map(String::as_str);
            let known = announced.kept_until(document, changes);
            // Of one that was removed since, nothing is said.
            if let Some(known) = known.filter(|known| *known != until && current.contains_key(document)) {
                self.faults.push(format!("{document} is known to be kept until {known:?}, and is until {until:?}"));
            }
            let known = announced.current(document, changes);
            let current = current.get(document).map(ObjectKey::as_str);
            if known != current {
                self.faults.push(format!("of {document} {known:?} is known to be current, and {current:?} is"));
            }
        }
    }

    /// Reads every content back.
    async fn read_objects(
        &mut self,
        s3: &aws_sdk_s3::Client,
        bucket: &str,
        contents: Vec<(DocumentKey, Content, bool)>,
        handed_in: &BTreeSet<String>,
    ) {
        let read = async |(key, content, current): (DocumentKey, Content, bool)| {
            let object = key.object(&content.content_id);
            let found = digest(s3, bucket, object.as_str()).await;
            (key, content, current, object, found)
        };
        let mut read = std::pin::pin!(stream::iter(contents).map(read).buffered(8));
        while let Some((key, content, current, object, found)) = read.next().await {
            let Ok((size, sha256)) = found else {
                self.faults.push(format!("{object} is missing"));
                continue;
            };
            let is_sha256 = |checksum: &&Checksum| matches!(checksum, Checksum::Sha256(_));
            let mut known = content.checksums.iter().filter(is_sha256);
            let verified = content.verification == Verification::Done;
            if size != content.size || (verified && known.any(|known| *known != sha256)) {
                self.faults.push(format!("{object} is not what its item says"));
            }
            if !handed_in.contains(&sha256.to_string()) {
                self.faults.push(format!("{object} is no file that was handed in"));
            }
            let stored = self.stored(&key);
            if current {
                stored.current = Some(sha256);
                stored.unverified = content.unverified().is_some() || content.is_unscreened();
            } else if content.refusal().is_some() {
                stored.corrupt += 1;
            } else {
                stored.past.push(sha256);
            }
        }
    }

    /// Looks for what is in the bucket and in no item.
    async fn find_strays(
        &mut self,
        s3: &aws_sdk_s3::Client,
        bucket: &str,
        objects: &BTreeSet<ObjectKey>,
        uploads: &BTreeSet<String>,
    ) -> Result<()> {
        let list = s3.list_objects_v2().bucket(bucket);
        let known: BTreeSet<&str> = objects.iter().map(ObjectKey::as_str).collect();
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page?.contents() {
                let key = object.key().unwrap_or_default();
                self.objects += 1;
                if !known.contains(key) {
                    self.faults.push(format!("nothing points to the object {key}"));
                }
            }
        }
        // The first 1,000: more are more than there should be anyway.
        let open = s3.list_multipart_uploads().bucket(bucket).send().await?;
        for upload in open.uploads() {
            let id = upload.upload_id().unwrap_or_default();
            if !uploads.contains(id) {
                let key = upload.key().unwrap_or_default();
                self.faults.push(format!("nothing points to the upload {id} of {key}"));
            }
        }
        Ok(())
    }

    fn stored(&mut self, key: &DocumentKey) -> &mut Stored {
        self.documents.entry(key.id.to_string()).or_default()
    }
}

/// Every entry of the index, however far in the future it is due.
async fn listed(cloud: &Cloud, dynamodb: &aws_sdk_dynamodb::Client) -> Result<BTreeSet<ItemKey>> {
    let mut listed = BTreeSet::new();
    for queue in 0..QUEUES {
        let query = dynamodb.query().table_name(&cloud.table).index_name("due");
        let query = query
            .key_condition_expression("queue = :queue")
            .expression_attribute_values(":queue", AttributeValue::S(queue.to_string()));
        let mut items = query.into_paginator().items().send();
        while let Some(item) = items.next().await {
            let item = item?;
            listed.insert(ItemKey { pk: text(&item, "pk"), sk: text(&item, "sk") });
        }
    }
    Ok(listed)
}

/// The size and SHA-256 of an object, read once and never held whole.
pub async fn digest(s3: &aws_sdk_s3::Client, bucket: &str, key: &str) -> Result<(u64, Checksum)> {
    let mut body = s3.get_object().bucket(bucket).key(key).send().await?.body;
    let mut sha256 = Digest::sha256();
    let mut size = 0;
    while let Some(chunk) = body.try_next().await? {
        size += chunk.len() as u64;
        sha256.update(&chunk);
    }
    Ok((size, sha256.finish()))
}

//! A cloud, a school system, and the findings in the end.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use jiff::Timestamp;
use okd_core::{
    Stores,
    checksum::Checksum,
    ids::DocumentKey,
    stores::{Documents, Files},
    use_cases,
};
use okd_faults::{Call, Fault};
use okd_local::{
    Cloud,
    events::EVENT,
    invariants::{Findings, Stored, check_invariants, drain},
    sample,
    sender::{Sender, Source},
    setup,
};
use serde_json::{Value, json};

use support::cloud::own_cloud;

pub(crate) const MIB: usize = 1 << 20;
/// Two parts, the second a small one.
pub(crate) const TWO_PARTS: usize = 16 * MIB + 1000;

/// One cloud and who sends to it.
pub(crate) struct Harness {
    pub(crate) cloud: &'static Cloud,
    pub(crate) sender: Sender,
    /// The same school system on a bad day: it asks once.
    pub(crate) impatient: Sender,
    handed_in: Mutex<BTreeSet<String>>,
}

/// A document to hand in: its metadata, under a key of its own.
#[derive(Clone)]
pub(crate) struct Message(pub(crate) Value);

/// The bytes of a document.
#[derive(Clone)]
pub(crate) struct TestFile(pub(crate) Bytes);

impl Harness {
    pub(crate) fn new() -> Self {
        Self::of(own_cloud())
    }

    pub(crate) fn of(cloud: &'static Cloud) -> Self {
        // What is announced of one case is not to be among the calls of the next.
        pause_stream(cloud, true);
        let token = cloud.issuer.token("test-sis", "okd:examdocuments okd:enrollmentderollment").unwrap();
        let mut impatient = Sender::new(&cloud.url, token.clone());
        impatient.set_patience(Duration::ZERO);
        Self { cloud, sender: Sender::new(&cloud.url, token), impatient, handed_in: Mutex::default() }
    }

    /// Bytes like no others, which the findings then know.
    pub(crate) fn file(&self, size: usize) -> TestFile {
        static SEED: AtomicU64 = AtomicU64::new(1);
        let seed = SEED.fetch_add(1, Ordering::Relaxed);
        let file = TestFile::random(size, &mut fastrand::Rng::with_seed(seed));
        self.know(file.sha256());
        file
    }

    pub(crate) fn know(&self, sha256: Checksum) {
        self.handed_in.lock().unwrap().insert(sha256.to_string());
    }

    pub(crate) async fn inline(&self, message: &Message, file: &TestFile) -> String {
        self.sender.hand_in_inline(&message.0, &file.0).await.unwrap()
    }

    /// Reports that the enrolment which the message is about is in this state.
    pub(crate) async fn report(&self, message: &Message, state: &str) {
        let association = message.0["associationId"].as_str().unwrap();
        self.sender.report(association, &json!({ "state": state })).await.unwrap();
    }

    /// Has the operator destroy a document.
    pub(crate) async fn destroy(&self, id: &str) {
        let cloud = self.cloud;
        let dynamodb = setup::dynamodb_client(&cloud.dynamodb_url, &cloud.access_key);
        let s3 = setup::s3_client(&cloud.s3_url, &cloud.access_key);
        let documents = Documents::of(dynamodb, cloud.table.clone());
        let (files, screens) = (Files::of(s3, cloud.bucket.clone()), cloud.scanner.is_some());
        let stores = Stores { documents, files, screens };
        let key = DocumentKey::parse("local-school", id).unwrap();
        assert!(use_cases::destroy(&stores, &key, Timestamp::now()).await.unwrap());
    }

    pub(crate) async fn by_parts(&self, message: &Message, file: &TestFile) -> String {
        let message = message.of_size(file);
        let source = Source::Bytes(file.0.clone());
        self.sender.hand_in_by_parts(&message.0, &source).await.unwrap().id
    }

    /// Form B's first step, then `parts` of the parts: the document's id and the upload.
    pub(crate) async fn offer(&self, message: &Message, file: &TestFile, parts: usize) -> (String, Value) {
        let (status, answer) = self.sender.offer(&message.of_size(file).0).await.unwrap();
        assert_eq!(status, 202, "{answer}");
        let mut upload = answer["upload"].clone();
        let all = upload["parts"].as_array().unwrap().clone();
        upload["parts"] = json!(all[..parts]);
        let source = Source::Bytes(file.0.clone());
        assert!(self.sender.send_parts(&source, &upload).await.unwrap());
        upload["parts"] = json!(all);
        (answer["dmsDocumentId"].as_str().unwrap().to_owned(), upload)
    }

    /// Strikes the clock so much later than now, as often as it takes to have it heard.
    pub(crate) async fn tick(&self, later: Duration) {
        for _ in 0..20 {
            if self.cloud.tick(Timestamp::now() + later).await.is_ok() {
                return;
            }
        }
        panic!("the clock is not heard");
    }

    /// Has the bucket looked through so much later than now, as often as it takes.
    pub(crate) async fn look_through(&self, later: Duration) {
        for _ in 0..20 {
            let time = Timestamp::now() + later;
            if self.cloud.look_through(time).await.is_ok() {
                return;
            }
        }
        panic!("the bucket is not looked through");
    }

    /// The findings in the end, when everything has settled; there must be no fault in them.
    pub(crate) async fn close(&self) -> Findings {
        pause_stream(self.cloud, false);
        drain(self.cloud).await.unwrap();
        pause_stream(self.cloud, true);
        let handed_in = self.handed_in.lock().unwrap().clone();
        let findings = check_invariants(self.cloud, &handed_in).await.unwrap();
        assert!(findings.faults.is_empty(), "{:#?}", findings.faults);
        findings
    }

    /// Has everything announced that is to be.
    pub(crate) async fn announce(&self) {
        pause_stream(self.cloud, false);
        self.cloud.stream.as_ref().unwrap().drained().await.unwrap();
        pause_stream(self.cloud, true);
    }

    /// Plants one fault for the next call of this kind of the api function.
    pub(crate) fn next(&self, operation: &str, fault: Fault) {
        let call = call("ApiFunction", operation);
        self.cloud.faults.inject(call, 0, 1, fault);
    }

    /// Loses the event of a new object, after `skip` others.
    pub(crate) fn lose_an_event(&self, skip: usize) {
        self.cloud.faults.inject(call("", EVENT), skip, 1, Fault::Never);
    }

    /// A request of form A that dies before its item is written, and is not sent again.
    pub(crate) async fn strand(&self, message: &Message, file: &TestFile) {
        self.next("PutObject", Fault::KillAfter);
        let sent = self.impatient.hand_in_inline(&message.0, &file.0).await;
        sent.unwrap_err();
    }

    /// An upload that is joined and then aborted, and S3 not told: its object stays. The document's id.
    /// (Events must be paused, or else the object's would be quicker.)
    pub(crate) async fn leave_over(&self, message: &Message, file: &TestFile) -> String {
        let (id, upload) = self.offer(message, file, 1).await;
        self.next("CompleteMultipartUpload", Fault::KillAfter);
        self.impatient.follow(&upload["complete"]).await.unwrap_err();
        self.next("TransactWriteItems", Fault::KillAfter);
        self.impatient.follow(&upload["abort"]).await.unwrap_err();
        id
    }

    /// The document's item, as the table has it.
    pub(crate) async fn item(&self, id: &str) -> HashMap<String, AttributeValue> {
        let dynamodb = setup::dynamodb_client(&self.cloud.dynamodb_url, &self.cloud.access_key);
        let get = dynamodb.get_item().table_name(&self.cloud.table);
        let get = get.key("pk", AttributeValue::S(format!("local-school#{id}")));
        let get = get.key("sk", AttributeValue::S("document".to_owned()));
        get.send().await.unwrap().item.unwrap()
    }

    /// Moves the end of a pending upload, so that it expires in half an hour.
    pub(crate) async fn expire_within_the_hour(&self, id: &str) {
        let dynamodb = setup::dynamodb_client(&self.cloud.dynamodb_url, &self.cloud.access_key);
        let update = dynamodb.update_item().table_name(&self.cloud.table);
        let update = update.key("pk", AttributeValue::S(format!("local-school#{id}")));
        let update = update.key("sk", AttributeValue::S("document".to_owned()));
        let update = update.update_expression("SET upload.expiresAt = :end");
        let end = Timestamp::now() + Duration::from_mins(30);
        let update = update.expression_attribute_values(":end", AttributeValue::S(end.to_string()));
        update.send().await.unwrap();
    }

    /// Ends a document's pending upload in S3, behind the service's back.
    pub(crate) async fn have_s3_forget(&self, id: &str) {
        let s3 = setup::s3_client(&self.cloud.s3_url, &self.cloud.access_key);
        let upload = self.item(id).await["upload"].as_m().unwrap().clone();
        let text = |name: &str| upload[name].as_s().unwrap().clone();
        let abort = s3.abort_multipart_upload().bucket(&self.cloud.bucket);
        let abort = abort.key(format!("local-school/{id}/{}", text("version")));
        abort.upload_id(text("uploadId")).send().await.unwrap();
    }

    /// Removes everything, so that the next findings are short.
    pub(crate) async fn clear(&self) {
        let dynamodb = setup::dynamodb_client(&self.cloud.dynamodb_url, &self.cloud.access_key);
        let (table, bucket) = (&self.cloud.table, &self.cloud.bucket);
        let items = dynamodb.scan().table_name(table).send().await.unwrap();
        for mut item in items.items.unwrap_or_default() {
            let delete = dynamodb.delete_item().table_name(table);
            let delete = delete.key("pk", item.remove("pk").unwrap());
            delete.key("sk", item.remove("sk").unwrap()).send().await.unwrap();
        }
        let s3 = setup::s3_client(&self.cloud.s3_url, &self.cloud.access_key);
        let versions = s3.list_object_versions().bucket(bucket).send().await.unwrap();
        let objects = versions.versions().iter().map(|v| (v.key(), v.version_id()));
        let markers = versions.delete_markers().iter().map(|m| (m.key(), m.version_id()));
        for (key, version) in objects.chain(markers) {
            let delete = s3.delete_object().bucket(bucket);
            let delete = delete.key(key.unwrap()).version_id(version.unwrap());
            delete.send().await.unwrap();
        }
    }

    /// What the findings say of one document.
    pub(crate) async fn document(&self, id: &str) -> Stored {
        self.close().await.documents.remove(id).unwrap_or_default()
    }
}

impl Message {
    /// With a `documentId` of its own.
    pub(crate) fn new() -> Self {
        Self(sample::metadata("verslag.pdf", None))
    }

    /// With this field of the nl-okd consumer.
    pub(crate) fn with(&self, key: &str, value: Value) -> Self {
        let mut metadata = self.0.clone();
        metadata["consumers"][0][key] = value;
        Self(metadata)
    }

    /// About this student, by whose number it is then found.
    pub(crate) fn of_student(&self, number: &str) -> Self {
        self.with("studentNumber", json!(number))
    }

    pub(crate) fn declaring(&self, checksum: Checksum) -> Self {
        self.with("documentChecksum", json!(checksum))
    }

    pub(crate) fn of_size(&self, file: &TestFile) -> Self {
        self.with("documentSize", json!(file.0.len()))
    }
}

impl TestFile {
    pub(crate) fn random(size: usize, random: &mut fastrand::Rng) -> Self {
        let mut bytes = vec![0; size];
        random.fill(&mut bytes);
        Self(bytes.into())
    }

    pub(crate) fn sha256(&self) -> Checksum {
        Checksum::sha256(&self.0)
    }

    pub(crate) fn crc64nvme(&self) -> Checksum {
        Checksum::crc64nvme(&self.0)
    }
}

fn pause_stream(cloud: &Cloud, paused: bool) {
    cloud.stream.as_ref().unwrap().pause(paused);
}

pub(crate) fn call(from: &str, operation: &str) -> Call {
    Call { from: from.to_owned(), operation: operation.to_owned() }
}

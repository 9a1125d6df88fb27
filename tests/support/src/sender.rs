//! A sender of documents, and the cloud that it sends to.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::AttributeValue;
use okd_cli::access_key::AccessKey;
use okd_local::{Cloud, setup};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use uuid::Uuid;

pub const ASSOCIATION: &str = "123e4567-e89b-12d3-a456-426614174000";
pub const OFFERING: &str = "c9c3875b-0c6b-435a-a8a4-211bf66620b5";
pub const MIB: usize = 1 << 20;

/// The cloud that most tests share.
pub static SHARED: LazyLock<&'static Cloud> = LazyLock::new(|| {
    crate::cloud::start(|options| {
        options.s3_endpoint = std::env::var("OKD_TEST_S3_ENDPOINT").ok();
        options.dynamodb_endpoint = std::env::var("OKD_TEST_DYNAMODB_ENDPOINT").ok();
        options.access_key = options.s3_endpoint.is_some().then(|| {
            let of = |name| std::env::var(name).unwrap();
            AccessKey { id: of("AWS_ACCESS_KEY_ID"), secret: of("AWS_SECRET_ACCESS_KEY") }
        });
    })
});

/// A school system with a token, unlike any other test's.
#[derive(Clone)]
pub struct Sender {
    pub cloud: &'static Cloud,
    pub client: String,
    pub token: String,
    // Of its own: a connection dies with the test whose runtime drives it.
    pub s3: aws_sdk_s3::Client,
    pub dynamodb: aws_sdk_dynamodb::Client,
    http: reqwest::Client,
    /// Whether it shares its cloud, which may be too busy with other tests to answer in time.
    is_patient: bool,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Sender {
    pub fn new() -> Self {
        Self { is_patient: true, ..Self::to(*SHARED) }
    }

    pub fn to(cloud: &'static Cloud) -> Self {
        let client = format!("test-{}", Uuid::new_v4());
        let token = cloud.issuer.token(&client, "okd:alldocuments").unwrap();
        Self {
            cloud,
            client,
            token,
            s3: setup::s3_client(&cloud.s3_url, &cloud.access_key),
            dynamodb: setup::dynamodb_client(&cloud.dynamodb_url, &cloud.access_key),
            http: reqwest::Client::new(),
            is_patient: false,
        }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.cloud.url) };
        self.http.request(method, url)
    }

    /// Sends a request with the token, and once more where a busy cloud says 503, as senders are told to.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let request = request.bearer_auth(&self.token);
        let again = request.try_clone().filter(|_| self.is_patient);
        let first = answer(request.send().await.unwrap()).await;
        match again {
            Some(again) if first.status == 503 => answer(again.send().await.unwrap()).await,
            _ => first,
        }
    }

    pub async fn call(&self, method: &str, path: &str) -> Answer {
        self.send(self.request(method, path)).await
    }

    /// One of the links that an upload's answer has.
    pub async fn follow(&self, upload: &Value, link: &str) -> Answer {
        let text = |name: &str| upload[link][name].as_str().unwrap();
        self.call(text("method"), text("href")).await
    }

    /// Form B on the association of the examples.
    pub async fn offer(&self, metadata: &Value) -> Answer {
        self.send(self.request("PUT", &association()).json(metadata)).await
    }

    /// Form B with every part sent: what is left is to complete.
    pub async fn offer_and_send(&self, metadata: &Value, file: &[u8]) -> Answer {
        let offer = self.offer(metadata).await.accepted();
        self.send_parts(&offer.body["upload"], file, None).await;
        offer
    }

    /// Completes an upload that an answer told of, and asks again while its bytes are being compared with what was
    /// declared.
    pub async fn complete(&self, offered: &Answer) -> Answer {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.call("POST", offered.href("complete")).await;
            let is_verifying = answer.body["upload"]["state"] == "verifying";
            if !is_verifying || Instant::now() > deadline {
                return answer;
            }
            if self.cloud.s3.is_none() {
                // Another S3 tells us of no object: the sweep looks for it.
                let later = jiff::Timestamp::now() + Duration::from_mins(2);
                // A process that another test began may have ended with that test; the next one sweeps.
                let _ = self.cloud.tick(later).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Form A on the association of the examples.
    pub async fn hand_in(&self, metadata: &Value, file: &[u8]) -> Answer {
        self.hand_in_at(&association(), metadata, file).await
    }

    pub async fn hand_in_at(&self, path: &str, metadata: &Value, file: &[u8]) -> Answer {
        let head = "; filename=\"a.pdf\"\r\ncontent-type: application/pdf";
        self.send_form(path, file_form(metadata, head, file)).await
    }

    pub async fn send_form(&self, path: &str, body: Vec<u8>) -> Answer {
        self.send(self.form_request("PUT", path, body)).await
    }

    pub fn form_request(&self, method: &str, path: &str, body: Vec<u8>) -> reqwest::RequestBuilder {
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        self.request(method, path).header("content-type", content_type).body(body)
    }

    /// Sends the parts of an upload, all or those of these numbers, and no token with them.
    pub async fn send_parts(&self, upload: &Value, file: &[u8], only: Option<&[u64]>) {
        for part in upload["parts"].as_array().unwrap() {
            if only.is_some_and(|only| !only.contains(&part["partNumber"].as_u64().unwrap())) {
                continue;
            }
            let (status, text) = self.send_part(part, file).await;
            assert_eq!(status, 200, "{text}");
        }
    }

    pub async fn send_part(&self, part: &Value, file: &[u8]) -> (u16, String) {
        let number = |key: &str| usize::try_from(part[key].as_u64().unwrap()).unwrap();
        let bytes = file[number("offset")..number("offset") + number("size")].to_vec();
        let answer = self.http.put(part["href"].as_str().unwrap()).body(bytes).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Asserts that a part's URL belongs to an upload that S3 no longer knows.
    pub async fn url_leads_nowhere(&self, part: &Value, file: &[u8]) {
        let (status, text) = self.send_part(part, file).await;
        assert_eq!(status, 404, "{text}");
    }

    /// The document's item, as the table has it.
    pub async fn item(&self, id: &str) -> Option<std::collections::HashMap<String, AttributeValue>> {
        let get = self.dynamodb.get_item().table_name(&self.cloud.table);
        let get = get.key("pk", AttributeValue::S(format!("local-school#{id}")));
        get.key("sk", AttributeValue::S("document".to_owned())).send().await.unwrap().item
    }

    /// The metadata of the document's current content, as it is kept.
    pub async fn metadata_of(&self, id: &str) -> Value {
        let item = self.item(id).await.unwrap();
        let content: Value = serde_dynamo::from_attribute_value(item["content"].clone()).unwrap();
        content["metadata"].clone()
    }

    /// The ids of the documents that are found by this id of others.
    pub async fn found_by(&self, kind: &str, id: &str) -> Vec<String> {
        let query = self.dynamodb.query().table_name(&self.cloud.table);
        let query = query.key_condition_expression("pk = :pk");
        let query = query.expression_attribute_values(":pk", AttributeValue::S(format!("local-school#{kind}#{id}")));
        let items = query.send().await.unwrap().items.unwrap();
        items.iter().map(|item| item["sk"].as_s().unwrap().clone()).collect()
    }

    /// The keys of the document's objects.
    pub async fn objects(&self, id: &str) -> Vec<String> {
        let list = self.s3.list_objects_v2().bucket(&self.cloud.bucket);
        let listed = list.prefix(format!("local-school/{id}/")).send().await.unwrap();
        listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    /// The ids of the document's open multipart uploads.
    pub async fn open_uploads(&self, id: &str) -> Vec<String> {
        let list = self.s3.list_multipart_uploads().bucket(&self.cloud.bucket);
        let listed = list.prefix(format!("local-school/{id}/")).send().await.unwrap();
        listed.uploads().iter().map(|upload| upload.upload_id().unwrap().to_owned()).collect()
    }

    /// Every item of the table of documents, anybody's.
    pub async fn items(&self) -> Vec<Value> {
        let scan = self.dynamodb.scan().table_name(&self.cloud.table);
        let items = scan.send().await.unwrap().items.unwrap();
        let json = |item| serde_dynamo::from_item(item).unwrap();
        items.into_iter().map(json).collect()
    }

    /// Asserts that there is no item, no object, not a deleted one either, and no upload, of anybody.
    pub async fn finds_the_stores_empty(&self) {
        let bucket = &self.cloud.bucket;
        let items = self.items().await;
        assert_eq!(items.len(), 0, "{items:?}");
        let objects = self.s3.list_object_versions().bucket(bucket);
        let objects = objects.send().await.unwrap();
        assert!(objects.versions().is_empty(), "{objects:?}");
        assert!(objects.delete_markers().is_empty(), "{objects:?}");
        let uploads = self.s3.list_multipart_uploads().bucket(bucket);
        let uploads = uploads.send().await.unwrap();
        assert!(uploads.uploads().is_empty(), "{uploads:?}");
    }

    /// The bytes of the document's one object.
    pub async fn stored_bytes(&self, id: &str) -> Vec<u8> {
        let objects = self.objects(id).await;
        assert_eq!(objects.len(), 1, "{objects:?}");
        let get = self.s3.get_object().bucket(&self.cloud.bucket).key(&objects[0]);
        get.send().await.unwrap().body.collect().await.unwrap().to_vec()
    }
}

impl Answer {
    pub fn id(&self) -> String {
        self.body["dmsDocumentId"].as_str().unwrap_or_else(|| panic!("no id in {self:?}")).to_owned()
    }

    /// Where one of the links of its upload leads, such as `complete`.
    pub fn href(&self, link: &str) -> &str {
        self.body["upload"][link]["href"].as_str().unwrap()
    }

    /// Asserts a problem document of this status and kind, and gives its detail.
    pub fn problem(&self, status: u16, kind: &str) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        assert_eq!(self.body["type"], format!("urn:problem-type:okd:{kind}"), "{self:?}");
        assert_eq!(self.body["status"], status, "{self:?}");
        assert!(self.body["requestId"].as_str().is_some_and(|id| id.len() == 36), "{self:?}");
        self.body["detail"].as_str().unwrap().to_owned()
    }

    pub fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{self:?}");
        self
    }

    pub fn accepted(self) -> Self {
        assert_eq!(self.status, 202, "{self:?}");
        self
    }
}

async fn answer(response: reqwest::Response) -> Answer {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, headers, body }
}

/// Form A, with this behind the name of the file's part.
pub fn file_form(metadata: &Value, head: &str, file: &[u8]) -> Vec<u8> {
    form(&[
        (
            "content-disposition: form-data; name=\"metadata\"\r\ncontent-type: application/json",
            metadata.to_string().as_bytes(),
        ),
        (&format!("content-disposition: form-data; name=\"file\"{head}"), file),
    ])
}

pub const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW";

/// A form of parts, each its headers and its body.
pub fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (headers, bytes) in parts {
        body.extend_from_slice(format!("--{BOUNDARY}\r\n{headers}\r\n\r\n").as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

pub fn association() -> String {
    format!("/okd/v1/associations/{ASSOCIATION}")
}

/// The metadata of an exam result with a new documentId.
pub fn metadata() -> Value {
    json!({
        "associationId": ASSOCIATION,
        "associationType": "programOfferingAssociation",
        "consumers": [{
            "consumerKey": "nl-okd",
            "documentType": "examinering",
            "documentSubtype": "examenbeoordeling",
            "documentId": Uuid::new_v4(),
            "documentName": "beoordeling-100245.pdf",
            "bewaartermijnsuggestie": "3Y",
        }],
    })
}

/// The same for a file that follows.
pub fn offer(size: usize) -> Value {
    with(&metadata(), "documentSize", json!(size))
}

/// A field of the nl-okd consumer, changed.
pub fn with(metadata: &Value, key: &str, value: Value) -> Value {
    let mut metadata = metadata.clone();
    metadata["consumers"][0][key] = value;
    metadata
}

/// The nl-okd consumer without a field.
pub fn without(metadata: &Value, key: &str) -> Value {
    let mut metadata = metadata.clone();
    metadata["consumers"][0].as_object_mut().unwrap().remove(key);
    metadata
}

/// Bytes that differ from place to place, and from one seed to the next.
pub fn bytes(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

pub fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha-256:{hex}")
}

pub fn crc64nvme(bytes: &[u8]) -> String {
    format!("crc64nvme:{:016x}", crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes))
}

//! Clients of one document, and the witness of what each was answered.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use okd_cli::access_key::AccessKey;
use okd_local::{Cloud, setup};
use okd_model::{
    Answer, Declared, End, Event, Operation,
    promises::{File, Says, Upload},
};
use serde_json::{Value, json};

use crate::harness::{Message, TestFile};

/// Where the service is, and what it takes to call it and to look at its stores.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) dynamodb_url: String,
    pub(crate) s3_url: String,
    pub(crate) access_key: AccessKey,
    pub(crate) bucket: String,
    pub(crate) table: String,
}

impl Place {
    /// A cloud in this process.
    pub(crate) fn of(cloud: &Cloud) -> Self {
        Self {
            url: cloud.url.clone(),
            token: cloud.issuer.token("test-sis", "okd:examdocuments").unwrap(),
            dynamodb_url: cloud.dynamodb_url.clone(),
            s3_url: cloud.s3_url.clone(),
            access_key: cloud.access_key.clone(),
            bucket: cloud.bucket.clone(),
            table: cloud.table.clone(),
        }
    }
}

/// Sees every request begin and end.
pub(crate) struct Witness {
    place: Place,
    http: reqwest::Client,
    sheets: Vec<TestFile>,
    message: Message,
    id: OnceLock<String>,
    clock: AtomicU64,
    history: Mutex<Vec<Event>>,
    /// What was answered of each upload: its number is its place.
    uploads: Mutex<Vec<(String, Value)>>,
}

/// One client.
pub(crate) struct Client {
    witness: Arc<Witness>,
    who: usize,
}

/// A request that has begun.
pub(crate) struct Begun<'a> {
    witness: &'a Witness,
    who: usize,
    begin: u64,
    operation: Operation,
}

impl Begun<'_> {
    pub(crate) fn end(self, answer: Answer) -> Answer {
        let Self { witness, who, begin, operation } = self;
        let event = Event { who, begin, end: witness.tick(), operation, answer };
        witness.history.lock().unwrap().push(event);
        answer
    }
}

impl Witness {
    pub(crate) fn new(place: Place, sheets: Vec<TestFile>) -> Self {
        Self {
            place,
            http: reqwest::Client::new(),
            sheets,
            message: Message::new().of_student("1"),
            id: OnceLock::new(),
            clock: AtomicU64::new(0),
            history: Mutex::default(),
            uploads: Mutex::default(),
        }
    }

    pub(crate) fn client(self: &Arc<Self>, who: usize) -> Client {
        Client { witness: self.clone(), who }
    }

    pub(crate) fn history(&self) -> Vec<Event> {
        self.history.lock().unwrap().clone()
    }

    /// The document's id: every answer has the same.
    pub(crate) fn id(&self) -> String {
        self.id.get().unwrap().clone()
    }

    pub(crate) fn begin(&self, who: usize, operation: Operation) -> Begun<'_> {
        Begun { witness: self, who, begin: self.tick(), operation }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn message(&self, says: Says) -> Message {
        match says {
            1 => self.message.clone(),
            _ => self.message.with("documentName", "beter.pdf".into()).of_student("2"),
        }
    }

    fn know(&self, answer: &Value) {
        if let Some(id) = answer["dmsDocumentId"].as_str() {
            assert_eq!(self.id.get_or_init(|| id.to_owned()), id, "a document has two ids");
        }
    }

    /// The number of the upload that this answer is about.
    fn upload(&self, upload: &Value) -> Upload {
        let link = upload["status"]["href"].as_str().unwrap().to_owned();
        let mut uploads = self.uploads.lock().unwrap();
        let known = uploads.iter().position(|(known, _)| *known == link);
        let number = known.unwrap_or(uploads.len());
        if known.is_none() {
            uploads.push((link, upload.clone()));
        }
        number.try_into().unwrap()
    }

    fn links_of(&self, upload: Upload) -> Value {
        self.uploads.lock().unwrap()[usize::from(upload)].1.clone()
    }
}

impl Client {
    pub(crate) async fn hand_in(&self, file: File, says: Says) -> Answer {
        let message = self.witness.message(says);
        let part =
            |name: &str, more: &str| format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
        let form = [
            part("metadata", "").as_bytes(),
            message.0.to_string().as_bytes(),
            b"\r\n",
            part("file", "; filename=\"verslag.pdf\"").as_bytes(),
            self.bytes(file),
            b"\r\n--x--\r\n",
        ]
        .concat();
        let begun = self.witness.begin(self.who, Operation::HandIn(file, says));
        let put = self.put().header("content-type", "multipart/form-data; boundary=x");
        let sent = put.body(form).send().await;
        let (status, _) = self.read_answer(sent).await;
        begun.end(match status {
            200 => Answer::Stored,
            503 => Answer::Silence,
            _ => panic!("PUT is answered {status}"),
        })
    }

    pub(crate) async fn offer(&self, declared: Declared, says: Says) -> Answer {
        let message = self.witness.message(says).of_size(&self.witness.sheets[0]);
        let sheet = |file: File| &self.witness.sheets[usize::from(file)];
        let message = match declared {
            Declared::Nothing => message,
            Declared::Sha256(file) => message.declaring(sheet(file).sha256()),
            Declared::Crc64Nvme(file) => message.declaring(sheet(file).crc64nvme()),
        };
        let begun = self.witness.begin(self.who, Operation::Offer(declared, says));
        let sent = self.put().json(&message.0).send().await;
        let (status, answer) = self.read_answer(sent).await;
        let upload = &answer["upload"];
        begun.end(match (status, upload["state"].as_str()) {
            (200, _) => Answer::Stored,
            (202, Some("verifying")) => Answer::Verifying,
            (202, Some(state)) => Answer::Open(self.witness.upload(upload), state == "received"),
            (503, _) => Answer::Silence,
            _ => panic!("PUT is answered {status} {answer}"),
        })
    }

    pub(crate) async fn send(&self, upload: Upload, file: File) -> Answer {
        let links = self.witness.links_of(upload);
        let Some(href) = links["parts"][0]["href"].as_str() else {
            return Answer::Done;
        };
        let begun = self.witness.begin(self.who, Operation::Send(upload, file));
        let sent = self.witness.http.put(href).body(self.bytes(file).to_vec()).send().await;
        let (status, _) = self.read_answer(sent).await;
        begun.end(match status {
            200 => Answer::Done,
            403 | 404 => Answer::Refused,
            503 => Answer::Silence,
            _ => panic!("a part is answered {status}"),
        })
    }

    pub(crate) async fn complete(&self, upload: Upload) -> Answer {
        let begun = self.witness.begin(self.who, Operation::Complete(upload));
        let (status, answer) = self.follow(upload, "complete").await;
        let state = answer["upload"]["state"].as_str();
        begun.end(match (status, state) {
            (200, _) => Answer::Stored,
            (202, Some("verifying")) => Answer::Verifying,
            (202, _) => Answer::Completing,
            (409, _) => Answer::Incomplete,
            (404, _) => Answer::Unknown,
            (410, _) => Answer::Ended(end_in(&answer)),
            (422, _) => Answer::Ended(End::Wrong),
            (503, _) => Answer::Silence,
            _ => panic!("complete is answered {status} {answer}"),
        })
    }

    pub(crate) async fn look(&self, upload: Upload) -> Answer {
        let begun = self.witness.begin(self.who, Operation::Look(upload));
        let (status, answer) = self.follow(upload, "status").await;
        begun.end(match (status, answer["upload"]["state"].as_str()) {
            (200, Some("uploading")) => Answer::Open(upload, false),
            (200, Some("received")) => Answer::Open(upload, true),
            (200, Some("verifying")) => Answer::Verifying,
            (200, Some("stored")) => Answer::Stored,
            (200, Some("aborted")) => Answer::Ended(End::Aborted),
            (200, Some("superseded")) => Answer::Ended(End::Superseded),
            (200, Some("expired")) => Answer::Ended(End::Expired),
            (200, Some("checksum-mismatch" | "corrupt")) => Answer::Ended(End::Wrong),
            (404, _) => Answer::Unknown,
            (503, _) => Answer::Silence,
            _ => panic!("status is answered {status} {answer}"),
        })
    }

    pub(crate) async fn abort(&self, upload: Upload) -> Answer {
        let begun = self.witness.begin(self.who, Operation::Abort(upload));
        let (status, answer) = self.follow(upload, "abort").await;
        begun.end(match status {
            204 => Answer::Done,
            404 => Answer::Unknown,
            503 => Answer::Silence,
            _ => panic!("abort is answered {status} {answer}"),
        })
    }

    pub(crate) async fn tick(&self, cloud: &Cloud, later: Duration) {
        let begun = self.witness.begin(self.who, Operation::Tick);
        let time = jiff::Timestamp::now() + later;
        let hits = cloud.tick(time).await;
        begun.end(hits.map_or(Answer::Silence, |()| Answer::Done));
    }

    /// Reads the document's item, and the bytes that it names: which file is current, with which metadata.
    pub(crate) async fn read(&self) -> Option<(File, Says)> {
        let begun = self.witness.begin(self.who, Operation::Read);
        // Reads meet faults as well.
        let Ok(current) = self.current().await else {
            begun.end(Answer::Silence);
            return None;
        };
        begun.end(Answer::Holds(current));
        current
    }

    async fn current(&self) -> okd_local::Result<Option<(File, Says)>> {
        let place = &self.witness.place;
        let id = self.witness.id();
        let dynamodb = setup::dynamodb_client(&place.dynamodb_url, &place.access_key);
        let get = dynamodb.get_item().table_name(&place.table);
        let get = get.key("pk", AttributeValue::S(format!("local-school#{id}")));
        let get = get.key("sk", AttributeValue::S("document".to_owned()));
        let item = get.consistent_read(true).send().await?.item;
        let item: Value = serde_dynamo::from_item(item.unwrap_or_default())?;
        let Some(version) = item["content"]["version"].as_str() else {
            return Ok(None);
        };
        let s3 = setup::s3_client(&place.s3_url, &place.access_key);
        let object = s3.get_object().bucket(&place.bucket);
        let object = object.key(format!("local-school/{id}/{version}")).send();
        let bytes = object.await?.body.collect().await?.to_vec();
        let mut sheets = self.witness.sheets.iter();
        let file = sheets.position(|sheet| sheet.0 == bytes);
        let file = file.expect("it holds a file that somebody sent");
        let as_sent = item["content"]["metadata"].to_string();
        let says = if as_sent.contains("beter.pdf") { 2 } else { 1 };
        Ok(Some((file.try_into()?, says)))
    }

    fn bytes(&self, file: File) -> &[u8] {
        &self.witness.sheets[usize::from(file)].0
    }

    fn put(&self) -> reqwest::RequestBuilder {
        let association = self.witness.message.0["associationId"].as_str().unwrap();
        let url = &self.witness.place.url;
        let path = format!("{url}/okd/v1/associations/{association}");
        self.witness.http.put(path).bearer_auth(&self.witness.place.token)
    }

    async fn follow(&self, upload: Upload, link: &str) -> (u16, Value) {
        let link = &self.witness.links_of(upload)[link];
        let method = link["method"].as_str().unwrap().parse().unwrap();
        let href = link["href"].as_str().unwrap();
        let url = format!("{}{href}", self.witness.place.url);
        let request = self.witness.http.request(method, url).bearer_auth(&self.witness.place.token);
        self.read_answer(request.send().await).await
    }

    /// 503 where there is none, or any 5xx.
    async fn read_answer(&self, sent: reqwest::Result<reqwest::Response>) -> (u16, Value) {
        let Ok(answer) = sent else {
            return (503, Value::Null);
        };
        let status = answer.status().as_u16();
        let Ok(text) = answer.text().await else {
            return (503, Value::Null);
        };
        let answer = serde_json::from_str(&text).unwrap_or(json!(text));
        self.witness.know(&answer);
        (if status >= 500 { 503 } else { status }, answer)
    }
}

/// How an upload has ended, by the text of the problem.
fn end_in(problem: &Value) -> End {
    let detail = problem["detail"].as_str().unwrap();
    let ends = [("aborted", End::Aborted), ("newer PUT", End::Superseded), ("within an hour", End::Expired)];
    let found = ends.iter().find(|(words, _)| detail.contains(words));
    found.unwrap_or_else(|| panic!("{problem}")).1
}

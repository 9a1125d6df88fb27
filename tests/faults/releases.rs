//! Items that an earlier release has written, read by this one, and the other way round: while a deployment is going on
//! both are at work on the same documents.
//!
//! `releases/{version}.json` holds what the release left in the table and in the bucket. Before a release it is made by
//! `cargo test --test faults record_this_release -- --ignored`.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::PathBuf,
};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, engine::general_purpose::STANDARD};
use okd_faults::Fault;
use okd_local::{bus::ANNOUNCED, setup};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::harness::{Harness, Message, TestFile};

/// What a release left behind.
#[derive(Serialize, Deserialize)]
struct Release {
    /// The message of each document that is stored, its id, and its file.
    stored: Vec<(Value, String, String)>,
    /// The message of each document that is not, and its id.
    open: Vec<(Value, String)>,
    /// The base URL of its issuer.
    issuer: String,
    tenants: Vec<Value>,
    items: Vec<Value>,
    announced: Vec<Value>,
    /// By their keys.
    objects: BTreeMap<String, String>,
}

fn tenants_table() -> String {
    okd_cli::physical_name("TenantsTable")
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/faults/releases"].iter().collect()
}

/// Documents in every state that an item can be in.
async fn leave_behind(harness: &Harness) -> Release {
    let mut stored = Vec::new();
    let mut open = Vec::new();
    let mut is_stored = |paper: &Message, id: String, sheet: &TestFile| {
        stored.push((paper.0.clone(), id, STANDARD.encode(&sheet.0)));
    };
    let random = |size: usize| harness.file(size);

    let (paper, sheet) = (Message::new().of_student("1"), random(100));
    let id = harness.inline(&paper, &sheet).await;
    is_stored(&paper, id, &sheet);
    // So many changes that the item has no room for all of them.
    let paper = Message::new();
    let mut last = (String::new(), random(1));
    for size in 0..22 {
        let sheet = random(100 + size);
        last = (harness.inline(&paper, &sheet).await, sheet);
    }
    is_stored(&paper, last.0, &last.1);
    let (paper, sheet) = (Message::new(), random(200));
    let id = harness.by_parts(&paper, &sheet).await;
    harness.offer(&paper, &random(201), 0).await;
    is_stored(&paper, id, &sheet);
    // Not yet verified, and found to be corrupt.
    harness.cloud.events.pause(true);
    let (paper, sheet) = (Message::new(), random(202));
    let declaring = paper.declaring(sheet.sha256());
    let id = harness.by_parts(&declaring, &sheet).await;
    is_stored(&declaring, id, &sheet);
    harness.cloud.events.pause(false);
    harness.cloud.events.drained().await;
    let corrupt = Message::new();
    let id = harness.by_parts(&corrupt.declaring(random(1).sha256()), &random(203)).await;
    harness.cloud.events.drained().await;
    open.push((corrupt.0, id));
    harness.cloud.events.pause(true);
    let (paper, sheet) = (Message::new(), random(204));
    let declaring = paper.declaring(sheet.sha256());
    let id = harness.by_parts(&declaring, &sheet).await;
    is_stored(&declaring, id, &sheet);
    // What is left over, of an upload and of a request.
    let paper = Message::new();
    let id = harness.leave_over(&paper, &random(205)).await;
    open.push((paper.0, id));
    harness.next("DeleteObject", Fault::Never);
    let paper = Message::new();
    let (id, upload) = harness.offer(&paper, &random(206), 1).await;
    harness.sender.follow(&upload["abort"]).await.unwrap();
    open.push((paper.0, id));
    let paper = Message::new();
    let (id, _) = harness.offer(&paper, &random(207), 1).await;
    open.push((paper.0, id));
    harness.cloud.faults.clear();

    let dynamodb = setup::dynamodb_client(&harness.cloud.dynamodb_url, &harness.cloud.access_key);
    let scan = async |table: &str| {
        let scan = dynamodb.scan().table_name(table).send().await.unwrap();
        serde_dynamo::from_items(scan.items.unwrap()).unwrap()
    };
    let (tenants, items) = (scan(&tenants_table()).await, scan(&harness.cloud.table).await);
    let s3 = setup::s3_client(&harness.cloud.s3_url, &harness.cloud.access_key);
    let mut objects = BTreeMap::new();
    let listed = s3.list_objects_v2().bucket(&harness.cloud.bucket).send().await.unwrap();
    for object in listed.contents() {
        let key = object.key().unwrap();
        let got = s3.get_object().bucket(&harness.cloud.bucket).key(key).send().await.unwrap();
        let bytes = got.body.collect().await.unwrap().to_vec();
        objects.insert(key.to_owned(), STANDARD.encode(bytes));
    }
    harness.announce().await;
    let announced = fs::read_to_string(harness.cloud.data.join(ANNOUNCED)).unwrap();
    let announced = announced.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Release { stored, open, announced, issuer: harness.cloud.issuer_url.clone(), tenants, items, objects }
}

/// What an item is: `document`, `history` and so on by its sort key, or else, as `orphan`, by its partition.
fn kind(item: &Value) -> String {
    let first = |key: &str, number: usize| key.split('#').nth(number).unwrap_or_default().to_owned();
    let (Some(pk), Some(sk)) = (item["pk"].as_str(), item["sk"].as_str()) else {
        return "tenant".to_owned();
    };
    match first(pk, 1) {
        id if id.parse::<uuid::Uuid>().is_ok() => first(sk, 0),
        partition => partition,
    }
}

/// Every field of a value with the type of what it holds. The members of a list are one field.
fn fields(of: &Value, path: &str, found: &mut BTreeMap<String, String>) {
    let mut note = |kind: &str| drop(found.insert(path.to_owned(), kind.to_owned()));
    match of {
        Value::Null => {}
        Value::Bool(_) => note("bool"),
        Value::Number(_) => note("number"),
        Value::String(_) => note("string"),
        Value::Array(members) => members.iter().for_each(|member| fields(member, &format!("{path}[]"), found)),
        Value::Object(members) => {
            for (name, member) in members {
                fields(member, &format!("{path}.{}", name.split('#').next().unwrap_or_default()), found);
            }
        }
    }
}

fn fields_of(release: &Release) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for item in release.items.iter().chain(&release.tenants) {
        fields(item, &kind(item), &mut found);
    }
    found
}

fn recorded() -> Vec<(String, Release)> {
    let read = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let read = read.map(|path| {
        let release = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), release)
    });
    read.collect()
}

async fn put_back(harness: &Harness, release: &Release) {
    let s3 = setup::s3_client(&harness.cloud.s3_url, &harness.cloud.access_key);
    harness.cloud.events.pause(true);
    for (key, bytes) in &release.objects {
        let bytes = STANDARD.decode(bytes).unwrap();
        harness.know(okd_core::checksum::Checksum::sha256(&bytes));
        let put = s3.put_object().bucket(&harness.cloud.bucket).key(key).body(bytes.into());
        put.send().await.unwrap();
    }
    let dynamodb = setup::dynamodb_client(&harness.cloud.dynamodb_url, &harness.cloud.access_key);
    let put = async |table: &str, items: &[Value]| {
        // This cloud's issuer has another URL.
        let items = json!(items).to_string().replace(&release.issuer, &harness.cloud.issuer_url);
        for item in serde_json::from_str::<Vec<Value>>(&items).unwrap() {
            let item: HashMap<String, AttributeValue> = serde_dynamo::to_item(item).unwrap();
            dynamodb.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
        }
    };
    let tenants: Vec<Value> =
        release.tenants.iter().filter(|item| item["tenant"] == okd_local::OWN_TENANT).cloned().collect();
    put(&tenants_table(), &tenants).await;
    put(&harness.cloud.table, &release.items).await;
    let announced: Vec<String> = release.announced.iter().map(|event| format!("{event}\n")).collect();
    fs::write(harness.cloud.data.join(ANNOUNCED), announced.concat()).unwrap();
    harness.cloud.events.pause(false);
    harness.cloud.events.drained().await;
}

#[tokio::test]
async fn what_every_release_left_is_found_repeated_and_replaced_by_this_one() {
    for (version, release) in recorded() {
        let harness = Harness::new();
        put_back(&harness, &release).await;
        for (message, id, file) in &release.stored {
            let (paper, sheet) = (Message(message.clone()), TestFile(STANDARD.decode(file).unwrap().into()));
            assert_eq!(&harness.inline(&paper, &sheet).await, id, "{version} knew {message} as");
        }
        for (message, id) in &release.open {
            let sheet = harness.file(100);
            assert_eq!(&harness.by_parts(&Message(message.clone()), &sheet).await, id, "{version} knew {message} as");
            assert_eq!(harness.document(id).await.current, Some(sheet.sha256()));
        }
        let findings = harness.close().await;
        for (message, id, file) in &release.stored {
            let sha256 = TestFile(STANDARD.decode(file).unwrap().into()).sha256();
            assert_eq!(findings.documents[id].current, Some(sha256), "of {message}, which {version} stored");
        }
    }
}

#[tokio::test]
async fn what_this_release_writes_has_every_field_that_an_earlier_one_reads() {
    let now = fields_of(&leave_behind(&Harness::new()).await);
    for (version, release) in recorded() {
        for (field, kind) in fields_of(&release) {
            assert_eq!(now.get(&field), Some(&kind), "{field} of {version}");
        }
    }
}

#[tokio::test]
#[ignore = "to be run before a release"]
async fn record_this_release() {
    let release = leave_behind(&Harness::new()).await;
    let file = folder().join(concat!(env!("CARGO_PKG_VERSION"), ".json"));
    fs::create_dir_all(folder()).unwrap();
    fs::write(file, serde_json::to_string_pretty(&release).unwrap() + "\n").unwrap();
}

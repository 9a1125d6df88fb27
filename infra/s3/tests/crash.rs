//! What is left after a crash.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use okd_s3::S3;
use tokio::net::TcpListener;

use crate::{ACCESS_KEY, BUCKET, MIB, SECRET_KEY, Server, bytes, client, data_files};

/// Names the folder to serve to the process that is going to be killed.
const FOLDER: &str = "S3_CRASH_TEST_FOLDER";

#[tokio::test]
async fn what_a_crash_leaves_over_is_removed_when_the_folder_is_opened() {
    let server = Server::start().await;
    server.put("key", "kept").await;
    let id = server.create_upload("upload").await;
    server.upload_part("upload", &id, 1, bytes(10, 1)).await;
    let folder = server.end().await;
    let inside = |path: &str| folder.path().join(path);
    std::fs::write(inside("data/half-a-part"), "x").unwrap();
    std::fs::write(inside("tmp/half-a-manifest"), "x").unwrap();
    std::fs::write(inside(&format!("buckets/{BUCKET}/uploads/gone.1.json")), "{}").unwrap();
    std::fs::create_dir_all(inside("buckets/half-a-bucket/objects")).unwrap();
    let server = Server::on(folder).await;
    assert_eq!(server.data_files(), 2);
    assert_eq!(std::fs::read_dir(server.folder.path().join("tmp")).unwrap().count(), 0);
    assert_eq!(server.get("key").await, b"kept");
    let buckets = server.client.list_buckets().send().await.unwrap();
    assert_eq!(buckets.buckets().len(), 1);
    server.client.create_bucket().bucket("half-a-bucket").send().await.unwrap();
}

#[tokio::test]
async fn a_complete_that_crashed_after_its_commit_point_is_finished() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let part = server.upload_part("key", &id, 1, bytes(10, 1)).await;
    server.upload_part("key", &id, 2, bytes(10, 2)).await;
    let uploads = server.folder.path().join("buckets").join(BUCKET).join("uploads");
    let files = std::fs::read_dir(&uploads).unwrap().map(|entry| entry.unwrap().path());
    let before: Vec<_> = files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    server.complete("key", &id, vec![part.clone()]).send().await.unwrap();
    let folder = server.end().await;
    for (path, content) in before {
        std::fs::write(path, content).unwrap();
    }
    let server = Server::on(folder).await;
    let uploads = server.client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert!(uploads.uploads().is_empty());
    assert_eq!(server.get("key").await, bytes(10, 1));
    assert_eq!(server.data_files(), 1);
    server.complete("key", &id, vec![part]).send().await.unwrap();
}

#[tokio::test]
async fn a_folder_is_open_once() {
    let server = Server::start().await;
    assert!(S3::open(server.folder.path(), false).is_err());
    let folder = server.end().await;
    S3::open(folder.path(), false).unwrap();
}

#[tokio::test]
async fn a_durable_folder_behaves_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = S3::open(folder.path(), true).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(s3.serve(listener, ACCESS_KEY, SECRET_KEY, std::future::pending()));
    let client = client(&endpoint, RequestChecksumCalculation::WhenRequired);
    client.create_bucket().bucket(BUCKET).send().await.unwrap();
    let id = create(&client, "key").await;
    let part = upload(&client, "key", &id, bytes(10, 1)).await.unwrap();
    complete(&client, "key", &id, part).await.unwrap();
    client.delete_object().bucket(BUCKET).key("key").send().await.unwrap();
    assert_eq!(data_files(folder.path()), 0);
}

async fn create(client: &aws_sdk_s3::Client, key: &str) -> String {
    let create = client.create_multipart_upload().bucket(BUCKET).key(key);
    create.send().await.unwrap().upload_id.unwrap()
}

async fn upload(client: &aws_sdk_s3::Client, key: &str, id: &str, body: Vec<u8>) -> Option<CompletedPart> {
    let part = client.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(1);
    let etag = part.body(body.into()).send().await.ok()?.e_tag?;
    Some(CompletedPart::builder().part_number(1).e_tag(etag).build())
}

async fn complete(client: &aws_sdk_s3::Client, key: &str, id: &str, part: CompletedPart) -> Option<()> {
    let list = CompletedMultipartUpload::builder().parts(part).build();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key(key).upload_id(id);
    complete.multipart_upload(list).send().await.ok().map(drop)
}

/// The process that is killed: this test binary, told to serve a folder. Does nothing by itself.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "that is how the parent learns the address")]
async fn serve_until_killed() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let s3 = S3::open(folder.as_ref(), false).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    println!("\nserving {address}");
    s3.serve(listener, ACCESS_KEY, SECRET_KEY, std::future::pending()).await;
}

fn spawn_server(folder: &std::path::Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::serve_until_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.map(Result::unwrap).find_map(|line| line.strip_prefix("serving ").map(str::to_owned));
    (child, format!("http://{}", address.unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_every_upload_is_an_object_or_can_still_be_completed() {
    let folder = tempfile::tempdir().unwrap();
    let mut started = Vec::new();
    for round in 0..5_u64 {
        let (mut child, endpoint) = spawn_server(folder.path());
        let sender = client(&endpoint, RequestChecksumCalculation::WhenRequired);
        let _ = sender.create_bucket().bucket(BUCKET).send().await; // there from the second round on
        let mut uploads = Vec::new();
        for number in 0..20 {
            let key = format!("{round}/{number}");
            let id = create(&sender, &key).await;
            let part = upload(&sender, &key, &id, bytes(MIB, number)).await.unwrap();
            uploads.push((key, id, part, number));
        }
        let mut answers: FuturesUnordered<_> =
            uploads.iter().map(|(key, id, part, _)| complete(&sender, key, id, part.clone())).collect();
        // Another moment in every round: some are done, some under way.
        for _ in 0..4 * round {
            answers.next().await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        while answers.next().await.is_some() {}
        drop(answers);
        started.extend(uploads);
    }
    let server = Server::on(folder).await;
    let listed = server.client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    let open: Vec<&str> = listed.uploads().iter().filter_map(|upload| upload.upload_id()).collect();
    for (key, id, part, seed) in &started {
        // The same answer whether the crash came before the commit point or after it.
        server.complete(key, id, vec![part.clone()]).send().await.unwrap();
        assert!(
            server.get(key).await == bytes(MIB, *seed),
            "{key}, open after the crash: {}",
            open.contains(&id.as_str())
        );
    }
    assert_eq!(server.data_files(), started.len());
}

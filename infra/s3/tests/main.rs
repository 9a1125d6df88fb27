//! S3 on a folder, spoken to as its users do: through the AWS SDK and, where the wire matters, raw
//! HTTP. Every test has its own folder and port.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod buckets;
mod checksums;
mod crash;
mod listing;
mod multipart;
mod objects;
mod presigned;
mod races;
mod speed;

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, CompletedMultipartUpload, CompletedPart, VersioningConfiguration};
use okd_s3::S3;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const ACCESS_KEY: &str = "AKIDLOCAL";
const SECRET_KEY: &str = "secret";
const BUCKET: &str = "documents";
const MIB: usize = 1 << 20;

/// A running S3 with one bucket.
struct Server {
    s3: S3,
    folder: TempDir,
    endpoint: String,
    /// Sends no checksums unless told to, like the presigned requests of a browser.
    client: Client,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start() -> Server {
        let server = Server::on(tempfile::tempdir().unwrap()).await;
        server.client.create_bucket().bucket(BUCKET).send().await.unwrap();
        server
    }

    async fn versioned() -> Server {
        let server = Server::start().await;
        server.set_versioning(BucketVersioningStatus::Enabled).await;
        server
    }

    async fn on(folder: TempDir) -> Server {
        let s3 = S3::open(folder.path(), false).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let serving = tokio::spawn(s3.clone().serve(listener, ACCESS_KEY, SECRET_KEY, shutdown));
        let client = client(&endpoint, RequestChecksumCalculation::WhenRequired);
        Server { s3, folder, endpoint, client, stop, serving }
    }

    /// Ends the server and hands back its folder.
    async fn end(self) -> TempDir {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap();
        self.folder
    }

    async fn restart(self) -> Server {
        Server::on(self.end().await).await
    }

    /// The SDK as it is out of the box: a CRC-32 on every body.
    fn checksumming(&self) -> Client {
        client(&self.endpoint, RequestChecksumCalculation::WhenSupported)
    }

    async fn set_versioning(&self, status: BucketVersioningStatus) {
        let configuration = VersioningConfiguration::builder().status(status).build();
        let request = self.client.put_bucket_versioning().bucket(BUCKET);
        request.versioning_configuration(configuration).send().await.unwrap();
    }

    async fn put(&self, key: &str, body: impl Into<Vec<u8>>) -> Option<String> {
        let request = self.client.put_object().bucket(BUCKET).key(key);
        let put = request.body(ByteStream::from(body.into())).send().await.unwrap();
        put.version_id
    }

    async fn get(&self, key: &str) -> Vec<u8> {
        let got = self.client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        got.body.collect().await.unwrap().to_vec()
    }

    async fn create_upload(&self, key: &str) -> String {
        let request = self.client.create_multipart_upload().bucket(BUCKET).key(key);
        request.send().await.unwrap().upload_id.unwrap()
    }

    /// Begins an upload and sends its only part.
    async fn upload_of_one_part(&self, key: &str) -> (String, CompletedPart) {
        let id = self.create_upload(key).await;
        let part = self.upload_part(key, &id, 1, bytes(10, 1)).await;
        (id, part)
    }

    async fn upload_part(&self, key: &str, id: &str, number: i32, body: Vec<u8>) -> CompletedPart {
        let request = self.client.upload_part().bucket(BUCKET).key(key).upload_id(id);
        let request = request.part_number(number).body(body.into());
        let etag = request.send().await.unwrap().e_tag.unwrap();
        CompletedPart::builder().part_number(number).e_tag(etag).build()
    }

    fn complete(
        &self,
        key: &str,
        id: &str,
        parts: Vec<CompletedPart>,
    ) -> aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder {
        let list = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.client.complete_multipart_upload().bucket(BUCKET).key(key);
        request.upload_id(id).multipart_upload(list)
    }

    /// How many files hold bytes of objects and parts.
    fn data_files(&self) -> usize {
        data_files(self.folder.path())
    }
}

fn data_files(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("data")).unwrap().count()
}

fn client(endpoint: &str, checksums: RequestChecksumCalculation) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .request_checksum_calculation(checksums)
        .build();
    Client::from_conf(config)
}

/// Bytes that repeat at no power of two, so that a chunk in the wrong place shows.
fn bytes(size: usize, seed: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at / 7 + at + seed) % 251).unwrap()).collect()
}

/// The HTTP status and S3 code of a refusal.
fn refused<T: Debug, E: ProvideErrorMetadata + Debug>(result: Result<T, SdkError<E>>) -> (u16, String) {
    let error = result.expect_err("must be refused");
    let status = error.raw_response().expect("an answer").status().as_u16();
    (status, error.code().unwrap_or_default().to_owned())
}

fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Waits until a condition holds; fails after ten seconds.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let holds = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), holds).await.expect(what);
}

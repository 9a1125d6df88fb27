//! The command and the relay as people use them: processes beside a cloud whose calls can be made to fail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batch;
mod commands;
mod killed;
mod listen;
mod relay;
mod relay_faults;

use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use okd_local::{Cloud, sender::Digests};
use serde_json::{Value, json};
use support::sender::ASSOCIATION;
use tempfile::TempDir;
use tokio::process::Command;

pub(crate) const MIB: usize = 1 << 20;

/// A cloud, a folder with files to send, and the command.
pub(crate) struct Scene {
    pub(crate) cloud: &'static Cloud,
    pub(crate) folder: TempDir,
    pub(crate) token: String,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::of(support::cloud::own_cloud())
    }

    /// With the page that tells what happens.
    pub(crate) fn with_console() -> Self {
        Self::of(support::cloud::start(|options| options.console = true))
    }

    fn of(cloud: &'static Cloud) -> Self {
        let token = cloud.issuer.token("my-sis", "okd:alldocuments").unwrap();
        Self { cloud, folder: tempfile::tempdir_in(support::temporary()).unwrap(), token }
    }

    /// Another folder, at the same cloud.
    pub(crate) fn beside(other: &Self) -> Self {
        let folder = tempfile::tempdir_in(support::temporary()).unwrap();
        Self { cloud: other.cloud, folder, token: other.token.clone() }
    }

    /// A file of so many bytes, like no other.
    pub(crate) fn file(&self, name: &str, size: usize) -> PathBuf {
        let mut bytes = vec![0; size];
        fastrand::fill(&mut bytes);
        self.written(name, &bytes)
    }

    /// Metadata of a document that is called so.
    pub(crate) fn metadata(&self, document_id: &str) -> PathBuf {
        self.written(&format!("{document_id}.json"), metadata(document_id).to_string().as_bytes())
    }

    pub(crate) fn written(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// `okd` with its arguments, at this cloud and with a token.
    pub(crate) fn okd(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okd"));
        command.env_clear().env("OKD_URL", &self.cloud.url).env("OKD_TOKEN", &self.token).args(arguments);
        command.stdin(Stdio::null()).kill_on_drop(true).current_dir(self.folder.path());
        command
    }

    /// `okd put` of a file on the association of the examples.
    pub(crate) fn put(&self, metadata: &PathBuf, file: &PathBuf) -> Command {
        let mut command = self.okd(&["put", "association", ASSOCIATION]);
        command.arg("--metadata").arg(metadata).arg("--file").arg(file);
        command
    }

    /// The numbers of the parts that S3 was sent whole, in order.
    pub(crate) fn parts_sent(&self) -> Vec<u32> {
        let calls = self.cloud.s3.as_ref().unwrap().calls();
        let parts = calls.iter().filter(|call| call.operation == "UploadPart" && call.status == 200);
        parts.filter_map(|call| call.part_number).collect()
    }

    /// What the service says of a document.
    pub(crate) async fn described(&self, id: &str) -> Value {
        let ended = end(self.okd(&["meta", id])).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        serde_json::from_str(&ended.out).unwrap()
    }

    /// Reads a document back, and compares it with the file that was handed in.
    pub(crate) async fn compare(&self, id: &str, file: &PathBuf) {
        let back = self.folder.path().join("back");
        let ended = end({
            let mut get = self.okd(&["get", id, "--output"]);
            get.arg(&back);
            get
        })
        .await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(sha256(&back), sha256(file));
    }
}

/// The metadata of a document that is called so.
pub(crate) fn metadata(document_id: &str) -> Value {
    json!({
        "associationId": ASSOCIATION,
        "consumers": [{ "consumerKey": "nl-okd", "documentType": "examination", "documentId": document_id }],
    })
}

pub(crate) fn sha256(path: &PathBuf) -> String {
    let mut digests = Digests::both();
    digests.update(&std::fs::read(path).unwrap());
    digests.finish().sha256.unwrap()
}

/// Runs a command to its end.
pub(crate) async fn end(mut command: Command) -> Ended {
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(Instant::now() < deadline, "it never came about: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The most memory that a running process has held, in MiB; 0 where the system does not tell.
pub(crate) fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}

#[test]
fn a_file_goes_inside_the_request_up_to_what_the_service_takes() {
    assert_eq!(okd_local::sender::INLINE, okd_core::parts::MAX_INLINE_FILE as u64);
}

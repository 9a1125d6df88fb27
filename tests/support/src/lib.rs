//! What the tests share: clouds, the program as a user starts it, and a sender of documents.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(missing_docs, reason = "tests read these by their names")]
#![expect(clippy::new_without_default, clippy::return_self_not_must_use, reason = "no other crate has them")]

pub mod cloud;
pub mod program;
pub mod sender;

use std::path::PathBuf;

/// The local cloud's executable, which `cargo test` builds beside the tests.
pub fn executable() -> PathBuf {
    target().join(format!("local{}", std::env::consts::EXE_SUFFIX))
}

/// A folder for what tests write.
pub fn temporary() -> PathBuf {
    let folder = target().with_file_name("tmp");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The folder of this build: a test's own executable is in `deps` below it.
fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

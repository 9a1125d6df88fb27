//! Where the repository is, and what cargo has built.

use std::path::{Path, PathBuf};

/// A released binary of ours.
pub(crate) fn ours(name: &str) -> PathBuf {
    target().join("release").join(name)
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// The folder of what cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

//! Bytes of what is deployed: each function as a zip, compressed as much as zips can be.

use std::{
    fs::File,
    io::{Cursor, Write},
    path::{Path, PathBuf},
};

use okd_local::Result;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    contenders::Contender,
    folders::{ours, root},
};

/// Bytes of a contender's zip.
pub(crate) fn zip_of(contender: Contender) -> Result<u64> {
    match contender {
        Contender::Ours => zip(&[ours("api")]),
        Contender::Bare => zip(&[ours("bare")]),
        Contender::Node => zip(&[root().join("target/bench-node/dist/index.mjs")]),
        Contender::Python => zip(&[root().join("target/bench/lib"), root().join("tests/bench/python/handler.py")]),
    }
}

fn zip(paths: &[PathBuf]) -> Result<u64> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for path in paths {
        add(&mut writer, path)?;
    }
    Ok(writer.finish()?.into_inner().len() as u64)
}

/// Adds a file, or all of a folder but what no function is deployed with.
fn add(writer: &mut ZipWriter<Cursor<Vec<u8>>>, path: &Path) -> Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            let entry = entry?.path();
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !["__pycache__", "pip", "setuptools"].contains(&name.as_str()) && !name.ends_with(".dist-info") {
                add(writer, &entry)?;
            }
        }
        return Ok(());
    }
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).compression_level(Some(9));
    writer.start_file(path.display().to_string(), options)?;
    std::io::copy(&mut File::open(path)?, writer)?;
    Ok(writer.flush()?)
}

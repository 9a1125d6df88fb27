//! `cargo run -- demo`: what a school system does, shown. A PDF of an exam is handed in inline, a large
//! file in parts; both are read back out of S3 and compared with what was sent.
#![expect(clippy::print_stdout, reason = "a command line talks to its user")]

use std::{path::PathBuf, time::Instant};

use indicatif::{ProgressBar, ProgressStyle};
use okd_core::checksum::Checksum;

use crate::{
    Cloud, Result, invariants, sample,
    sender::{Sender, Source},
};

/// The file to send.
#[derive(clap::Args)]
pub struct Arguments {
    /// The size of the large file, such as 1GiB, 64MiB or a number of bytes.
    #[arg(long, default_value = "1GiB", value_parser = parse_size)]
    size: u64,
    /// Send this file instead of a made one.
    #[arg(long)]
    file: Option<PathBuf>,
}

fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "kib" | "k" => 10,
        "mib" | "m" => 20,
        "gib" | "g" => 30,
        _ => return Err("use B, KiB, MiB or GiB".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "begin with a number".to_owned())?;
    number.checked_shl(shift).filter(|&size| size >> shift == number).ok_or_else(|| "too large".to_owned())
}

/// Shows both forms; an error where anything differs from what was sent.
pub async fn run(cloud: &Cloud, arguments: &Arguments) -> Result<()> {
    let token = cloud.issuer.token("local-demo", "okd:examdocuments")?;
    let mut sender = Sender::new(&cloud.url, token);

    let pdf = sample::exam_pdf();
    let began = Instant::now();
    let metadata = sample::metadata("beoordeling-100245.pdf", None);
    let id = sender.hand_in_inline(&metadata, &pdf).await?;
    let (size, elapsed) = (pdf.len(), began.elapsed());
    println!("inline    {id}  {size} bytes in {elapsed:.0?}");
    compare(cloud, &id, Checksum::sha256(&pdf)).await?;

    let folder = tempfile::tempdir_in(".").or_else(|_| tempfile::tempdir())?;
    let file = match &arguments.file {
        Some(file) => file.clone(),
        None => sample::file(&folder.path().join("exam.bin"), arguments.size).await?,
    };
    let (size, expected) = sample::digest(&file).await?;
    let progress = ProgressBar::new(size)
        .with_style(ProgressStyle::with_template("          {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}")?);
    let arrived = progress.clone();
    sender.arrived = Box::new(move |bytes| arrived.inc(bytes));
    let began = Instant::now();
    let metadata = sample::metadata("opname-100245.mp4", Some(size));
    let source = Source::File(file);
    let id = sender.hand_in_by_parts(&metadata, &source).await?.id;
    progress.finish_and_clear();
    let elapsed = began.elapsed();
    let rate = u128::from(size) * 1000 / elapsed.as_millis().max(1) / (1 << 20);
    println!("by parts  {id}  {size} bytes in {elapsed:.1?}, {rate} MiB/s");
    compare(cloud, &id, expected).await?;

    let peak = cloud.functions.get("ApiFunction");
    let peak = peak.map_or(0, |function| function.peak_memory());
    if peak > 0 {
        println!("the function's peak memory: {} MiB", peak >> 20);
    }
    Ok(())
}

/// Reads the document's object out of S3 and compares its SHA-256.
async fn compare(cloud: &Cloud, id: &str, expected: Checksum) -> Result<()> {
    let (s3, bucket) = (&cloud.s3_client, &cloud.bucket);
    let prefix = format!("local-school/{id}/");
    let listed = s3.list_objects_v2().bucket(bucket).prefix(prefix);
    let listed = listed.send().await?;
    let [object] = listed.contents() else {
        return Err(format!("{id} has not one object").into());
    };
    let key = object.key().unwrap_or_default();
    let (_, found) = invariants::digest(s3, bucket, key).await?;
    if found != expected {
        return Err(format!("{id} differs: sent {expected}, stored {found}").into());
    }
    println!("          {found}: the same in S3");
    Ok(())
}

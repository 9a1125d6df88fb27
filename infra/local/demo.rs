//! `cargo run -- demo`: what a school system does, shown. A PDF of an exam is handed in inline, a large
//! file in parts; both are read back out of S3 and compared with what was sent.
#![expect(clippy::print_stdout, reason = "a command line talks to its user")]

use std::{
    io::SeekFrom,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use aws_lc_rs::digest;
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::{Cloud, Result, sample};

/// Parts sent at once.
const PARALLEL: usize = 4;

/// What to send.
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
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "kib" | "k" => 10,
        "mib" | "m" => 20,
        "gib" | "g" => 30,
        _ => return Err("use B, KiB, MiB or GiB".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "begin with a number".to_owned())?;
    number
        .checked_shl(shift)
        .filter(|&size| size >> shift == number)
        .ok_or_else(|| "too large".to_owned())
}

/// Shows both forms; an error where anything differs from what was sent.
pub async fn run(cloud: &Cloud, arguments: &Arguments) -> Result<()> {
    let http = reqwest::Client::new();
    let token = cloud.issuer.token("local-demo", "okd:examdocuments")?;
    let sender = Sender { cloud, http, token };

    let pdf = sample::exam_pdf();
    let began = Instant::now();
    let id = sender.hand_in_inline(&pdf).await?;
    println!(
        "inline    {id}  {} bytes in {:.0?}",
        pdf.len(),
        began.elapsed()
    );
    let expected = hex(digest::digest(&digest::SHA256, &pdf).as_ref());
    sender.compare(&id, &expected).await?;

    let folder = tempfile::tempdir_in(".").or_else(|_| tempfile::tempdir())?;
    let file = match &arguments.file {
        Some(file) => file.clone(),
        None => sample::file(&folder.path().join("exam.bin"), arguments.size).await?,
    };
    let (size, expected) = digest_of(&file).await?;
    let began = Instant::now();
    let id = sender.hand_in_by_parts(&file, size).await?;
    let elapsed = began.elapsed();
    let rate = u128::from(size) * 1000 / elapsed.as_millis().max(1) / (1 << 20);
    println!("by parts  {id}  {size} bytes in {elapsed:.1?}, {rate} MiB/s");
    sender.compare(&id, &expected).await?;

    if let Some(function) = cloud
        .functions
        .get("ApiFunction")
        .filter(|function| function.peak_memory() > 0)
    {
        println!(
            "the function's peak memory: {} MiB",
            function.peak_memory() >> 20
        );
    }
    Ok(())
}

struct Sender<'a> {
    cloud: &'a Cloud,
    http: reqwest::Client,
    token: String,
}

impl Sender<'_> {
    async fn hand_in_inline(&self, pdf: &[u8]) -> Result<String> {
        let metadata = sample::metadata("beoordeling-100245.pdf", None);
        let mut body = form_part(
            "metadata",
            "application/json",
            metadata.to_string().as_bytes(),
        );
        body.extend(form_part(
            "file\"; filename=\"beoordeling-100245.pdf",
            "application/pdf",
            pdf,
        ));
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let answer = self
            .http
            .put(self.association(&metadata))
            .bearer_auth(&self.token)
            .header(
                "content-type",
                format!("multipart/form-data; boundary={BOUNDARY}"),
            )
            .body(body)
            .send()
            .await?;
        id_of(&expect(answer, 200).await?)
    }

    async fn hand_in_by_parts(&self, file: &Path, size: u64) -> Result<String> {
        let metadata = sample::metadata("opname-100245.mp4", Some(size));
        let answer = self
            .http
            .put(self.association(&metadata))
            .bearer_auth(&self.token)
            .json(&metadata)
            .send()
            .await?;
        let offer = expect(answer, 202).await?;
        let progress = ProgressBar::new(size).with_style(ProgressStyle::with_template(
            "          {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}",
        )?);
        let parts = offer["upload"]["parts"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        stream::iter(parts)
            .map(|part| self.send_part(file, part, &progress))
            .buffer_unordered(PARALLEL)
            .try_collect::<()>()
            .await?;
        progress.finish_and_clear();
        self.complete(&offer["upload"]["complete"]).await
    }

    /// No token and no headers but the length: the URL is the permission.
    async fn send_part(&self, file: &Path, part: Value, progress: &ProgressBar) -> Result<()> {
        let (Some(offset), Some(size), Some(href)) = (
            part["offset"].as_u64(),
            part["size"].as_u64(),
            part["href"].as_str(),
        ) else {
            return Err("the upload has a part without offset, size or href".into());
        };
        let mut file = tokio::fs::File::open(file).await?;
        file.seek(SeekFrom::Start(offset)).await?;
        let mut bytes = vec![0; usize::try_from(size)?];
        file.read_exact(&mut bytes).await?;
        let answer = self.http.put(href).body(bytes).send().await?;
        if !answer.status().is_success() {
            return Err(format!(
                "S3 refused a part: {} {}",
                answer.status(),
                answer.text().await?
            )
            .into());
        }
        progress.inc(size);
        Ok(())
    }

    async fn complete(&self, link: &Value) -> Result<String> {
        let href = format!(
            "{}{}",
            self.cloud.url,
            link["href"].as_str().unwrap_or_default()
        );
        loop {
            let answer = self
                .http
                .post(&href)
                .bearer_auth(&self.token)
                .send()
                .await?;
            if answer.status() != 202 {
                return id_of(&expect(answer, 200).await?);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Reads the object out of S3 and compares its SHA-256.
    async fn compare(&self, id: &str, expected: &str) -> Result<()> {
        let s3 = &self.cloud.s3_client;
        let prefix = format!("local-school/{id}/");
        let listed = s3
            .list_objects_v2()
            .bucket(&self.cloud.bucket)
            .prefix(prefix)
            .send()
            .await?;
        let [object] = listed.contents() else {
            return Err(format!("{id} has not one object").into());
        };
        let mut body = s3
            .get_object()
            .bucket(&self.cloud.bucket)
            .key(object.key().unwrap_or_default())
            .send()
            .await?
            .body;
        let mut digest = digest::Context::new(&digest::SHA256);
        while let Some(chunk) = body.try_next().await? {
            digest.update(&chunk);
        }
        let found = hex(digest.finish().as_ref());
        if found != expected {
            return Err(format!("{id} differs: sent sha-256 {expected}, stored {found}").into());
        }
        println!("          sha-256 {found}: the same in S3");
        Ok(())
    }

    fn association(&self, metadata: &Value) -> String {
        format!(
            "{}/okd/v1/associations/{}",
            self.cloud.url,
            metadata["associationId"].as_str().unwrap_or_default()
        )
    }
}

const BOUNDARY: &str = "okd-local-demo-boundary";

fn form_part(name: &str, media: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\ncontent-type: {media}\r\n\r\n"
    );
    [head.as_bytes(), bytes, b"\r\n"].concat()
}

async fn expect(answer: reqwest::Response, status: u16) -> Result<Value> {
    let found = answer.status().as_u16();
    let text = answer.text().await?;
    if found != status {
        return Err(format!("expected {status}, got {found}: {text}").into());
    }
    Ok(serde_json::from_str(&text)?)
}

fn id_of(answer: &Value) -> Result<String> {
    Ok(answer["dmsDocumentId"]
        .as_str()
        .ok_or("the answer has no dmsDocumentId")?
        .to_owned())
}

async fn digest_of(path: &Path) -> Result<(u64, String)> {
    let mut file = tokio::fs::File::open(path).await?;
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut block = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        match file.read(&mut block).await? {
            0 => return Ok((size, hex(digest.finish().as_ref()))),
            length => {
                digest.update(&block[..length]);
                size += length as u64;
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! What a school system does, shown: a PDF of an exam handed in inline, a large file in parts, both read
//! back out of S3 and compared. Also the curl lines that `cargo run` greets with.
#![expect(clippy::print_stdout, reason = "a command line talks to its user")]

use std::{
    io::SeekFrom,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use aws_lc_rs::digest;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::{Cloud, FUNCTIONS_LOG, Result};

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
    let http = reqwest::Client::new();
    let token = cloud.issuer.token("local-demo", "okd:examdocuments")?;
    let sender = Sender { cloud, http, token };

    let pdf = exam_pdf();
    let began = Instant::now();
    let id = sender.hand_in_inline(&pdf).await?;
    println!("inline    {id}  {} bytes in {:.0?}", pdf.len(), began.elapsed());
    let expected = hex(digest::digest(&digest::SHA256, &pdf).as_ref());
    sender.compare(&id, &expected).await?;

    let folder = tempfile::tempdir_in(".").or_else(|_| tempfile::tempdir())?;
    let file = match &arguments.file {
        Some(file) => file.clone(),
        None => made_file(&folder.path().join("exam.bin"), arguments.size).await?,
    };
    let (size, expected) = digest_of(&file).await?;
    let began = Instant::now();
    let id = sender.hand_in_by_parts(&file, size).await?;
    let elapsed = began.elapsed();
    let rate = size as f64 / elapsed.as_secs_f64() / f64::from(1 << 20);
    println!("by parts  {id}  {size} bytes in {elapsed:.1?}, {rate:.0} MiB/s");
    sender.compare(&id, &expected).await?;

    if let Some(function) = cloud.functions.get("ApiFunction").filter(|function| function.peak_memory() > 0) {
        println!("the function's peak memory: {} MiB", function.peak_memory() >> 20);
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
        let metadata = metadata("beoordeling-100245.pdf", None);
        let mut body = form_part("metadata", "application/json", metadata["body"].to_string().as_bytes());
        body.extend(form_part("file\"; filename=\"beoordeling-100245.pdf", "application/pdf", pdf));
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let answer = self
            .http
            .put(self.association(&metadata))
            .bearer_auth(&self.token)
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(body)
            .send()
            .await?;
        id_of(&expect(answer, 200).await?)
    }

    async fn hand_in_by_parts(&self, file: &Path, size: u64) -> Result<String> {
        let metadata = metadata("opname-100245.mp4", Some(size));
        let answer = self
            .http
            .put(self.association(&metadata))
            .bearer_auth(&self.token)
            .json(&metadata["body"])
            .send()
            .await?;
        let offer = expect(answer, 202).await?;
        let progress = ProgressBar::new(size)
            .with_style(ProgressStyle::with_template("          {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}")?);
        let parts = offer["upload"]["parts"].as_array().cloned().unwrap_or_default();
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
        let (Some(offset), Some(size), Some(href)) =
            (part["offset"].as_u64(), part["size"].as_u64(), part["href"].as_str())
        else {
            return Err("the upload has a part without offset, size or href".into());
        };
        let mut file = tokio::fs::File::open(file).await?;
        file.seek(SeekFrom::Start(offset)).await?;
        let mut bytes = vec![0; usize::try_from(size)?];
        file.read_exact(&mut bytes).await?;
        let answer = self.http.put(href).body(bytes).send().await?;
        if !answer.status().is_success() {
            return Err(format!("S3 refused a part: {} {}", answer.status(), answer.text().await?).into());
        }
        progress.inc(size);
        Ok(())
    }

    async fn complete(&self, link: &Value) -> Result<String> {
        let href = format!("{}{}", self.cloud.url, link["href"].as_str().unwrap_or_default());
        loop {
            let answer = self.http.post(&href).bearer_auth(&self.token).send().await?;
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
        let listed = s3.list_objects_v2().bucket(&self.cloud.bucket).prefix(prefix).send().await?;
        let [object] = listed.contents() else { return Err(format!("{id} has not one object").into()) };
        let mut body =
            s3.get_object().bucket(&self.cloud.bucket).key(object.key().unwrap_or_default()).send().await?.body;
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
        format!("{}/okd/v1/associations/{}", self.cloud.url, metadata["body"]["associationId"].as_str().unwrap_or_default())
    }
}

const BOUNDARY: &str = "okd-local-demo-boundary";

fn form_part(name: &str, media: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\ncontent-type: {media}\r\n\r\n");
    [head.as_bytes(), bytes, b"\r\n"].concat()
}

/// The user's own example, as far as form and size ask.
fn metadata(name: &str, size: Option<u64>) -> Value {
    let mut consumer = json!({
        "consumerKey": "nl-okd",
        "documentType": "examinering",
        "documentSubtype": "examenbeoordeling",
        "documentId": uuid::Uuid::new_v4(),
        "documentName": name,
        "bewaartermijnsuggestie": "3Y",
        "examDate": "2021-09-01",
        "examName": "Examen Mediabeheer K3-W1",
    });
    if let Some(size) = size {
        consumer["documentSize"] = json!(size);
    }
    json!({ "body": {
        "associationId": "123e4567-e89b-12d3-a456-426614174000",
        "associationType": "programOfferingAssociation",
        "role": "student",
        "state": "associated",
        "consumers": [consumer],
        "person": "5ab399b8-c499-4da8-af6d-b55e66251f31",
    }})
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
    Ok(answer["dmsDocumentId"].as_str().ok_or("the answer has no dmsDocumentId")?.to_owned())
}

/// A file of `size` bytes in which no two parts are alike.
async fn made_file(path: &Path, size: u64) -> Result<PathBuf> {
    let mut file = tokio::fs::File::create(path).await?;
    let mut block = vec![0_u8; 1 << 20];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for word in block.chunks_exact_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes());
    }
    let mut left = size;
    while left > 0 {
        block[..8].copy_from_slice(&left.to_le_bytes());
        let length = usize::try_from(left.min(1 << 20))?;
        file.write_all(&block[..length]).await?;
        left -= length as u64;
    }
    file.flush().await?;
    Ok(path.to_owned())
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

/// A one-page PDF that any reader opens.
fn exam_pdf() -> Bytes {
    let text = "BT /F1 18 Tf 72 720 Td (Beoordeling Examen Mediabeheer K3-W1) Tj ET";
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{text}\nendstream", text.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut pdf = "%PDF-1.4\n".to_owned();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(pdf.len());
        pdf += &format!("{} 0 obj\n{object}\nendobj\n", index + 1);
    }
    let table = pdf.len();
    pdf += &format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for offset in offsets {
        pdf += &format!("{offset:010} 00000 n \n");
    }
    pdf += &format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1);
    pdf.into()
}

/// What `cargo run` prints: where everything is, and lines to paste.
pub fn welcome(cloud: &Cloud) -> Result<String> {
    let token = cloud.issuer.token("local-sis", "okd:examdocuments")?;
    let (url, issuer) = (&cloud.url, &cloud.issuer_url);
    let association = "123e4567-e89b-12d3-a456-426614174000";
    let metadata = |extra: &str| {
        format!(
            r#"{{"associationId":"{association}","associationType":"programOfferingAssociation","role":"student","state":"associated","consumers":[{{"consumerKey":"nl-okd","documentType":"examinering","documentSubtype":"examenbeoordeling","documentId":"dbd3e12a-ed8b-4488-ac34-26fd4f64f40b","documentName":"beoordeling-100245.pdf","bewaartermijnsuggestie":"3Y"{extra}}}]}}"#
        )
    };
    let log = cloud.data.join(FUNCTIONS_LOG).display().to_string();
    let pdf = cloud.data.join("beoordeling-100245.pdf");
    std::fs::write(&pdf, exam_pdf())?;
    let pdf = pdf.display();
    let (inline, follows) = (metadata(""), metadata(r#","documentSize":104857600"#));
    Ok(format!(
        "\
The OKD document service runs at {url} (Ctrl-C stops it; documents stay in the data folder).
Its logs go to {log}.

A token, good for an hour; {issuer}/token gives others (grant_type=client_credentials&client_id=me):
TOKEN={token}

Form A, the file inside (up to 4 MiB); 200 means stored:
curl -X PUT {url}/okd/v1/associations/{association} -H \"Authorization: Bearer $TOKEN\" \\
  -F 'metadata={inline};type=application/json' -F 'file=@{pdf};type=application/pdf'

Form B, the file follows (up to 1 GiB); 202 tells where to send its parts:
curl -X PUT {url}/okd/v1/associations/{association} -H \"Authorization: Bearer $TOKEN\" \\
  -H 'Content-Type: application/json' -d '{follows}'
"
    ))
}

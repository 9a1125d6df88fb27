//! Things to hand in: a PDF, a file of any size, and metadata for them.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use okd_core::checksum::{Checksum, Digest};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Result;

/// The metadata of an exam result, the standard's own example with a fresh `documentId`; with a size for a
/// file that follows.
pub fn metadata(name: &str, size: Option<u64>) -> Value {
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
    json!({
        "associationId": "123e4567-e89b-12d3-a456-426614174000",
        "associationType": "programOfferingAssociation",
        "role": "student",
        "state": "associated",
        "consumers": [consumer],
        "person": "5ab399b8-c499-4da8-af6d-b55e66251f31",
    })
}

/// A file of `size` bytes in which no two parts are alike.
pub async fn file(path: &Path, size: u64) -> Result<PathBuf> {
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

/// The size and SHA-256 of a file, read once and never held whole.
pub async fn digest(path: &Path) -> Result<(u64, Checksum)> {
    let mut file = tokio::fs::File::open(path).await?;
    let mut sha256 = Digest::sha256();
    let mut block = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        match file.read(&mut block).await? {
            0 => return Ok((size, sha256.finish())),
            length => {
                sha256.update(&block[..length]);
                size += length as u64;
            }
        }
    }
}

/// A one-page PDF that any reader opens.
pub fn exam_pdf() -> Bytes {
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

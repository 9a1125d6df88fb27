//! Form A's body: `multipart/form-data` (RFC 7578) with one part `metadata` and one part `file`, in either
//! order. Whatever else it holds is refused rather than dropped.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue};
use multer::{Field, Multipart};

use crate::problem::Refusal;

/// The largest file that may come inline, in bytes: Lambda takes 6 MB of event, in which a binary body
/// grows by a third (base64) and stands beside headers and metadata.
pub(crate) const MAX_INLINE_FILE: usize = 4 << 20;

/// Bytes of headers that a part may have; real ones have some hundred.
const MAX_PART_HEAD: usize = 8 * 1024;

/// Both parts, unread.
pub(crate) struct Form {
    pub(crate) metadata: Bytes,
    pub(crate) file: Bytes,
}

impl Form {
    /// Reads the body of a request with this Content-Type.
    pub(crate) async fn read(content_type: &str, body: Bytes) -> Result<Self, Refusal> {
        let boundary = multer::parse_boundary(content_type).map_err(|error| malformed(&error))?;
        let body = stream::iter([Ok::<_, std::io::Error>(body)]);
        let mut multipart = Multipart::new(body, boundary);
        let (mut metadata, mut file) = (None, None);
        while let Some(field) = multipart
            .next_field()
            .await
            .map_err(|error| malformed(&error))?
        {
            let (name, part) = match field.name() {
                Some("metadata") => ("metadata", &mut metadata),
                Some("file") => ("file", &mut file),
                other => {
                    return Err(Refusal::UnknownPart(
                        other.unwrap_or_default().chars().take(64).collect(),
                    ));
                }
            };
            if part.is_some() {
                return Err(Refusal::RepeatedPart(name));
            }
            check_encoding(&field, name)?;
            let header =
                |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
            if field.headers().iter().map(header).sum::<usize>() > MAX_PART_HEAD {
                return Err(Refusal::MalformedForm("the headers of a part are too long"));
            }
            *part = Some(field.bytes().await.map_err(|error| malformed(&error))?);
        }
        let metadata = metadata.ok_or(Refusal::MissingPart("metadata"))?;
        let file = file.ok_or(Refusal::MissingPart("file"))?;
        match file.len() {
            0 => Err(Refusal::EmptyFile),
            1..=MAX_INLINE_FILE => Ok(Self { metadata, file }),
            size => Err(Refusal::FileTooLarge { size }),
        }
    }
}

/// Bytes are taken as they stand: a part that says it is encoded would be stored wrong.
fn check_encoding(field: &Field<'_>, name: &'static str) -> Result<(), Refusal> {
    let header = field
        .headers()
        .get("content-transfer-encoding")
        .map(|value| value.as_bytes().to_ascii_lowercase());
    let plain: [&[u8]; 3] = [b"binary", b"8bit", b"7bit"];
    if header.is_some_and(|encoding| !plain.contains(&encoding.trim_ascii())) {
        return Err(Refusal::EncodedPart(name));
    }
    let charset = field
        .content_type()
        .and_then(|media| media.get_param("charset"));
    if name == "metadata"
        && charset.is_some_and(|charset| !charset.as_str().eq_ignore_ascii_case("utf-8"))
    {
        return Err(Refusal::EncodedPart(name));
    }
    Ok(())
}

fn malformed(error: &multer::Error) -> Refusal {
    let reason = match error {
        multer::Error::NoBoundary
        | multer::Error::NoMultipart
        | multer::Error::DecodeContentType(_) => "its Content-Type names no boundary",
        multer::Error::IncompleteFieldData { .. } | multer::Error::IncompleteStream => {
            "it ends before its last boundary"
        }
        _ => "the headers of a part cannot be read",
    };
    Refusal::MalformedForm(reason)
}

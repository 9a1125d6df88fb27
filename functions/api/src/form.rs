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

#[cfg(test)]
mod fuzz {
    use super::*;
    use proptest::prelude::*;

    fn read(content_type: &str, body: Vec<u8>) -> Result<Form, Refusal> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime
            .unwrap()
            .block_on(Form::read(content_type, body.into()))
    }

    /// The pieces that forms are made of, and bytes of every kind.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let known = prop::sample::select(vec![
            "--X",
            "--X--",
            "--",
            "\r\n",
            "\r",
            "\n",
            "\r\n\r\n",
            ":",
            ";",
            "\"",
            "=",
            "name=",
            "\"metadata\"",
            "\"file\"",
            "content-disposition: form-data; name=\"metadata\"\r\n\r\n",
            "content-disposition: form-data; name=\"file\"\r\n\r\n",
            "content-type: application/json; charset=utf-16\r\n",
            "content-transfer-encoding: base64\r\n",
            "{}",
            "\0",
            "--X\r\ncontent-disposition: form-data; name=\"metadata\"\r\n\r\n{}\r\n",
            "--X\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nbytes\r\n",
        ]);
        prop_oneof![
            4 => known.prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..8),
        ]
    }

    proptest! {
        #[test]
        fn whatever_comes_as_a_form_is_read_or_refused(pieces in prop::collection::vec(piece(), 0..30)) {
            if let Ok(form) = read("multipart/form-data; boundary=X", pieces.concat()) {
                prop_assert!(!form.file.is_empty());
            }
        }

        #[test]
        fn whatever_comes_as_the_media_type_of_a_form_is_read_or_refused(media in "multipart/form-data[ -~]{0,40}") {
            let _ = read(&media, b"--X--\r\n".to_vec());
        }

        /// Unless it holds the boundary at the start of a line, a file is what it was, byte for byte.
        #[test]
        fn a_file_of_whatever_bytes_is_read_as_it_is(pieces in prop::collection::vec(piece(), 1..30)) {
            let file = pieces.concat();
            let lines = [b"\r\n", &file[..]].concat();
            prop_assume!(!file.is_empty() && !lines.windows(6).any(|window| window == b"\r\n--XY"));
            let head = b"--XY\r\ncontent-disposition: form-data; name=\"metadata\"\r\n\r\n{}\r\n--XY\r\ncontent-disposition: \
                form-data; name=\"file\"\r\n\r\n";
            let body = [head, &file[..], b"\r\n--XY--\r\n"].concat();
            let form = read("multipart/form-data; boundary=XY", body);
            prop_assert!(form.is_ok(), "{:?}", form.err());
            prop_assert_eq!(form.map(|form| form.file).unwrap_or_default(), file);
        }
    }
}

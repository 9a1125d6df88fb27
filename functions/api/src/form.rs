//! Form A's body: `multipart/form-data` (RFC 7578) with one part `metadata` and one part `file`, in either
//! order. Any other part is refused rather than dropped.

use bytes::Bytes;
use okd_core::{metadata::SentFile, parts::MAX_INLINE_FILE};

use crate::multipart::{self, Malformed, Part, Parts};

/// Reasons why a form is not one of metadata and a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FormFault {
    /// It cannot be read.
    Malformed(Malformed),
    /// It has no part of this name.
    MissingPart(&'static str),
    /// It has two parts of this name.
    RepeatedPart(&'static str),
    /// It has a part of a name that is none of ours.
    UnknownPart(String),
    /// It has a part without a name.
    UnnamedPart,
    /// The part of this name says that it is encoded.
    EncodedPart(&'static str),
    /// The file has no bytes.
    EmptyFile,
    /// The file has more bytes than may come inline.
    FileTooLarge { size: usize },
}

/// Both parts, unread.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) metadata: Bytes,
    pub(crate) file: Bytes,
    file_name: Option<String>,
    file_type: Option<String>,
}

impl Form {
    /// Reads the body of a request with this Content-Type.
    pub(crate) fn read(content_type: &str, body: Bytes) -> Result<Self, FormFault> {
        let boundary = multipart::boundary(content_type)?;
        let mut parts = Parts::of(body, &boundary)?;
        let (mut metadata, mut file) = (None, None);
        while let Some(part) = parts.next()? {
            let disposition = part.valued("content-disposition")?;
            let disposition = disposition.filter(|valued| valued.value == "form-data");
            let disposition = disposition.ok_or(FormFault::UnnamedPart)?;
            if disposition.is_extended("name") {
                return Err(Malformed::ExtendedName.into());
            }
            let (name, place) = match disposition.get("name") {
                Some("metadata") => ("metadata", &mut metadata),
                Some("file") => ("file", &mut file),
                Some(other) => return Err(FormFault::UnknownPart(other.chars().take(64).collect())),
                None => return Err(FormFault::UnnamedPart),
            };
            if place.is_some() {
                return Err(FormFault::RepeatedPart(name));
            }
            check_heads(&part, name)?;
            *place = Some((part, disposition.get_extended("filename")));
        }
        let (metadata, _) = metadata.ok_or(FormFault::MissingPart("metadata"))?;
        let (file, file_name) = file.ok_or(FormFault::MissingPart("file"))?;
        match file.bytes.len() {
            0 => Err(FormFault::EmptyFile),
            1..=MAX_INLINE_FILE => Ok(Self {
                metadata: metadata.bytes,
                file_name: file_name.filter(|name| !name.is_empty()),
                file_type: file.header("content-type").map(str::to_owned),
                file: file.bytes,
            }),
            size => Err(FormFault::FileTooLarge { size }),
        }
    }

    /// The file as its part describes it.
    pub(crate) fn sent_file(&self) -> SentFile<'_> {
        SentFile { name: self.file_name.as_deref(), content_type: self.file_type.as_deref(), bytes: &self.file }
    }
}

impl From<Malformed> for FormFault {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Refuses a part that says it is encoded, since its bytes are stored as they are, and a Content-Type that readers
/// could take for different ones. A charset label has no effect on JSON (RFC 8259, section 11): the bytes are what
/// counts.
fn check_heads(part: &Part, name: &'static str) -> Result<(), FormFault> {
    let encoding = part.header("content-transfer-encoding").map(str::to_ascii_lowercase);
    if encoding.is_some_and(|encoding| !["binary", "8bit", "7bit"].contains(&encoding.as_str())) {
        return Err(FormFault::EncodedPart(name));
    }
    match part.valued("content-type") {
        Err(Malformed::Twice) => Err(Malformed::Twice.into()),
        // One that cannot be read is ignored.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;
    use proptest::prelude::*;

    /// The pieces that forms are made of, and bytes of every kind.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let known = prop::sample::select(vec![
            "--X",
            "--X--",
            "--",
            "\r\n",
            "\r",
            "\n",
            "\r\n ",
            "\r\n\r\n",
            ":",
            ";",
            "\"",
            "\\",
            "=",
            "name=",
            "filename*0*=",
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
            if let Ok(form) = Form::read("multipart/form-data; boundary=X", pieces.concat().into()) {
                prop_assert!(!form.file.is_empty());
            }
        }

        #[test]
        fn whatever_comes_as_the_media_type_of_a_form_is_read_or_refused(media in "multipart/form-data[ -~]{0,40}") {
            let _ = Form::read(&media, Bytes::from_static(b"--X--\r\n"));
        }

        /// Unless it holds the boundary as a line of its own, a file is what it was, byte for byte.
        #[test]
        fn a_file_of_whatever_bytes_is_read_as_it_is(
            pieces in prop::collection::vec(piece(), 1..30), folded in any::<bool>(), preamble in any::<bool>(),
        ) {
            let file = pieces.concat();
            let lines = [b"\r\n", &file[..]].concat();
            prop_assume!(!file.is_empty() && !lines.windows(6).any(|window| window == b"\r\n--XY"));
            let fold = if folded { ";\r\n\t" } else { "; " };
            let before = if preamble { "a form --XY\r\n" } else { "" };
            let head = format!("{before}--XY\r\ncontent-disposition: form-data{fold}name=\"metadata\"\r\n\r\n{{}}\r\n--XY \r\n\
                content-disposition: form-data{fold}name=\"file\"\r\n\r\n");
            let body = [head.as_bytes(), &file[..], b"\r\n--XY--"].concat();
            let form = Form::read("multipart/form-data; boundary=XY", body.into());
            prop_assert!(form.is_ok(), "{:?}", form.err());
            prop_assert_eq!(form.map(|form| form.file).unwrap_or_default(), file);
        }
    }
}

//! Form A's body: `multipart/form-data` (RFC 7578) with one part `metadata` and one part `file`, in either
//! order. Any other part is refused rather than dropped.

use bytes::Bytes;
use okd_core::{metadata::SentFile, parts::MAX_INLINE_FILE};
use okd_form::{
    fault::{Kind, Seen},
    multipart::{self, Part, Parts},
};

/// Reasons why a form is not one of metadata and a file that may come inside a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FormFault {
    /// It is no such form.
    Form(okd_form::fault::FormFault),
    /// The file has no bytes.
    EmptyFile,
    /// The file has more bytes than may come inline.
    FileTooLarge { size: usize },
}

/// Both parts, unread.
#[derive(Debug, Default)]
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
        let (mut seen, mut form) = (Seen::default(), Self::default());
        while let Some(Part { head, bytes }) = parts.next_part()? {
            match seen.kind_of(&head)? {
                Kind::Metadata => form.metadata = bytes,
                Kind::File { name, media } => (form.file, form.file_name, form.file_type) = (bytes, name, media),
            }
        }
        seen.both()?;
        match form.file.len() {
            0 => Err(FormFault::EmptyFile),
            1..=MAX_INLINE_FILE => Ok(form),
            size => Err(FormFault::FileTooLarge { size }),
        }
    }

    /// The file as its part describes it.
    pub(crate) fn sent_file(&self) -> SentFile<'_> {
        SentFile { name: self.file_name.as_deref(), content_type: self.file_type.as_deref(), bytes: &self.file }
    }
}

impl<T: Into<okd_form::fault::FormFault>> From<T> for FormFault {
    fn from(fault: T) -> Self {
        Self::Form(fault.into())
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

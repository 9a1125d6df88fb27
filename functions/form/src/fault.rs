//! What is wrong with a form, and which part is which.

use crate::{
    multipart::{Head, Malformed},
    parameters::Valued,
};

/// Reasons why a form is not one of metadata and a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormFault {
    /// It cannot be read.
    #[error("The multipart/form-data body cannot be read: {0}. Let an HTTP library build it, or see RFC 7578.")]
    Malformed(#[from] Malformed),
    /// It has no part of this name.
    #[error("The form has no part named {0}. Send one part metadata and one part file.")]
    MissingPart(&'static str),
    /// It has two parts of this name.
    #[error("The form has two parts named {0}. Hand in one document a request.")]
    RepeatedPart(&'static str),
    /// It has a part of a name that is none of ours.
    #[error("The form has a part named {0:?}. Send one part metadata and one part file, and nothing else.")]
    UnknownPart(String),
    /// It has a part without a name.
    #[error(
        "The form has a part without a name. Each part has a Content-Disposition such as form-data; name=\"file\"."
    )]
    UnnamedPart,
    /// The part of this name says that it is encoded.
    #[error(
        "The part {0} is encoded. Send the file's bytes as they are, without Content-Transfer-Encoding, and the metadata \
         in UTF-8."
    )]
    EncodedPart(&'static str),
}

/// The parts of a form that have come, each at most once.
#[derive(Debug, Default)]
pub struct Seen {
    metadata: bool,
    file: bool,
}

/// One of the two parts.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// The metadata.
    Metadata,
    /// The file, with its name and its media type, where the part says them.
    File {
        /// Its name.
        name: Option<String>,
        /// Its Content-Type, as sent.
        media: Option<String>,
    },
}

impl Seen {
    /// Tells which part has this head.
    pub fn kind_of(&mut self, head: &Head) -> Result<Kind, FormFault> {
        let disposition = head.valued("content-disposition")?;
        let disposition = disposition.filter(|valued| valued.value == "form-data");
        let disposition = disposition.ok_or(FormFault::UnnamedPart)?;
        if disposition.is_extended("name") {
            return Err(Malformed::ExtendedName.into());
        }
        let (name, seen) = match disposition.get("name") {
            Some("metadata") => ("metadata", &mut self.metadata),
            Some("file") => ("file", &mut self.file),
            Some(other) => return Err(FormFault::UnknownPart(other.chars().take(64).collect())),
            None => return Err(FormFault::UnnamedPart),
        };
        if std::mem::replace(seen, true) {
            return Err(FormFault::RepeatedPart(name));
        }
        check_heads(head, name)?;
        Ok(if name == "metadata" { Kind::Metadata } else { file(head, &disposition) })
    }

    /// Refuses a form that ends now, unless it has both parts.
    pub fn both(&self) -> Result<(), FormFault> {
        match self {
            Self { metadata: false, .. } => Err(FormFault::MissingPart("metadata")),
            Self { file: false, .. } => Err(FormFault::MissingPart("file")),
            Self { metadata: true, file: true } => Ok(()),
        }
    }
}

fn file(head: &Head, disposition: &Valued) -> Kind {
    let name = disposition.get_extended("filename").filter(|name| !name.is_empty());
    Kind::File { name, media: head.header("content-type").map(str::to_owned) }
}

/// Refuses a part that says it is encoded, since its bytes are stored as they are, and a Content-Type that readers
/// could take for different ones. A charset label has no effect on JSON (RFC 8259, section 11): the bytes are what
/// counts.
fn check_heads(head: &Head, name: &'static str) -> Result<(), FormFault> {
    let encoding = head.header("content-transfer-encoding").map(str::to_ascii_lowercase);
    if encoding.is_some_and(|encoding| !["binary", "8bit", "7bit"].contains(&encoding.as_str())) {
        return Err(FormFault::EncodedPart(name));
    }
    match head.valued("content-type") {
        Err(Malformed::Twice) => Err(Malformed::Twice.into()),
        // One that cannot be read is ignored.
        _ => Ok(()),
    }
}

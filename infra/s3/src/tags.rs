//! Object tags.

use http::StatusCode;
use s3s::dto::Tag;
use s3s::{S3Result, s3_error};

use crate::{percent, refusal};

/// The tags of `x-amz-tagging`, written as a query string.
pub(crate) fn parse_tags(header: &str) -> S3Result<Vec<Tag>> {
    let invalid = || {
        s3_error!(
            InvalidArgument,
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates."
        )
    };
    let tags: Vec<Tag> = percent::decode_form(header)
        .ok_or_else(invalid)?
        .into_iter()
        .map(|(key, value)| Tag { key: Some(key), value: Some(value) })
        .collect();
    check_tags(&tags)?;
    Ok(tags)
}

pub(crate) fn check_tags(tags: &[Tag]) -> S3Result {
    if tags.len() > 10 {
        return Err(refusal("BadRequest", StatusCode::BAD_REQUEST, "Object tags cannot be greater than 10"));
    }
    for (at, tag) in tags.iter().enumerate() {
        let length = |text: &Option<String>| text.as_deref().unwrap_or_default().chars().count();
        if !(1..=128).contains(&length(&tag.key)) {
            return Err(s3_error!(InvalidTag, "The TagKey you have provided is invalid"));
        }
        if length(&tag.value) > 256 {
            return Err(s3_error!(InvalidTag, "The TagValue you have provided is invalid"));
        }
        if tags[..at].iter().any(|earlier| earlier.key == tag.key) {
            return Err(s3_error!(InvalidTag, "Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(())
}

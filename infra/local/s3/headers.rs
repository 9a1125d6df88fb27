//! The headers that S3 keeps for the client and gives back with the object.

use s3s::dto::{Metadata, Timestamp};
use serde::{Deserialize, Serialize};

/// The headers that S3 keeps for the client and gives back with the object.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Headers {
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) expires: Option<Timestamp>,
    pub(super) metadata: Option<Metadata>,
}

/// The headers to keep out of any of the inputs that create an object.
macro_rules! headers_of {
    ($input:expr) => {
        $crate::s3::headers::Headers {
            cache_control: $input.cache_control,
            content_disposition: $input.content_disposition,
            content_encoding: $crate::s3::headers::without_aws_chunked($input.content_encoding),
            content_language: $input.content_language,
            content_type: $input.content_type,
            expires: $input.expires,
            metadata: $input.metadata,
        }
    };
}
pub(super) use headers_of;

/// `aws-chunked` is how the body travelled, no property of the object.
pub(super) fn without_aws_chunked(encoding: Option<String>) -> Option<String> {
    let encoding = encoding?;
    let kept: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|coding| !coding.is_empty() && *coding != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

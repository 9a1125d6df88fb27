//! The headers that S3 keeps for the client and gives back with the object.

use s3s::dto::{Metadata, Timestamp};
use serde::{Deserialize, Serialize};

/// The headers that S3 keeps for the client and gives back with the object.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Headers {
    pub(crate) cache_control: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) metadata: Option<Metadata>,
}

/// The headers to keep out of any of the inputs that create an object.
macro_rules! headers_of {
    ($input:expr) => {
        $crate::headers::Headers {
            cache_control: $input.cache_control,
            content_disposition: $input.content_disposition,
            content_encoding: $crate::headers::without_aws_chunked($input.content_encoding),
            content_language: $input.content_language,
            content_type: $input.content_type,
            expires: $input.expires,
            metadata: $input.metadata,
        }
    };
}
pub(crate) use headers_of;

/// `aws-chunked` is how the body travelled, no property of the object.
pub(crate) fn without_aws_chunked(encoding: Option<String>) -> Option<String> {
    let encoding = encoding?;
    let kept: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|coding| !coding.is_empty() && *coding != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

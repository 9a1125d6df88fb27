//! A client's claims about a body that it sends, in `Content-MD5` and `x-amz-checksum-*` headers or in
//! the trailer after the body.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, StatusCode};
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders, s3_error};

use crate::checksums::{Algorithm, Sums, bad_digest, decode};
use crate::refusal;

/// A client's claims about a body: the sums that it must have.
pub(crate) struct Claims {
    md5: Option<[u8; 16]>,
    /// `None` for the value: it comes in the trailer, after the body.
    sum: Option<(Algorithm, Option<String>)>,
}

impl Claims {
    pub(crate) fn read(headers: &HeaderMap, md5: Option<&str>, given: Vec<(Algorithm, String)>) -> S3Result<Claims> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let md5 = md5.map(decode_md5).transpose()?;
        if given.len() > 1 {
            return Err(s3_error!(
                InvalidRequest,
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
            ));
        }
        let trailer = text("x-amz-trailer").unwrap_or_default().trim().to_ascii_lowercase();
        let in_trailer = Algorithm::ALL.into_iter().find(|algorithm| algorithm.header() == trailer);
        let sum = match (given.into_iter().next(), in_trailer) {
            (Some((algorithm, value)), _) => {
                if decode(algorithm, &value).is_none() {
                    return Err(invalid_value(algorithm));
                }
                Some((algorithm, Some(value)))
            }
            (None, in_trailer) => in_trailer.map(|algorithm| (algorithm, None)),
        };
        if sum.is_none() && text("x-amz-sdk-checksum-algorithm").is_some() {
            return Err(s3_error!(
                InvalidRequest,
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
            ));
        }
        Ok(Claims { md5, sum })
    }

    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        self.sum.as_ref().map(|(algorithm, _)| *algorithm)
    }

    /// Compares with what was computed. Only after the body: a trailer is known then.
    pub(crate) fn check(&self, md5: [u8; 16], sums: &Sums, trailer: Option<&TrailingHeaders>) -> S3Result {
        if self.md5.is_some_and(|claimed| claimed != md5) {
            let message = "The Content-MD5 you specified did not match what we received.";
            return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
        }
        let Some((algorithm, value)) = &self.sum else {
            return Ok(());
        };
        let in_trailer = || {
            let found = trailer?.read(|headers| headers.get(algorithm.header()).cloned())??;
            found.to_str().ok().map(str::to_owned)
        };
        let claimed = value.clone().or_else(in_trailer).ok_or_else(|| {
            let message =
                "The request contained trailing data that was not well-formed or did not conform to our published schema.";
            refusal("MalformedTrailerError", StatusCode::BAD_REQUEST, message)
        })?;
        let bytes = decode(*algorithm, &claimed).ok_or_else(|| invalid_value(*algorithm))?;
        if decode(*algorithm, &sums.get(*algorithm)) != Some(bytes) {
            return Err(bad_digest(algorithm.name()));
        }
        Ok(())
    }
}

fn invalid_value(algorithm: Algorithm) -> S3Error {
    s3_error!(InvalidRequest, "Value for {} header is invalid.", algorithm.header())
}

fn decode_md5(header: &str) -> S3Result<[u8; 16]> {
    let bytes = BASE64_STANDARD.decode(header).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid."))
}

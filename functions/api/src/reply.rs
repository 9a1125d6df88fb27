//! The body of an answer: there as a whole, or on its way from S3.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body as HttpBody, Frame};
use lambda_http::{Body, Error};
use okd_core::stores::FileStream;

/// The body of an answer.
#[derive(Debug)]
pub enum ReplyBody {
    /// It is all there.
    Whole(Body),
    /// It is read as it is sent, where the gateway takes streams.
    Streamed(FileStream),
}

impl ReplyBody {
    /// The body as a whole; `None` of a stream.
    pub(crate) fn whole(self) -> Option<Body> {
        match self {
            Self::Whole(body) => Some(body),
            Self::Streamed(_) => None,
        }
    }
}

impl From<Body> for ReplyBody {
    fn from(body: Body) -> Self {
        Self::Whole(body)
    }
}

/// Ends the process in the midst of an answer: only so does its reader see that it broke off. (`lambda_runtime` would write
/// the error among the file's bytes, and end the answer well.) The process has no other request in hand.
fn break_off(error: &okd_core::Error) -> ! {
    tracing::error!(cause = error.to_string(), "a file cannot be read to its end");
    std::process::exit(1)
}

impl HttpBody for ReplyBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(context),
            Self::Streamed(file) => {
                let next = Pin::new(file).poll_next(context);
                next.map(|next| next.map(|read| Ok(Frame::data(read.unwrap_or_else(|error| break_off(&error))))))
            }
        }
    }
}

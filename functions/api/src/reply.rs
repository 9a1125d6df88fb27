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
                next.map(|next| next.map(|read| read.map(Frame::data).map_err(Into::into)))
            }
        }
    }
}

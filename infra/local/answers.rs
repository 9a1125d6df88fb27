//! What a function answers: all at once, or as a stream (Lambda's custom runtimes, "Response streaming": a JSON head, eight NUL
//! bytes, then the body).

use axum::body::{Body, Bytes};
use futures_util::stream;
use http_body_util::BodyExt;
use tokio::sync::mpsc;

/// The end of a stream's head.
const END_OF_HEAD: [u8; 8] = [0; 8];
/// Pieces of a stream that wait for their reader: then the function waits too.
const AHEAD: usize = 8;

/// The answer of a function.
#[derive(Debug)]
pub struct Answer {
    /// The whole answer, or the head of a stream.
    pub head: Bytes,
    /// The rest of a stream.
    pub rest: Option<Rest>,
}

/// The rest of a stream.
#[derive(Debug)]
pub struct Rest(mpsc::Receiver<Result<Bytes, Broken>>);

/// A stream that its function did not end.
#[derive(Debug, thiserror::Error)]
#[error("the function broke its answer off")]
pub struct Broken;

impl Rest {
    /// The body of an HTTP response, which breaks where the stream does.
    pub(crate) fn into_body(self) -> Body {
        Body::from_stream(stream::unfold(Some(self.0), async |pieces| {
            let mut pieces = pieces?;
            match pieces.recv().await? {
                Ok(piece) => Some((Ok(piece), Some(pieces))),
                Err(broken) => Some((Err(broken), None)),
            }
        }))
    }
}

/// Reads an answer that came at once.
pub(crate) async fn whole(body: Body) -> Result<Answer, Broken> {
    let collected = body.collect().await.map_err(|_| Broken)?;
    Ok(Answer { head: collected.to_bytes(), rest: None })
}

/// Reads the head of a stream, hands it over by `begin`, and passes the rest on as it comes. Where the reader goes, the rest
/// is read all the same: Lambda does not tell the function ("Response streaming for Lambda functions"), and one whose
/// connection broke would end.
pub(crate) async fn stream(mut body: Body, begin: impl FnOnce(Answer)) {
    let mut head = Vec::new();
    let (sender, receiver) = mpsc::channel(AHEAD);
    loop {
        let Ok(Some(piece)) = next(&mut body).await else {
            // Without its end there is no answer.
            return;
        };
        head.extend_from_slice(&piece);
        if let Some(end) = head.windows(END_OF_HEAD.len()).position(|bytes| bytes == END_OF_HEAD) {
            let rest = head.split_off(end + END_OF_HEAD.len());
            head.truncate(end);
            if !rest.is_empty() {
                let _ = sender.send(Ok(rest.into())).await;
            }
            break;
        }
    }
    begin(Answer { head: head.into(), rest: Some(Rest(receiver)) });
    loop {
        match next(&mut body).await {
            Ok(None) => return,
            Ok(Some(piece)) => {
                // Fails where the reader has gone.
                let _ = sender.send(Ok(piece)).await;
            }
            Err(broken) => {
                let _ = sender.send(Err(broken)).await;
                return;
            }
        }
    }
}

/// The next piece; `None` at the end. A function that fails in the midst says so in trailers.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Broken> {
    let Some(frame) = body.frame().await else {
        return Ok(None);
    };
    let frame = frame.map_err(|_| Broken)?;
    frame.into_data().map(Some).map_err(|_| Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body of these pieces, which breaks after them if it is to.
    fn body(pieces: &[&'static [u8]], breaks: bool) -> Body {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
        let end = breaks.then(|| Err(Broken));
        Body::from_stream(stream::iter(pieces.into_iter().chain(end)))
    }

    /// The head and the rest of an answer; `None` for a rest that breaks off.
    async fn read(body: Body) -> Option<(Bytes, Option<Bytes>)> {
        let mut answer = None;
        super::stream(body, |begun| answer = Some(begun)).await;
        let Answer { head, rest } = answer?;
        let rest = rest?.into_body().collect().await;
        Some((head, rest.ok().map(http_body_util::Collected::to_bytes)))
    }

    #[tokio::test]
    async fn the_head_of_a_stream_ends_with_eight_nul_bytes_wherever_its_pieces_end() {
        let expected = Some((Bytes::from_static(b"{}"), Some(Bytes::from_static(b"\0body"))));
        for pieces in [
            &[&b"{}\0\0\0\0\0\0\0\0\0body"[..]][..],
            &[b"{", b"}\0\0\0", b"\0\0\0\0", b"\0", b"\0bo", b"dy"],
            &[b"{}", b"\0\0\0\0\0\0\0\0", b"\0body"],
        ] {
            assert_eq!(read(body(pieces, false)).await, expected, "{pieces:?}");
        }
    }

    #[tokio::test]
    async fn a_stream_that_its_function_breaks_off_breaks_off_for_its_reader() {
        let head = Bytes::from_static(b"{}");
        assert_eq!(read(body(&[b"{}\0\0\0\0\0\0\0\0bo"], true)).await, Some((head, None)));
        for (pieces, breaks) in [(&[&b"{}\0\0"[..]][..], true), (&[b"{}\0\0"], false), (&[], false)] {
            assert_eq!(read(body(pieces, breaks)).await, None, "without a head there is no answer");
        }
    }
}

//! Files while they pass: each in a file without a name, which is gone with this process, however it ends.

use std::{
    collections::VecDeque,
    fs, io,
    io::Write,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::StreamExt;
use okd_client::{Contents, Digests, Source};
use okd_form::{
    fault::{FormFault, Kind, Seen},
    incoming::{Event, Incoming},
};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinHandle,
};

use super::{
    Relay,
    problem::{Answered, Problem},
};

/// Bytes of metadata that any tenant may send, at most.
pub(super) const MAX_METADATA: usize = 64 << 10;
/// Pieces that wait for the disk.
const AHEAD: usize = 8;

/// Bytes that are read and forgotten beyond the limit, so that a sender sees why it was refused.
const BEYOND: u64 = 64 << 20;

/// The body of a request as it comes, within the relay's limits; each of its readers holds it.
#[derive(Clone)]
pub(super) struct Pieces(Arc<Mutex<Unread>>);

struct Unread {
    /// What was read of it before, to find out how long it is.
    read: VecDeque<Bytes>,
    body: BodyDataStream,
    came: u64,
    limit: u64,
    idle: u64,
}

/// Why a body broke off.
#[derive(Debug, Clone, Copy)]
pub(super) enum Broken {
    /// The sender is gone.
    Gone,
    /// It has been silent for so many seconds.
    Silent(u64),
    /// It sends more than so many bytes.
    TooLarge(u64),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the request broke off")
    }
}

impl std::error::Error for Broken {}

impl From<Broken> for Box<Problem> {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Gone => {
                Problem::malformed_form("The request ended in the middle. Nothing was stored: send it again.")
            }
            Broken::Silent(seconds) => Problem::silent(seconds),
            Broken::TooLarge(limit) => Problem::too_large(limit),
        }
    }
}

/// A file that came whole.
pub(super) struct Spooled {
    pub(super) source: Source,
    pub(super) contents: Contents,
}

/// A form that came whole.
pub(super) struct Form {
    pub(super) metadata: String,
    pub(super) file: Spooled,
    pub(super) file_name: Option<String>,
    pub(super) file_type: Option<String>,
}

impl Pieces {
    /// Those of a body.
    pub(super) fn of(body: Body, relay: &Relay) -> Self {
        let (limit, idle) = (relay.arguments.max_size, relay.arguments.idle);
        let body = body.into_data_stream();
        Self(Arc::new(Mutex::new(Unread { read: VecDeque::new(), body, came: 0, limit, idle })))
    }

    /// The next one.
    pub(super) async fn next(&self) -> Option<Result<Bytes, Broken>> {
        self.0.lock().await.next().await
    }

    /// Has these come first.
    pub(super) async fn put_back(&self, pieces: Vec<Bytes>) {
        self.0.lock().await.read = pieces.into();
    }

    /// Reads the rest and forgets it: a sender that is still sending would see its connection break instead of the answer.
    pub(super) async fn drain(&self) {
        let mut unread = self.0.lock().await;
        unread.limit = unread.limit.max(unread.came).saturating_add(BEYOND);
        while let Some(Ok(_)) = unread.next().await {}
    }
}

impl Unread {
    async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        if let Some(piece) = self.read.pop_front() {
            return Some(Ok(piece));
        }
        let Ok(piece) = tokio::time::timeout(Duration::from_secs(self.idle), self.body.next()).await else {
            return Some(Err(Broken::Silent(self.idle)));
        };
        let Ok(piece) = piece? else {
            return Some(Err(Broken::Gone));
        };
        self.came += piece.len() as u64;
        Some(if self.came > self.limit { Err(Broken::TooLarge(self.limit)) } else { Ok(piece) })
    }
}

/// Reads a form with one part `metadata` and one part `file`, in either order, as the service would.
pub(super) async fn form(relay: &Relay, boundary: &str, pieces: &Pieces) -> Answered<Form> {
    let mut incoming = Incoming::of(boundary);
    let mut seen = Seen::default();
    let (mut metadata, mut file) = (Vec::new(), None);
    let (spool, mut in_file) = (Spool::open(relay)?, false);
    loop {
        match incoming.next_event().map_err(FormFault::from)? {
            Event::Part(head) => match seen.kind_of(&head)? {
                Kind::Metadata => in_file = false,
                Kind::File { name, media } => (in_file, file) = (true, Some((name, media))),
            },
            Event::Bytes(bytes) if in_file => spool.write(relay, bytes).await?,
            Event::Bytes(bytes) => {
                metadata.extend_from_slice(&bytes);
                if metadata.len() > MAX_METADATA {
                    return Err(Problem::metadata_too_large(MAX_METADATA));
                }
            }
            Event::More => match pieces.next().await {
                Some(piece) => incoming.push(&piece?),
                None => incoming.end(),
            },
            Event::End => break,
        }
    }
    seen.both()?;
    // The mark of UTF-8 says nothing, and is left out by the service too.
    let metadata = String::from_utf8(metadata.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&metadata).to_vec());
    let metadata =
        metadata.map_err(|_| Problem::malformed_json("The metadata are not UTF-8 (RFC 8259, section 8.1)."))?;
    let (file_name, file_type) = file.unwrap_or_default();
    Ok(Form { metadata, file: spool.finish().await?, file_name, file_type })
}

/// Writes a body to disk.
pub(super) async fn file(relay: &Relay, pieces: &Pieces) -> Answered<Spooled> {
    let spool = Spool::open(relay)?;
    while let Some(piece) = pieces.next().await {
        spool.write(relay, piece?).await?;
    }
    spool.finish().await
}

/// A file that is being written, by a thread that may wait for the disk.
struct Spool {
    pieces: mpsc::Sender<Bytes>,
    written: JoinHandle<io::Result<(fs::File, Contents)>>,
}

impl Spool {
    fn open(relay: &Relay) -> Answered<Self> {
        let mut file = tempfile::tempfile_in(&relay.arguments.spool).map_err(|error| cannot_spool(&error))?;
        let (pieces, mut receiver) = mpsc::channel::<Bytes>(AHEAD);
        let written = tokio::task::spawn_blocking(move || {
            let mut digests = Digests::of_parts();
            while let Some(piece) = receiver.blocking_recv() {
                digests.update(&piece);
                file.write_all(&piece)?;
            }
            Ok((file, digests.finish()))
        });
        Ok(Self { pieces, written })
    }

    async fn write(&self, relay: &Relay, piece: Bytes) -> Answered<()> {
        relay.watch.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        // The thread ends early only where the disk is full.
        self.pieces.send(piece).await.map_err(|_| cannot_spool(&"the disk is full"))
    }

    async fn finish(self) -> Answered<Spooled> {
        drop(self.pieces);
        let written = self.written.await.map_err(|error| cannot_spool(&error))?;
        let (file, contents) = written.map_err(|error| cannot_spool(&error))?;
        Ok(Spooled { source: Source::Open(Arc::new(file)), contents })
    }
}

fn cannot_spool(error: &dyn std::fmt::Display) -> Box<Problem> {
    tracing::error!(%error, "a file cannot be spooled");
    Problem::try_again("The relay has no room for the file at this moment. Repeat the request when Retry-After says.")
}

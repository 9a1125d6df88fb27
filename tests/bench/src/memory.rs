//! One process of ours over thousands of mixed requests: what it holds must not grow.

use okd_local::Result;
use serde_json::Value;

use crate::{
    cloud::{Cloud, Wire},
    compare::GIB,
    contenders::Contender,
    events::Requests,
    figures::Memory,
    function::Function,
};

/// Bytes of the files that come inline, most of them small.
const INLINE: [usize; 11] =
    [4 << 10, 4 << 10, 4 << 10, 4 << 10, 4 << 10, 4 << 10, 64 << 10, 64 << 10, 64 << 10, 1 << 20, (4 << 20) - 64];
/// Bytes of the files that follow.
const FOLLOWING: [u64; 4] = [GIB, GIB, 1 << 24, 5];

/// Sends so many requests: form A to 4 MiB, form B, status, complete, metadata, lists and refusals.
pub(crate) async fn measure(cloud: &Cloud, requests: usize) -> Result<Memory> {
    let mut function = Contender::Ours.start(cloud, Wire::Plain, &[]).await?;
    let mut senders = Mixed {
        requests: Requests { token: cloud.token(Wire::Plain) },
        random: fastrand::Rng::with_seed(7),
        file: vec![b'x'; 4 << 20],
        uploads: Vec::new(),
        stored: Vec::new(),
    };
    let began = function.used()?;
    let mut peak_early = began.peak;
    for number in 0..requests {
        senders.send(&mut function, number).await?;
        if number == requests / 10 {
            peak_early = function.used()?.peak;
        }
    }
    let used = function.used()?;
    #[expect(clippy::cast_precision_loss, reason = "some thousand")]
    let cpu = (used.cpu - began.cpu) / requests as f64;
    Ok(Memory { requests, resident: used.resident, peak: used.peak, peak_early, cpu })
}

/// Senders of all sorts.
struct Mixed<'a> {
    requests: Requests<'a>,
    random: fastrand::Rng,
    file: Vec<u8>,
    /// Uploads that are open.
    uploads: Vec<Value>,
    /// Ids of documents that are stored.
    stored: Vec<String>,
}

impl Mixed<'_> {
    async fn send(&mut self, function: &mut Function, number: usize) -> Result<()> {
        let Self { requests, random, file, uploads, stored } = self;
        let drawn = random.usize(..100);
        match drawn {
            0..30 => {
                let size = INLINE[random.usize(..INLINE.len())];
                // No two files are alike.
                file[..8].copy_from_slice(&number.to_le_bytes());
                let answered = function.expect(requests.inline(&file[..size]), 200).await?;
                stored.extend(answered.body()?["dmsDocumentId"].as_str().map(str::to_owned));
            }
            30..35 => drop(function.expect(requests.broken(), 400).await?),
            35..50 if !stored.is_empty() => {
                let id = &stored[random.usize(..stored.len())];
                function.expect(requests.metadata(id), 200).await?;
            }
            50..55 => drop(function.expect(requests.list(), 200).await?),
            55..65 if !uploads.is_empty() => {
                let upload = &uploads[random.usize(..uploads.len())];
                function.expect(requests.follow(&upload["status"]), 200).await?;
            }
            65..75 if !uploads.is_empty() => {
                let upload = uploads.swap_remove(random.usize(..uploads.len()));
                // Its parts never came.
                function.expect(requests.follow(&upload["complete"]), 409).await?;
                function.expect(requests.follow(&upload["abort"]), 204).await?;
            }
            _ => {
                let size = FOLLOWING[random.usize(..FOLLOWING.len())];
                let answered = function.expect(requests.offer(size), 202).await?;
                uploads.push(answered.body()?["upload"].take());
                if uploads.len() > 100 {
                    let upload = uploads.swap_remove(0);
                    function.expect(requests.follow(&upload["abort"]), 204).await?;
                }
            }
        }
        Ok(())
    }
}

//! Ours, the bare one, Node and Python in turn: cold starts, warm requests, CPU, memory, zip.

use std::collections::BTreeMap;

use okd_core::parts::STANDARD_DOCUMENT;
use okd_local::Result;

use crate::{
    cloud::{Cloud, Wire},
    contenders::Contender,
    events::Requests,
    figures::{Compared, Spread, ms, quantile},
    function::{Answered, Function},
    sizes,
};

/// Bytes of a file that takes 64 parts: the largest of the standard.
pub(crate) const GIB: u64 = STANDARD_DOCUMENT;
/// Requests that warm a function up.
const WARM_UP: usize = 50;

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) cold_starts: usize,
    pub(crate) batches: usize,
    pub(crate) batch: usize,
}

/// What was seen of one function.
#[derive(Default)]
struct Seen {
    to_poll: Vec<f64>,
    to_answer: Vec<f64>,
    cpu_to_answer: Vec<f64>,
    took: Vec<f64>,
    cpu: Vec<f64>,
    resident: u64,
}

/// Measures all of them over TLS, turn by turn, so that what disturbs one disturbs all.
pub(crate) async fn compare(cloud: &Cloud, effort: Effort) -> Result<BTreeMap<String, Compared>> {
    let requests = Requests { token: cloud.token(Wire::Tls) };
    let mut seen: BTreeMap<Contender, Seen> = BTreeMap::new();
    for _ in 0..effort.cold_starts {
        for contender in Contender::ALL {
            // As on AWS, where no variable names roots; there is nothing to trust before the first request.
            let to_poll = contender.start(cloud, Wire::Plain, &[]).await?.to_first_poll;
            let mut function = contender.start(cloud, Wire::Tls, &[]).await?;
            let first = function.expect(requests.offer(GIB), contender.status()).await?;
            check_work(contender, &first)?;
            let seen = seen.entry(contender).or_default();
            seen.to_poll.push(ms(to_poll));
            seen.to_answer.push(ms(function.to_first_poll + first.took));
            seen.cpu_to_answer.push(function.used()?.cpu);
        }
    }
    let mut functions = Vec::new();
    for contender in Contender::ALL {
        let mut function = contender.start(cloud, Wire::Tls, &[]).await?;
        for _ in 0..WARM_UP {
            function.expect(requests.offer(GIB), contender.status()).await?;
        }
        functions.push((contender, function));
    }
    for _ in 0..effort.batches {
        for (contender, function) in &mut functions {
            let seen = seen.entry(*contender).or_default();
            measure_batch(function, *contender, requests, effort.batch, seen).await?;
        }
    }
    let mut compared = BTreeMap::new();
    for (contender, seen) in seen {
        compared.insert(contender.name().to_owned(), seen.figures(sizes::zip_of(contender)?));
    }
    Ok(compared)
}

async fn measure_batch(
    function: &mut Function,
    contender: Contender,
    requests: Requests<'_>,
    batch: usize,
    seen: &mut Seen,
) -> Result<()> {
    let events: Vec<_> = (0..batch).map(|_| requests.offer(GIB)).collect();
    let before = function.used()?;
    for event in events {
        seen.took.push(ms(function.expect(event, contender.status()).await?.took));
    }
    let after = function.used()?;
    #[expect(clippy::cast_precision_loss, reason = "some hundred")]
    seen.cpu.push((after.cpu - before.cpu) / batch as f64);
    seen.resident = after.resident;
    Ok(())
}

/// Sees to it that who is compared did the work.
fn check_work(contender: Contender, answered: &Answered) -> Result<()> {
    if contender == Contender::Bare {
        return Ok(());
    }
    match answered.body()?["upload"]["parts"].as_array().map(Vec::len) {
        Some(64) => Ok(()),
        parts => Err(format!("{} answered with {parts:?} parts", contender.name()).into()),
    }
}

impl Seen {
    fn figures(&self, zip: u64) -> Compared {
        Compared {
            to_poll: Spread::of(&self.to_poll),
            to_answer: Spread::of(&self.to_answer),
            cpu_to_answer: Spread::of(&self.cpu_to_answer),
            p50: quantile(&self.took, 0.5),
            p99: quantile(&self.took, 0.99),
            cpu: Spread::of(&self.cpu),
            resident: self.resident,
            zip,
        }
    }
}

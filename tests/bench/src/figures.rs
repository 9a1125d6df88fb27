//! What was measured, as it is kept in `docs/performance.json` and told in `docs/performance.md`.

use std::{collections::BTreeMap, path::PathBuf};

use okd_local::Result;
use serde::{Deserialize, Serialize};

use crate::folders::root;

/// The name of the request that the goals are about.
pub(crate) const PUT_64: &str = "PUT by parts, 64 parts";

/// All that is measured. A part that was not measured this time stays as it was.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// The functions beside one another, by their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) compared: Option<Of<BTreeMap<String, Compared>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<Of<Memory>>,
    /// The calls to AWS of each use case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) calls: Option<Of<BTreeMap<String, Vec<String>>>>,
    /// Instructions of each use case, warm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instructions: Option<Of<BTreeMap<String, u64>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parts: Option<Of<Vec<ByParts>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) growth: Option<Of<Vec<Grown>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sweeps: Option<Of<Vec<Swept>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transfers: Option<Of<Vec<Transfer>>>,
}

/// Figures, and the machine and the time that they are of.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Of<T> {
    pub(crate) machine: Machine,
    pub(crate) figures: T,
}

impl<T> Of<T> {
    /// These figures, of this machine and moment.
    pub(crate) fn now(figures: T) -> Self {
        Self { machine: Machine::now(), figures }
    }
}

/// A machine and how busy it was.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    /// Processes that wanted a core in the last minute, on average.
    pub(crate) load: f64,
    pub(crate) date: String,
}

impl Machine {
    fn now() -> Self {
        let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
        let load = read("/proc/loadavg");
        Self {
            cpu: cpu.trim_start_matches([' ', '\t', ':']).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            load: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default(),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        }
    }
}

/// The median of what was measured several times, and between what it lay.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// That of these; of none it is zero.
    pub(crate) fn of(values: &[f64]) -> Self {
        let at = |share| quantile(values, share);
        Self { median: at(0.5), least: at(0.0), most: at(1.0) }
    }
}

/// The value below which this share of them lies.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut ordered = values.to_vec();
    ordered.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of the list")]
    #[expect(clippy::cast_precision_loss, reason = "thousands of values")]
    let at = (share * ordered.len() as f64) as usize;
    ordered.get(at.min(ordered.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// One function beside the others, over TLS. Times in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Compared {
    /// From the start of the process until it asks for work.
    pub(crate) to_poll: Spread,
    /// From there until its first answer, of 64 parts, is there, the start included.
    pub(crate) to_answer: Spread,
    /// CPU of all that.
    pub(crate) cpu_to_answer: Spread,
    /// A warm `PUT` of 64 parts.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// CPU of one.
    pub(crate) cpu: Spread,
    /// Bytes in memory after them.
    pub(crate) resident: u64,
    /// Bytes of what is deployed, as a zip.
    pub(crate) zip: u64,
}

/// One process of ours over mixed requests. Bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) requests: usize,
    pub(crate) resident: u64,
    pub(crate) peak: u64,
    /// The peak after a tenth of them.
    pub(crate) peak_early: u64,
    /// CPU of a request on average, in milliseconds.
    pub(crate) cpu: f64,
}

/// Uploads of so many parts. Times in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ByParts {
    pub(crate) parts: u64,
    pub(crate) put: UseCase,
    pub(crate) status: UseCase,
    pub(crate) complete: UseCase,
}

/// One request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UseCase {
    pub(crate) calls: usize,
    pub(crate) cpu: f64,
    pub(crate) took: f64,
    pub(crate) answer: usize,
}

/// Requests beside so many stored documents, and beside none. Milliseconds at the median.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Grown {
    pub(crate) documents: u64,
    pub(crate) request: String,
    pub(crate) p50: f64,
    pub(crate) p50_empty: f64,
    pub(crate) cpu: f64,
    pub(crate) cpu_empty: f64,
}

/// A sweep over pending uploads.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Swept {
    pub(crate) pending: u64,
    pub(crate) due: u64,
    pub(crate) calls: usize,
    pub(crate) cpu: f64,
    pub(crate) took: f64,
}

/// One way to move a file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) way: String,
    pub(crate) size: u64,
    pub(crate) mib_per_second: Spread,
    /// The sender's memory at most, in bytes; of several processes the largest.
    pub(crate) memory: u64,
}

impl Figures {
    /// Those that are kept.
    pub(crate) fn read() -> Result<Self> {
        match std::fs::read(file()) {
            Ok(json) => Ok(serde_json::from_slice(&json)?),
            Err(_) => Ok(Self::default()),
        }
    }

    /// Keeps them.
    pub(crate) fn write(&self) -> Result<()> {
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        Ok(std::fs::write(file(), json)?)
    }
}

fn file() -> PathBuf {
    root().join("docs/performance.json")
}

/// Milliseconds.
pub(crate) fn ms(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

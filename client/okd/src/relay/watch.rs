//! What a monitor wants to know, in Prometheus' text format.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

/// Counters since the start.
#[derive(Default)]
pub(super) struct Watch {
    /// Answers to large files and to others, by the first digit of their status.
    files: [AtomicU64; 6],
    passed_on: [AtomicU64; 6],
    /// Bytes of files that came.
    pub(super) bytes: AtomicU64,
}

impl Watch {
    /// Counts an answer.
    pub(super) fn count(&self, kind: &str, status: StatusCode) {
        let counters = if kind == "file" { &self.files } else { &self.passed_on };
        if let Some(counter) = counters.get(usize::from(status.as_u16() / 100)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All of it, with the number of large files that are on their way.
    pub(super) fn text(&self, in_flight: usize) -> String {
        let mut text = "# TYPE okd_relay_answers_total counter\n".to_owned();
        for (kind, counters) in [("file", &self.files), ("passed_on", &self.passed_on)] {
            for (class, counter) in counters.iter().enumerate().skip(1) {
                let count = counter.load(Ordering::Relaxed);
                text += &format!("okd_relay_answers_total{{kind=\"{kind}\",status=\"{class}xx\"}} {count}\n");
            }
        }
        let bytes = self.bytes.load(Ordering::Relaxed);
        text += &format!("# TYPE okd_relay_file_bytes_total counter\nokd_relay_file_bytes_total {bytes}\n");
        text += &format!("# TYPE okd_relay_files_in_flight gauge\nokd_relay_files_in_flight {in_flight}\n");
        text
    }
}

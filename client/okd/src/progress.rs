//! How far a file is.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that shows how far a file is, with its rate and the time left; on a terminal only.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// That of so many bytes.
    pub(crate) fn of(bytes: u64, is_quiet: bool) -> Self {
        let template = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        Self::styled(ProgressBar::with_draw_target(Some(bytes), target(is_quiet)), template)
    }

    /// That of bytes whose number is not known.
    pub(crate) fn of_unknown(is_quiet: bool) -> Self {
        Self::styled(ProgressBar::with_draw_target(None, target(is_quiet)), "{spinner} {bytes} {bytes_per_sec}")
    }

    fn styled(bar: ProgressBar, template: &str) -> Self {
        // A template that is wrong leaves the usual bar.
        let style = ProgressStyle::with_template(template);
        Self(if let Ok(style) = style { bar.with_style(style) } else { bar })
    }

    /// What is told of bytes that have arrived.
    pub(crate) fn arrived(&self) -> Box<dyn Fn(u64) + Send + Sync> {
        let bar = self.0.clone();
        Box::new(move |bytes| bar.inc(bytes))
    }

    /// Takes it away.
    pub(crate) fn done(self) {
        self.0.finish_and_clear();
    }
}

fn target(is_quiet: bool) -> ProgressDrawTarget {
    if is_quiet || !std::io::stderr().is_terminal() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    }
}

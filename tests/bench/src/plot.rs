//! The comparison as bars, in SVG: one group for each figure, on a scale on which ten times as much is one step more.

use std::{collections::BTreeMap, fmt::Write};

use crate::{contenders::Contender, figures::Compared};

const WIDTH: f64 = 760.0;
const LABEL: f64 = 70.0;
const BAR: f64 = 16.0;
/// Pixels of a step.
const STEP: f64 = 120.0;
/// The value at which bars begin: none is as small.
const LEAST: f64 = 0.01;

type Figure = (&'static str, fn(&Compared) -> f64);

const FIGURES: [Figure; 4] = [
    ("start to the first poll, ms", |compared| compared.to_poll.median),
    ("start to the first answer of 64 parts over TLS, ms", |compared| compared.to_answer.median),
    ("CPU of a warm PUT of 64 parts, ms", |compared| compared.cpu.median),
    #[expect(clippy::cast_precision_loss, reason = "bytes")]
    ("memory after a thousand of them, MiB", |compared| compared.resident as f64 / 1_048_576.0),
];

/// Draws the bars of all functions, readable on light and dark pages.
pub(crate) fn bars(compared: &BTreeMap<String, Compared>) -> String {
    let mut rows = String::new();
    let mut y = 0.0;
    for (title, figure) in FIGURES {
        y += 24.0;
        text(&mut rows, 0.0, y, title, true);
        y += 6.0;
        for contender in Contender::ALL {
            let Some(of_one) = compared.get(contender.name()) else { continue };
            let value = figure(of_one);
            let length = ((value / LEAST).log10() * STEP).max(1.0);
            let colour = if contender == Contender::Ours { "#2f81f7" } else { "#8b949e" };
            // Nothing fails that writes into a text.
            let _ = writeln!(
                rows,
                r#"<rect x="{LABEL}" y="{y}" width="{length:.1}" height="{}" fill="{colour}"/>"#,
                BAR - 3.0
            );
            text(&mut rows, 0.0, y + BAR - 5.0, contender.name(), false);
            text(&mut rows, LABEL + length + 6.0, y + BAR - 5.0, &format!("{value:.2}"), false);
            y += BAR;
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <style>text {{ fill: #24292f }} @media (prefers-color-scheme: dark) {{ text {{ fill: #c9d1d9 }} }}</style>\n{rows}</svg>\n",
        y + 10.0
    )
}

fn text(rows: &mut String, x: f64, y: f64, words: &str, is_title: bool) {
    let weight = if is_title { " font-weight=\"bold\"" } else { "" };
    // Nothing fails that writes into a text.
    let _ = writeln!(rows, r#"<text x="{x:.1}" y="{y:.1}"{weight}>{words}</text>"#);
}

//! The comparison as bars and the growth as curves, in SVG, readable on light and dark pages.

use std::{collections::BTreeMap, fmt::Write};

use crate::{
    contenders::Contender,
    figures::{ByParts, Compared, Grown},
};

const WIDTH: f64 = 760.0;
const LABEL: f64 = 70.0;
const BAR: f64 = 16.0;
/// Pixels of a step: ten times as much.
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

/// Where a chart of curves begins and ends, from its left.
const CHART: (f64, f64) = (50.0, 560.0);
const HEIGHT: f64 = 150.0;
const COLOURS: [&str; 5] = ["#2f81f7", "#d29922", "#3fb950", "#f85149", "#a371f7"];

/// A curve: its name and its points.
type Curve = (String, Vec<(f64, f64)>);

/// Draws the bars of all functions.
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
    svg(&rows, y + 10.0)
}

/// Draws what requests cost by the number of parts, and by the number of documents that are there.
pub(crate) fn curves(parts: &[ByParts], growth: &[Grown]) -> String {
    let mut by_parts: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    let mut by_documents: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    #[expect(clippy::cast_precision_loss, reason = "at most a million")]
    {
        for of_one in parts {
            for (name, request) in [("PUT", &of_one.put), ("status", &of_one.status), ("complete", &of_one.complete)] {
                by_parts.entry(name).or_default().push((of_one.parts as f64, request.cpu));
            }
        }
        for grown in growth {
            let point = (grown.documents as f64, grown.p50 / grown.p50_empty);
            by_documents.entry(&grown.request).or_default().push(point);
        }
    }
    let named = |curves: BTreeMap<&str, Vec<(f64, f64)>>| -> Vec<Curve> {
        curves.into_iter().map(|(name, points)| (name.to_owned(), points)).collect()
    };
    let mut rows = String::new();
    chart(&mut rows, 0.0, "CPU of a request by the number of parts, ms", &named(by_parts));
    let below = HEIGHT + 70.0;
    chart(&mut rows, below, "p50 beside so many documents / beside none", &named(by_documents));
    svg(&rows, 2.0 * below)
}

/// Draws curves from zero up, their x on a scale on which ten times as much is one step more.
fn chart(rows: &mut String, top: f64, title: &str, curves: &[Curve]) {
    let points = || curves.iter().flat_map(|(_, points)| points);
    let least = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let most = points().map(|point| point.0).fold(least * 10.0, f64::max);
    let high = points().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max);
    let (left, right) = CHART;
    let bottom = top + 30.0 + HEIGHT;
    let x = |value: f64| left + (value / least).log10() / (most / least).log10() * (right - left);
    let y = |value: f64| bottom - value / high * HEIGHT;
    text(rows, 0.0, top + 16.0, title, true);
    for value in [0.0, high / 2.0, high] {
        line(rows, "#8b949e", 0.5, &[(left, y(value)), (right, y(value))]);
        text(rows, 0.0, y(value) + 4.0, &format!("{value:.2}"), false);
    }
    if let Some((_, points)) = curves.first() {
        for (value, _) in points {
            text(rows, x(*value) - 6.0, bottom + 16.0, &value.to_string(), false);
        }
    }
    for (number, ((name, points), colour)) in (0_u8..).zip(curves.iter().zip(COLOURS)) {
        line(rows, colour, 2.0, &points.iter().map(|point| (x(point.0), y(point.1))).collect::<Vec<_>>());
        let height = top + 40.0 + 18.0 * f64::from(number);
        line(rows, colour, 2.0, &[(right + 14.0, height - 4.0), (right + 34.0, height - 4.0)]);
        text(rows, right + 40.0, height, name, false);
    }
}

fn line(rows: &mut String, colour: &str, width: f64, points: &[(f64, f64)]) {
    let points = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
    // Nothing fails that writes into a text.
    let _ = writeln!(rows, r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>"#);
}

fn svg(rows: &str, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <style>text {{ fill: #24292f }} @media (prefers-color-scheme: dark) {{ text {{ fill: #c9d1d9 }} }}</style>\n{rows}</svg>\n"
    )
}

fn text(rows: &mut String, x: f64, y: f64, words: &str, is_title: bool) {
    let weight = if is_title { " font-weight=\"bold\"" } else { "" };
    // Nothing fails that writes into a text.
    let _ = writeln!(rows, r#"<text x="{x:.1}" y="{y:.1}"{weight}>{words}</text>"#);
}

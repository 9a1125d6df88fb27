//! docs/performance.md, made from the figures: nobody writes a number into it by hand.

use std::{collections::BTreeMap, fmt::Display};

use okd_local::Result;

use crate::{
    contenders::Contender,
    figures::{ByParts, Compared, Figures, Grown, Machine, Memory, Of, PUT_64, Spread, Swept, Transfer},
    folders::root,
    plot, transfer,
};

const MIB: f64 = 1_048_576.0;

/// Writes the page and its plot.
pub(crate) fn write(figures: &Figures) -> Result<()> {
    let page = page(figures);
    println!("{page}");
    std::fs::write(root().join("docs/performance.md"), page)?;
    if let Some(compared) = &figures.compared {
        std::fs::write(root().join("docs/performance.svg"), plot::bars(&compared.figures))?;
    }
    if let (Some(parts), Some(growth)) = (&figures.parts, &figures.growth) {
        std::fs::write(root().join("docs/growth.svg"), plot::curves(&parts.figures, &growth.figures))?;
    }
    Ok(())
}

fn page(figures: &Figures) -> String {
    let head = include_str!("page_head.md").to_owned();
    let sections = [
        goals(figures),
        figures.compared.as_ref().map(compared),
        figures.memory.as_ref().map(memory),
        figures.calls.as_ref().map(calls),
        figures.instructions.as_ref().map(instructions),
        figures.parts.as_ref().map(parts),
        figures.growth.as_ref().map(growth),
        figures.sweeps.as_ref().map(sweeps),
        figures.transfers.as_ref().map(transfers),
    ];
    let sections = sections.into_iter().flatten().map(|section| format!("\n{section}"));
    head + &sections.collect::<String>()
}

/// A goal, the figure, and whether it is met.
fn goals(figures: &Figures) -> Option<String> {
    let compared = &figures.compared.as_ref()?.figures;
    let of = |contender: Contender| compared.get(contender.name());
    let (ours, bare) = (of(Contender::Ours)?, of(Contender::Bare)?);
    let (node, python) = (of(Contender::Node)?, of(Contender::Python)?);
    let mut rows = Vec::new();
    let mut row = |what: &str, figure: f64, digits: usize, goal: &str, met: bool| {
        let met = if met { "yes" } else { "**no**" };
        rows.push(vec![what.to_owned(), format!("{figure:.digits$}"), goal.to_owned(), met.to_owned()]);
    };
    let start = ours.to_poll.median / bare.to_poll.median;
    row("start to the first poll, ours / bare", start, 2, "at most 1.6", start <= 1.6);
    let first = node.to_answer.median / ours.to_answer.median;
    row("start to the first answer of 64 parts over TLS, Node / ours", first, 1, "at least 15", first >= 15.0);
    let (by_node, by_python) = (node.cpu.median / ours.cpu.median, python.cpu.median / ours.cpu.median);
    row("CPU of a warm PUT of 64 parts, Node / ours", by_node, 1, "at least 20", by_node >= 20.0);
    row("the same, Python / ours", by_python, 1, "at least 16", by_python >= 16.0);
    #[expect(clippy::cast_precision_loss, reason = "bytes and instructions")]
    {
        if let Some(put) = figures.instructions.as_ref().and_then(|of| of.figures.get(PUT_64)) {
            let put = *put as f64 / 1e6;
            row("instructions of a warm PUT of 64 parts, in millions", put, 2, "at most 8", put <= 8.0);
        }
        if let Some(Of { figures: memory, .. }) = &figures.memory {
            let peak = memory.peak as f64 / 1e6;
            row("peak memory over 10,000 mixed requests, in MB", peak, 1, "at most 36", peak <= 36.0);
        }
        let zip = ours.zip as f64 / 1e6;
        row("zip of api, in MB", zip, 2, "at most 4.0", zip <= 4.0);
    }
    if let Some(Of { figures: calls, .. }) = &figures.calls {
        for (what, goal) in [
            ("PUT by parts, new", 2),
            ("complete", 4),
            ("PUT by parts, repeated while parts are missing", 4),
            ("PUT by parts, repeated when stored", 3),
            ("DELETE upload, a part sent", 4),
        ] {
            let Some(count) = calls.get(what).map(Vec::len) else {
                row(&format!("calls of {what}"), f64::NAN, 0, &format!("at most {goal}"), false);
                continue;
            };
            #[expect(clippy::cast_precision_loss, reason = "a handful")]
            row(&format!("calls of {what}"), count as f64, 0, &format!("at most {goal}"), count <= goal);
        }
    }
    if let Some(grown) = figures.growth.as_ref().and_then(|of| of.figures.iter().rfind(|grown| grown.request == PUT_64))
    {
        let ratio = grown.p50 / grown.p50_empty;
        let what = format!("PUT beside {} documents / none, p50", count(grown.documents));
        row(&what, ratio, 2, "at most 1.1", ratio <= 1.1);
    }
    for (way, beside, goal) in transfer::GOALS {
        if let Some(ratio) = figures.transfers.as_ref().and_then(|of| rate_beside(&of.figures, way, beside)) {
            row(&format!("1 GiB by {way} / {beside}"), ratio, 2, &format!("at least {goal}"), ratio >= goal);
        }
    }
    let why = "What a start and the zip spend, and what less would cost: [the decision about cold starts](decisions/cold-start.md).";
    Some(format!("## Goals\n\n{}\n{why}\n", table(&["what", "figure", "goal", "met"], &rows)))
}

fn rate_beside(transfers: &[Transfer], way: &str, beside: &str) -> Option<f64> {
    let rate = |way: &str| Some(transfers.iter().find(|transfer| transfer.way == way)?.mib_per_second.median);
    Some(rate(way)? / rate(beside)?)
}

fn compared(of: &Of<BTreeMap<String, Compared>>) -> String {
    let spread = |spread: &Spread, digits: usize| {
        let Spread { median, least, most } = spread;
        format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
    };
    let rows = Contender::ALL.into_iter().filter_map(|contender| {
        let figures = of.figures.get(contender.name())?;
        #[expect(clippy::cast_precision_loss, reason = "bytes")]
        let memory = format!("{:.0}", figures.resident as f64 / MIB);
        Some(vec![
            contender.name().to_owned(),
            spread(&figures.to_poll, 2),
            spread(&figures.to_answer, 1),
            spread(&figures.cpu_to_answer, 1),
            spread(&figures.cpu, 2),
            format!("{:.1} / {:.1}", figures.p50, figures.p99),
            memory,
            count(figures.zip),
        ])
    });
    let head = [
        "",
        "start to first poll, ms",
        "start to first answer, ms",
        "CPU of that, ms",
        "CPU of a warm PUT, ms",
        "p50 / p99, ms",
        "memory after, MiB",
        "zip, bytes",
    ];
    let table = table(&head, &rows.collect::<Vec<_>>());
    format!(
        "## Beside a bare function, Node and Python\n\n{}Medians, and between what they lay; turn by turn, over TLS, a PUT of form B of 64 \
         parts.\n\n{table}\n![The same as bars](performance.svg)\n",
        machine(&of.machine)
    )
}

fn memory(Of { machine: on, figures }: &Of<Memory>) -> String {
    let Memory { requests, resident, peak, peak_early, cpu } = figures;
    #[expect(clippy::cast_precision_loss, reason = "bytes")]
    let mb = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    let row = vec![count(*requests as u64), mb(*resident), mb(*peak), mb(*peak_early), format!("{cpu:.2}")];
    let head =
        ["requests", "memory after, MB", "at most, MB", "at most in the first tenth, MB", "CPU of a request, ms"];
    format!("## Memory over mixed requests\n\n{}{}", machine(on), table(&head, &[row]))
}

fn calls(Of { figures, .. }: &Of<BTreeMap<String, Vec<String>>>) -> String {
    let row = |(what, calls): (&String, &Vec<String>)| vec![what.clone(), calls.len().to_string(), calls.join(", ")];
    let rows: Vec<_> = figures.iter().map(row).collect();
    format!("## Calls to AWS\n\n{}", table(&["use case", "calls", "in their order"], &rows))
}

fn instructions(Of { machine: on, figures }: &Of<BTreeMap<String, u64>>) -> String {
    let rows: Vec<_> = figures.iter().map(|(what, instructions)| vec![what.clone(), count(*instructions)]).collect();
    format!("## Instructions\n\n{}{}", machine(on), table(&["what", "instructions"], &rows))
}

fn parts(Of { machine: on, figures }: &Of<Vec<ByParts>>) -> String {
    let mut rows = Vec::new();
    for ByParts { parts, put, status, complete } in figures {
        for (what, case) in [("PUT", put), ("status", status), ("complete", complete)] {
            let figures = [
                case.calls.to_string(),
                format!("{:.1}", case.cpu),
                format!("{:.1}", case.took),
                count(case.answer as u64),
            ];
            rows.push([vec![count(*parts), what.to_owned()], figures.to_vec()].concat());
        }
    }
    let head = ["parts", "request", "calls", "CPU, ms", "took, ms", "answer, bytes"];
    format!("## By the number of parts\n\n{}{}", machine(on), table(&head, &rows))
}

fn growth(Of { machine: on, figures }: &Of<Vec<Grown>>) -> String {
    let row = |grown: &Grown| {
        let Grown { documents, request, p50, p50_empty, cpu, cpu_empty } = grown;
        let figures = [
            format!("{p50:.2} / {p50_empty:.2}"),
            format!("{:.2}", p50 / p50_empty),
            format!("{cpu:.2} / {cpu_empty:.2}"),
        ];
        [vec![count(*documents), request.clone()], figures.to_vec()].concat()
    };
    let head = ["documents stored", "request", "p50 there / with none, ms", "ratio", "CPU there / with none, ms"];
    let rows: Vec<_> = figures.iter().map(row).collect();
    let curves = "![The same, and the parts above, as curves](growth.svg)";
    format!("## Beside many documents\n\n{}{}\n{curves}\n", machine(on), table(&head, &rows))
}

fn sweeps(Of { machine: on, figures }: &Of<Vec<Swept>>) -> String {
    let row = |swept: &Swept| {
        let Swept { pending, due, calls, cpu, took } = swept;
        vec![count(*pending), count(*due), count(*calls as u64), format!("{cpu:.0}"), format!("{took:.0}")]
    };
    let rows: Vec<_> = figures.iter().map(row).collect();
    format!(
        "## Sweeps\n\n{}{}",
        machine(on),
        table(&["uploads pending", "of them due", "calls", "CPU, ms", "took, ms"], &rows)
    )
}

fn transfers(Of { machine: on, figures }: &Of<Vec<Transfer>>) -> String {
    let row = |transfer: &Transfer| {
        let Transfer { way, size, mib_per_second: Spread { median, least, most }, memory } = transfer;
        #[expect(clippy::cast_precision_loss, reason = "bytes")]
        let memory = format!("{:.0}", *memory as f64 / MIB);
        vec![way.clone(), format!("{}", size >> 20), format!("{median:.0} ({least:.0} to {most:.0})"), memory]
    };
    let rows: Vec<_> = figures.iter().map(row).collect();
    format!("## Files on their way\n\n{}{}", machine(on), table(&["way", "MiB", "MiB/s", "memory, MiB"], &rows))
}

fn machine(machine: &Machine) -> String {
    let Machine { cpu, cores, load, date } = machine;
    format!("{date}, {cores} cores of {cpu}, load {load:.1}.\n\n")
}

fn table<T: Display>(head: &[T], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let head_line = line(head.iter().map(ToString::to_string).collect());
    let rule = format!("|{}\n", "-|".repeat(head.len()));
    head_line + &rule + &rows.iter().map(|row| line(row.clone())).collect::<String>()
}

/// A number with commas: 4,031,203.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

//! What breaks first when there is more of everything: the calls of one request, as they were counted, times how many come.

use std::collections::BTreeMap;

use okd_local::Result;

use crate::folders::root;

/// A load: so many schools, so many documents handed in a second at the peak, so many stored.
#[derive(Clone, Copy)]
struct Load {
    tenants: f64,
    puts: f64,
    documents: f64,
}

/// The loads that the page is about: a region's schools, a country's, and the question of the issue.
const LOADS: [Load; 3] = [
    Load { tenants: 30.0, puts: 10.0, documents: 1e6 },
    Load { tenants: 300.0, puts: 100.0, documents: 1e7 },
    Load { tenants: 1000.0, puts: 1000.0, documents: 1e8 },
];

/// Shares of what is handed in: inline, and by parts in 7 and in 64 parts (200 KB, 100 MB, 1 GB; as in infra/costs.py).
const MIX: [(f64, f64); 3] = [(0.95, 0.0), (0.045, 7.0), (0.005, 64.0)];
/// Of what comes by parts, the share that is declared with a SHA-256 and so read back, and bytes of it on average.
const READ_BACK: f64 = 0.5;
const BYTES_BY_PARTS: f64 = 190e6;
/// Repeats for each hundred: senders are told to repeat what they have no answer to.
const REPEATED: f64 = 0.05;
/// Seconds of a request in the function on AWS, as infra/costs.py takes them: some 20 ms a call.
const SECONDS_OF_CALL: f64 = 0.02;
/// Write units of a document that comes inline (its item of 3 KB, three entries of 1 KB, twice as a transaction), and of the
/// two transactions of one by parts, which count the open upload and enter the index of what is due besides.
const WRITES_INLINE: f64 = 12.0;
const WRITES_BY_PARTS: f64 = 24.0;
/// Bytes of a tenant's item.
const TENANT_BYTES: f64 = 1200.0;

/// One thing that can give out: what a load asks of it, how much there is, and what then.
struct Resource {
    what: &'static str,
    asked: fn(Asked) -> f64,
    limit: f64,
    unit: &'static str,
    whose: &'static str,
    mend: &'static str,
}

/// What follows of a load.
#[derive(Clone, Copy)]
struct Asked {
    load: Load,
    /// Requests to the API a second, and calls of AWS that the api function makes a second.
    requests: f64,
    calls: f64,
    /// Documents by parts a second, and parts.
    by_parts: f64,
    parts: f64,
}

const RESOURCES: [Resource; 11] = [
    Resource {
        what: "the stage's throttle",
        asked: |asked| asked.requests,
        limit: 200.0,
        unit: "requests/s",
        whose: "`RequestsPerSecond`, ours",
        mend: "raise the parameter; it guards the account's 10,000",
    },
    Resource {
        what: "the account's throttle of API Gateway",
        asked: |asked| asked.requests,
        limit: 10_000.0,
        unit: "requests/s",
        whose: "AWS, can be raised",
        mend: "ask for more, or another cell",
    },
    Resource {
        what: "executions of Lambda at once",
        asked: |asked| {
            let read_back = asked.by_parts * READ_BACK * BYTES_BY_PARTS / 60e6;
            asked.calls * SECONDS_OF_CALL + 2.0 * asked.load.puts * 0.05 + read_back
        },
        limit: 1000.0,
        unit: "executions",
        whose: "AWS, can be raised",
        mend: "ask for more; `ApiConcurrency` and its two sisters keep one function from taking all",
    },
    Resource {
        what: "writes of a new table",
        asked: |asked| writes(asked),
        limit: 4000.0,
        unit: "write units/s",
        whose: "AWS, a new table on demand",
        mend: "it doubles by itself within half an hour; `WarmWrites` has it warm before the day",
    },
    Resource {
        what: "writes of a table",
        asked: |asked| writes(asked),
        limit: 40_000.0,
        unit: "write units/s",
        whose: "AWS, can be raised",
        mend: "ask for more",
    },
    Resource {
        what: "writes of one key of the index of what is due",
        asked: |asked| 2.0 * asked.by_parts / 8.0,
        limit: 1000.0,
        unit: "write units/s",
        whose: "AWS, a partition",
        mend: "more than 8 queues: a number in `table.rs`, and the sweep reads them all",
    },
    Resource {
        what: "writes of one counter of the largest tenant, which has a fifth of all",
        asked: |asked| 0.2 * asked.by_parts * 4.0 / 8.0,
        limit: 1000.0,
        unit: "write units/s",
        whose: "AWS, a partition",
        mend: "more than 8 shards (`quota.rs`)",
    },
    Resource {
        what: "reads of the tenants of one issuer, if all tenants have the same",
        asked: |asked| {
            let processes = (asked.calls * SECONDS_OF_CALL).max(1.0);
            processes * asked.load.tenants * TENANT_BYTES / 4096.0 / 2.0 / 60.0
        },
        limit: 3000.0,
        unit: "read units/s",
        whose: "AWS, a partition",
        mend: "tenants keyed by issuer and audience",
    },
    Resource {
        what: "bytes of these, which one Query reads in a cold start",
        asked: |asked| asked.load.tenants * TENANT_BYTES / 1e6,
        limit: 1.0,
        unit: "MB",
        whose: "AWS, a page",
        mend: "the same; a second page is 10 ms more",
    },
    Resource {
        what: "rules of the bus, one for each tenant's DMS",
        asked: |asked| asked.load.tenants,
        limit: 300.0,
        unit: "rules",
        whose: "AWS, can be raised",
        mend: "one rule to a router of yours, or a bus for each cell",
    },
    Resource {
        what: "puts of one prefix of the bucket, the largest tenant's",
        asked: |asked| 0.2 * (asked.load.puts + asked.parts),
        limit: 3500.0,
        unit: "puts/s",
        whose: "AWS; S3 splits a prefix that stays busy",
        mend: "none is needed: the document's random id follows the tenant in each key",
    },
];

fn writes(asked: Asked) -> f64 {
    let inline = asked.load.puts - asked.by_parts;
    inline * WRITES_INLINE + asked.by_parts * WRITES_BY_PARTS
}

/// What follows of this load, by the calls that were counted.
fn asked(load: Load, calls: &BTreeMap<String, Vec<String>>) -> Result<Asked> {
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let calls_of = |what: &str| -> Result<f64> {
        let counted = calls.get(what).ok_or_else(|| format!("{what} was not counted"))?;
        Ok(counted.len() as f64)
    };
    let share: f64 = MIX.iter().filter(|(_, parts)| *parts > 0.0).map(|(share, _)| share).sum();
    let parts: f64 = MIX.iter().map(|(share, parts)| share * parts).sum();
    let (inline, by_parts) = (load.puts * (1.0 - share), load.puts * share);
    let of_parts = calls_of("PUT by parts, new")? + calls_of("complete")?;
    let repeats = REPEATED * by_parts * calls_of("PUT by parts, repeated while parts are missing")?;
    Ok(Asked {
        load,
        requests: (inline + 2.0 * by_parts) * (1.0 + REPEATED),
        calls: inline * calls_of("PUT inline, new")? * (1.0 + REPEATED) + by_parts * of_parts + repeats,
        by_parts,
        parts: load.puts * parts,
    })
}

/// Writes the tables of docs/scale.md, between its two marks.
pub(crate) fn write(calls: &BTreeMap<String, Vec<String>>) -> Result<()> {
    let file = root().join("docs/scale.md");
    let page = std::fs::read_to_string(&file)?;
    let (before, rest) = page.split_once("<!-- scale -->\n").ok_or("docs/scale.md has no mark")?;
    let (_, after) = rest.split_once("<!-- /scale -->").ok_or("docs/scale.md has no second mark")?;
    let table = table(calls)?;
    Ok(std::fs::write(file, format!("{before}<!-- scale -->\n{table}<!-- /scale -->{after}"))?)
}

fn table(calls: &BTreeMap<String, Vec<String>>) -> Result<String> {
    let mut text = "| what | limit | whose |".to_owned();
    for load in LOADS {
        text +=
            &format!(" {} schools, {} PUT/s, 10^{:.0} documents |", load.tenants, load.puts, load.documents.log10());
    }
    text += " mend |\n|-|-|-|-|-|-|-|\n";
    let loads = LOADS.iter().map(|&load| asked(load, calls)).collect::<Result<Vec<Asked>>>()?;
    for Resource { what, asked: of, limit, unit, whose, mend } in RESOURCES {
        text += &format!("| {what} | {} {unit} | {whose} |", short(limit));
        for &load in &loads {
            let value = of(load);
            let (open, close) = if value > limit { ("**", "**") } else { ("", "") };
            text += &format!(" {open}{} ({:.0} %){close} |", short(value), 100.0 * value / limit);
        }
        text += &format!(" {mend} |\n");
    }
    Ok(text)
}

fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{:.0} million", value / 1e6),
        10.0.. => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

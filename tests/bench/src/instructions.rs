//! Instructions of start-up and of warm requests, counted by callgrind: they are the same on a busy machine.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
};

use bytes::Bytes;
use okd_local::Result;

use crate::{
    calls::send,
    cloud::{Cloud, Wire},
    compare::GIB,
    contenders::Contender,
    events::Requests,
    figures::PUT_64,
    folders::{root, target},
    function::Function,
    sizes,
};

/// Requests of a kind that are counted together.
const REPEATS: usize = 10;

/// Counts each kind of request as the difference between a run with and a run without it, of which both have been warmed
/// up alike.
pub(crate) async fn count(cloud: &Cloud) -> Result<BTreeMap<String, u64>> {
    let requests = Requests { token: cloud.token(Wire::Plain) };
    // What is completed and read was made by another process, which counts for nothing here.
    let mut other = Contender::Ours.start(cloud, Wire::Plain, &[]).await?;
    let (mut completions, mut reads) = (Vec::new(), Vec::new());
    for _ in 0..REPEATS {
        let offered = other.expect(requests.offer(5), 202).await?.body()?;
        send(&offered["upload"]["parts"][0], b"12345").await?;
        completions.push(requests.follow(&offered["upload"]["complete"]));
        reads.push(requests.metadata(offered["dmsDocumentId"].as_str().unwrap_or_default()));
    }
    let offers = |size| (0..REPEATS).map(|_| requests.offer(size)).collect();
    let file = |number: usize| [number.to_le_bytes().as_slice(), &[b'x'; 8192]].concat();
    let inline = (0..REPEATS).map(|number| requests.inline(&file(number))).collect();

    let start = run(cloud, "start", async |_| Ok(())).await?;
    let base = run(cloud, "base", async |function| warm_up(function, requests).await).await?;
    let mut counted = BTreeMap::from([("start".to_owned(), start)]);
    let kinds: [(&str, &str, u16, Vec<Bytes>); 5] = [
        ("PUT by parts, 1 part", "put-1", 202, offers(5)),
        (PUT_64, "put-64", 202, offers(GIB)),
        ("PUT inline, 8 KiB", "inline", 200, inline),
        ("complete, 1 part", "complete", 200, completions),
        // After they were completed.
        ("GET metadata", "metadata", 200, reads),
    ];
    for (what, name, status, events) in kinds {
        let total = run(cloud, name, async |function| {
            warm_up(function, requests).await?;
            for event in events {
                function.expect(event, status).await?;
            }
            Ok(())
        });
        let more =
            total.await?.checked_sub(base).ok_or("a run with requests took fewer instructions than one without")?;
        counted.insert(what.to_owned(), more / REPEATS as u64);
    }
    Ok(counted)
}

async fn warm_up(function: &mut Function, requests: Requests<'_>) -> Result<()> {
    for _ in 0..2 {
        function.expect(requests.offer(5), 202).await?;
    }
    let stored = function.expect(requests.inline(b"%PDF-1.4 warm"), 200).await?.body()?;
    function.expect(requests.metadata(stored["dmsDocumentId"].as_str().unwrap_or_default()), 200).await?;
    Ok(())
}

/// Says what to do where callgrind is missing, before anything else is measured.
pub(crate) fn find_callgrind() -> Result<()> {
    let found = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    found.map(drop).map_err(|_| "valgrind is not here, which counts instructions: apt-get install valgrind".into())
}

/// The instructions of a whole run of a function. What callgrind wrote stays in `callgrind/NAME.out` of the target folder,
/// for `callgrind_annotate`.
async fn run(cloud: &Cloud, name: &str, work: impl AsyncFnOnce(&mut Function) -> Result<()>) -> Result<u64> {
    let folder = target().join("callgrind");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.out"));
    let out = format!("--callgrind-out-file={}", file.display());
    let valgrind = ["valgrind", "--tool=callgrind", &out, "--quiet"];
    let mut function = Contender::Ours.start(cloud, Wire::Plain, &valgrind).await?;
    work(&mut function).await?;
    function.end()?;
    total_of(&file)
}

fn total_of(file: &Path) -> Result<u64> {
    let text = std::fs::read_to_string(file)?;
    let total = text.lines().find_map(|line| line.strip_prefix("summary: ").or_else(|| line.strip_prefix("totals: ")));
    Ok(total.ok_or("callgrind counted nothing")?.trim().parse()?)
}

/// The figures that are kept, against which a build is checked.
pub(crate) fn kept() -> Result<BTreeMap<String, u64>> {
    Ok(serde_json::from_slice(&std::fs::read(root().join("tests/bench/budget.json"))?)?)
}

/// Fails where a figure has grown by more than a twentieth over the one that is kept, or is not kept.
pub(crate) async fn check(cloud: &Cloud) -> Result<()> {
    let kept = kept()?;
    let mut counted = count(cloud).await?;
    counted.insert("zip of api, bytes".to_owned(), sizes::zip_of(Contender::Ours)?);
    let mut grown = 0;
    for (what, now) in &counted {
        let before = kept.get(what).copied().unwrap_or_default();
        println!("{now:>12}, kept {before:>12}: {what}");
        grown += usize::from(now.saturating_mul(20) > before.saturating_mul(21));
    }
    if grown == 0 {
        return Ok(());
    }
    let now = serde_json::to_string_pretty(&counted)?;
    Err(format!(
        "{grown} of them grew by more than 5 %: mend it, or say why it must be in the commit that writes tests/bench/budget.json:\n{now}"
    )
    .into())
}

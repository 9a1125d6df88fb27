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
    folders::{root, target},
    function::Function,
    memory::body,
    sizes,
};

/// Requests of a kind that are counted together.
const REPEATS: usize = 10;

/// Counts each kind of request as the difference between a run with and a run without it, of which both have been warmed
/// up alike.
pub(crate) async fn count(cloud: &Cloud) -> Result<BTreeMap<String, u64>> {
    let requests = Requests { token: cloud.token(Wire::Plain) };
    let start = run(cloud, "start", async |_| Ok(())).await?;
    let warm = async |function: &mut Function| -> Result<()> {
        for _ in 0..2 {
            function.expect(requests.offer(5), 202).await?;
        }
        let stored = function.expect(requests.inline(b"%PDF-1.4 warm"), 200).await?.answer;
        let id = body(&stored)?["dmsDocumentId"].as_str().unwrap_or_default().to_owned();
        function.expect(requests.metadata(&id), 200).await?;
        Ok(())
    };
    let base = run(cloud, "base", warm).await?;
    let of_offer = async |name: &str, size: u64| {
        let total = run(cloud, name, async |function| {
            warm(function).await?;
            for _ in 0..REPEATS {
                function.expect(requests.offer(size), 202).await?;
            }
            Ok(())
        });
        per_request(total.await?, base)
    };
    let mut counted = BTreeMap::from([("start".to_owned(), start)]);
    counted.insert("PUT by parts, 1 part".to_owned(), of_offer("put-1", 5).await?);
    counted.insert("PUT by parts, 64 parts".to_owned(), of_offer("put-64", GIB).await?);
    let inline = run(cloud, "inline", async |function| {
        warm(function).await?;
        for number in 0..REPEATS {
            function.expect(requests.inline(&[number.to_le_bytes().as_slice(), &[b'x'; 8192]].concat()), 200).await?;
        }
        Ok(())
    });
    counted.insert("PUT inline, 8 KiB".to_owned(), per_request(inline.await?, base)?);

    // What is completed and read was made by another process, which counts for nothing here.
    let mut other = Contender::Ours.start(cloud, Wire::Plain, &[]).await?;
    let mut completions: Vec<Bytes> = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..REPEATS {
        let offered = body(&other.expect(requests.offer(5), 202).await?.answer)?;
        send(&offered["upload"]["parts"][0], b"12345").await?;
        completions.push(requests.follow(&offered["upload"]["complete"]));
        ids.push(offered["dmsDocumentId"].as_str().unwrap_or_default().to_owned());
    }
    let complete = run(cloud, "complete", async |function| {
        warm(function).await?;
        for event in &completions {
            function.expect(event.clone(), 200).await?;
        }
        Ok(())
    });
    counted.insert("complete, 1 part".to_owned(), per_request(complete.await?, base)?);
    let metadata = run(cloud, "metadata", async |function| {
        warm(function).await?;
        for id in &ids {
            function.expect(requests.metadata(id), 200).await?;
        }
        Ok(())
    });
    counted.insert("GET metadata".to_owned(), per_request(metadata.await?, base)?);
    Ok(counted)
}

/// Says what to do where callgrind is missing, before anything else is measured.
pub(crate) fn find_callgrind() -> Result<()> {
    let found = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    found.map(drop).map_err(|_| "valgrind is not here, which counts instructions: apt-get install valgrind".into())
}

fn per_request(total: u64, base: u64) -> Result<u64> {
    let more = total.checked_sub(base).ok_or("a run with requests took fewer instructions than one without")?;
    Ok(more / REPEATS as u64)
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

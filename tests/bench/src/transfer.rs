//! A file of 1 GiB on its way up: by our sender, by curl, by boto3, and as fast as PUTs from memory can be, turn by turn.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use okd_client::{Sender, Source};
use okd_local::{Cloud, Options, Result, sample};
use serde_json::Value;

use crate::{
    cloud::on_own_runtime,
    compare::GIB,
    contenders::run,
    figures::{Spread, Transfer},
    folders::{root, target},
};

/// Parts at once, for everybody.
const PARALLEL: usize = 4;
/// The names of the ways, of which the goal compares two.
pub(crate) const OURS: &str = "our sender";
pub(crate) const RAW: &str = "raw PUTs from memory";
const CURL: &str = "curl, xargs -P4";
const BOTO3: &str = "boto3's upload_file";

/// Sends the file by each way in each round.
pub(crate) async fn measure(folder: &Path, rounds: usize) -> Result<Vec<Transfer>> {
    run(Command::new("cargo").arg("build").arg("--quiet").current_dir(root()))?;
    run(Command::new(root().join(".ci/venv")).arg("bench"))?;
    let options = Options::throwaway(folder.join("transfer"), target().join("debug/local"));
    let cloud = on_own_runtime(|| Cloud::start(options))?;
    let file = sample::file(&folder.join("file"), GIB).await?;
    let mut seen: BTreeMap<&str, (Vec<f64>, u64)> = BTreeMap::new();
    for _ in 0..rounds {
        for way in [RAW, OURS, CURL, BOTO3] {
            let began = Instant::now();
            let memory = match way {
                RAW | OURS => in_own_process(way, &cloud, &file)?,
                CURL => by_curl(&cloud, &file, folder).await?,
                _ => by_boto3(&cloud, &file)?,
            };
            #[expect(clippy::cast_precision_loss, reason = "a GiB")]
            let rate = GIB as f64 / 1_048_576.0 / began.elapsed().as_secs_f64();
            let (rates, most) = seen.entry(way).or_default();
            rates.push(rate);
            *most = memory.max(*most);
        }
    }
    let transfer = |(way, (rates, memory)): (&str, (Vec<f64>, u64))| Transfer {
        way: way.to_owned(),
        size: GIB,
        mib_per_second: Spread::of(&rates),
        memory,
    };
    Ok(seen.into_iter().map(transfer).collect())
}

fn token(cloud: &Cloud) -> Result<String> {
    cloud.issuer.token("bench", "okd:examdocuments")
}

/// Sends it by another process of this program, which tells its memory.
fn in_own_process(way: &str, cloud: &Cloud, file: &Path) -> Result<u64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("send").arg(&cloud.url).arg(file).env("OKD_TOKEN", token(cloud)?).stdout(Stdio::piped());
    if way == RAW {
        command.arg("--raw");
    }
    let output = command.spawn()?.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() { Ok(said.trim().parse()?) } else { Err(format!("{way} failed").into()) }
}

/// The other process: sends the file, or as many bytes from memory; gives its memory at most.
pub(crate) async fn send(url: &str, file: &Path, is_raw: bool) -> Result<u64> {
    let mut sender = Sender::new(url, std::env::var("OKD_TOKEN")?);
    sender.set_patience(Duration::from_secs(30));
    let metadata = sample::metadata("opname-100245.mp4", Some(GIB));
    if is_raw {
        let upload = sender.offer(&metadata).await?.1["upload"].take();
        let bytes = Bytes::from(vec![b'x'; 16 << 20]);
        let http = reqwest::Client::new();
        let parts = upload["parts"].as_array().cloned().unwrap_or_default();
        let put = async |part: Value| -> Result<()> {
            let href = part["href"].as_str().ok_or("a part has no href")?;
            Ok(http.put(href).body(bytes.clone()).send().await?.error_for_status().map(drop)?)
        };
        stream::iter(parts).map(put).buffer_unordered(PARALLEL).try_collect::<Vec<()>>().await?;
        sender.follow(&upload["complete"]).await?;
    } else {
        sender.hand_in_by_parts(&metadata, &Source::File(file.to_owned())).await?;
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the kernel tells no memory")?;
    let kilobytes: u64 = peak.trim_end_matches("kB").trim().parse()?;
    Ok(1024 * kilobytes)
}

/// What a shell would do: the parts' URLs in a list, four curls at a time. Their memory is not looked at.
async fn by_curl(cloud: &Cloud, file: &Path, folder: &Path) -> Result<u64> {
    let sender = Sender::new(&cloud.url, token(cloud)?);
    let upload = sender.offer(&sample::metadata("opname-100245.mp4", Some(GIB))).await?.1["upload"].take();
    let mut list = String::new();
    for part in upload["parts"].as_array().into_iter().flatten() {
        let offset = part["offset"].as_u64().unwrap_or_default() >> 20;
        list += &format!("{offset} {} {}\n", part["size"], part["href"].as_str().unwrap_or_default());
    }
    let listing = folder.join("parts");
    std::fs::write(&listing, list)?;
    let one = "dd if=\"$0\" bs=1M skip=$1 count=16 status=none | curl -sf -T - -H \"Content-Length: $2\" -H 'Transfer-Encoding:' \"$3\"";
    let mut command = Command::new("xargs");
    command.arg("-a").arg(listing).args(["-P4", "-L1", "sh", "-c", one]).arg(file).stdout(Stdio::null());
    run(&mut command)?;
    sender.follow(&upload["complete"]).await?;
    Ok(0)
}

/// The same engine as `aws s3 cp`, straight into the bucket.
fn by_boto3(cloud: &Cloud, file: &Path) -> Result<u64> {
    let program = "import boto3, os, resource, sys, uuid\n\
                   from boto3.s3.transfer import TransferConfig\n\
                   from botocore.config import Config\n\
                   settings = Config(request_checksum_calculation='when_required', s3={'addressing_style': 'path'})\n\
                   s3 = boto3.client('s3', endpoint_url=sys.argv[1], config=settings)\n\
                   s3.upload_file(sys.argv[3], sys.argv[2], f'local-school/{uuid.uuid4()}/{uuid.uuid4()}',\n\
                   \x20   Config=TransferConfig(multipart_chunksize=16 << 20, max_concurrency=4))\n\
                   print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)\n";
    let output = Command::new(root().join("target/bench/bin/python"))
        .args(["-c", program, &cloud.s3_url, &cloud.bucket])
        .arg(file)
        .env("AWS_ACCESS_KEY_ID", &cloud.access_key.id)
        .env("AWS_SECRET_ACCESS_KEY", &cloud.access_key.secret)
        .env("AWS_DEFAULT_REGION", okd_cli::REGION)
        .stderr(Stdio::inherit())
        .output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
    } else {
        Err("boto3 failed".into())
    }
}

//! A file of 1 GiB on its way: up by okd, through its relay, by curl, by boto3, and as fast as PUTs from memory can be; and down
//! by okd and by curl; turn by turn.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use okd_client::Sender;
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
/// The names of the ways.
const OURS: &str = "okd put";
const RELAY: &str = "curl, one request through okd relay";
const GET: &str = "okd get";
const CURL_GET: &str = "curl -L, down";
const RAW: &str = "raw PUTs from memory";
const CURL: &str = "curl, xargs -P4";
const BOTO3: &str = "boto3's upload_file";
/// How fast one way is to be beside another, at least.
pub(crate) const GOALS: [(&str, &str, f64); 4] =
    [(OURS, RAW, 0.9), (OURS, CURL, 0.9), (OURS, BOTO3, 1.0), (RELAY, OURS, 0.6)];

/// Sends the file by each way in each round.
pub(crate) async fn measure(folder: &Path, rounds: usize) -> Result<Vec<Transfer>> {
    run(Command::new("cargo").arg("build").arg("--quiet").current_dir(root()))?;
    run(Command::new("cargo").args(["build", "--quiet", "--release", "-p", "okd"]).current_dir(root()))?;
    run(Command::new(root().join(".ci/venv")).arg("bench"))?;
    let file = sample::file(&folder.join("file"), GIB).await?;
    let mut seen: BTreeMap<&str, (Vec<f64>, u64)> = BTreeMap::new();
    for round in 0..rounds {
        let data = folder.join(format!("transfer-{round}"));
        let options = Options::throwaway(data.clone(), target().join("debug/local"));
        let cloud = on_own_runtime(|| Cloud::start(options))?;
        let relay = Relay::start(&cloud, folder)?;
        let mut stored = String::new();
        for way in [RAW, OURS, RELAY, CURL, BOTO3, GET, CURL_GET] {
            // The disk is done with what was written before.
            run(&mut Command::new("sync"))?;
            let began = Instant::now();
            let memory = match way {
                RAW => raw_in_own_process(&cloud)?,
                OURS => {
                    let (id, memory) = by_okd(&cloud, &file, folder)?;
                    stored = id;
                    memory
                }
                RELAY => relay.put(&cloud, &file, folder)?,
                GET => okd(&cloud, folder, &["get", &stored, "--output", "back"])?.1,
                CURL_GET => curl_down(&cloud, folder, &stored)?,
                CURL => by_curl(&cloud, &file, folder).await?,
                _ => by_boto3(&cloud, &file)?,
            };
            #[expect(clippy::cast_precision_loss, reason = "a GiB")]
            let rate = GIB as f64 / 1_048_576.0 / began.elapsed().as_secs_f64();
            let (rates, most) = seen.entry(way).or_default();
            rates.push(rate);
            *most = memory.max(*most);
        }
        std::fs::remove_dir_all(data)?;
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

/// `okd` with these arguments: what it printed, and its memory at most.
fn okd(cloud: &Cloud, folder: &Path, arguments: &[&str]) -> Result<(String, u64)> {
    let mut command = Command::new(target().join("release/okd"));
    command.args(arguments).env("OKD_URL", &cloud.url).env("OKD_TOKEN", token(cloud)?).current_dir(folder);
    let mut process = command.stdout(Stdio::piped()).spawn()?;
    let (status, mut peak) = (format!("/proc/{}/status", process.id()), 0);
    while process.try_wait()?.is_none() {
        // One that has just ended has no memory to tell of.
        peak = peak_memory(&status).unwrap_or_default().max(peak);
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = process.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("okd {arguments:?} failed").into());
    }
    Ok((String::from_utf8(output.stdout)?.trim().to_owned(), peak))
}

fn by_okd(cloud: &Cloud, file: &Path, folder: &Path) -> Result<(String, u64)> {
    let metadata = sample::metadata("opname-100245.mp4", None);
    let association = metadata["associationId"].as_str().unwrap_or_default();
    std::fs::write(folder.join("metadata.json"), metadata.to_string())?;
    let file = file.to_str().ok_or("a path that is no text")?;
    okd(cloud, folder, &["put", "association", association, "--metadata", "metadata.json", "--file", file])
}

/// A relay in front of the cloud.
struct Relay {
    process: Child,
    url: String,
}

impl Relay {
    fn start(cloud: &Cloud, folder: &Path) -> Result<Self> {
        let mut command = Command::new(target().join("release/okd"));
        command.args(["relay", "--listen", "127.0.0.1:0", "--service", &cloud.url, "--spool"]).arg(folder);
        let mut process = command.stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(process.stderr.take().ok_or("it has a log")?).lines();
        let first: Value = serde_json::from_str(&lines.next().ok_or("the relay ended")??)?;
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { process, url: first["url"].as_str().ok_or("the relay has no URL")?.to_owned() })
    }

    /// One request with all of the file in it; gives the relay's memory at most.
    fn put(&self, cloud: &Cloud, file: &Path, folder: &Path) -> Result<u64> {
        let metadata = sample::metadata("opname-100245.mp4", None);
        let association = metadata["associationId"].as_str().unwrap_or_default();
        std::fs::write(folder.join("relayed.json"), metadata.to_string())?;
        let mut command = Command::new("curl");
        command.args(["-sf", "-X", "PUT", "-F", "metadata=<relayed.json;type=application/json", "-F"]);
        command
            .arg(format!("file=@{}", file.display()))
            .arg("-H")
            .arg(format!("authorization: Bearer {}", token(cloud)?));
        command
            .arg(format!("{}/okd/v1/associations/{association}", self.url))
            .current_dir(folder)
            .stdout(Stdio::null());
        run(&mut command)?;
        peak_memory(&format!("/proc/{}/status", self.process.id()))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn curl_down(cloud: &Cloud, folder: &Path, id: &str) -> Result<u64> {
    let mut command = Command::new("curl");
    command.args(["-sfL", "-o", "back", "-H"]).arg(format!("authorization: Bearer {}", token(cloud)?));
    run(command.arg(format!("{}/okd/v1/documents/{id}", cloud.url)).current_dir(folder))?;
    Ok(0)
}

/// PUTs by another process of this program, which tells its memory.
fn raw_in_own_process(cloud: &Cloud) -> Result<u64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("raw-puts").arg(&cloud.url).env("OKD_TOKEN", token(cloud)?).stdout(Stdio::piped());
    let output = command.spawn()?.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() { Ok(said.trim().parse()?) } else { Err("raw PUTs failed".into()) }
}

/// The other process: sends as many bytes from memory; gives its memory at most.
pub(crate) async fn raw_puts(url: &str) -> Result<u64> {
    let sender = Sender::new(url, std::env::var("OKD_TOKEN")?);
    let metadata = sample::metadata("opname-100245.mp4", Some(GIB));
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
    peak_memory("/proc/self/status")
}

/// The most memory that a process has held, in bytes.
fn peak_memory(status: &str) -> Result<u64> {
    let status = std::fs::read_to_string(status)?;
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

//! How fast bytes go through; run with `cargo test -p okd-s3 -- --ignored --nocapture`.

use std::time::Instant;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use crate::{BUCKET, MIB, Server, bytes};

const PART: usize = 16 * MIB;
const PARTS: i32 = 64;

/// The most memory this process has had resident, in MiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, of 1 GiB"]
#[expect(clippy::print_stdout, reason = "a measurement is there to be read")]
async fn one_gib_in_64_parts_over_4_connections() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let body = Bytes::from(bytes(PART, 1));
    let http = reqwest::Client::new();
    let mut urls = Vec::new();
    for number in 1..=PARTS {
        urls.push((number, server.presigned_part("key", &id, number).await));
    }
    let megabytes = f64::from(PARTS) * 16.777_216;
    let rate = |start: Instant| megabytes / start.elapsed().as_secs_f64();
    let start = Instant::now();
    let uploads = stream::iter(urls).map(|(number, url)| {
        let (http, body) = (http.clone(), body.clone());
        async move {
            let answer = http.put(url).body(body).send().await.unwrap();
            let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
            (number, etag)
        }
    });
    let mut parts: Vec<_> = uploads.buffer_unordered(4).collect().await;
    println!("upload: {:.0} MB/s", rate(start));
    parts.sort_unstable();
    let part = |(number, etag)| aws_sdk_s3::types::CompletedPart::builder().part_number(number).e_tag(etag).build();
    let parts = parts.into_iter().map(part).collect();
    let start = Instant::now();
    server.complete("key", &id, parts).send().await.unwrap();
    println!("complete: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    let got = server.client.get_object().bucket(BUCKET).key("key").send().await.unwrap();
    let mut body: ByteStream = got.body;
    let mut size = 0;
    while let Some(chunk) = body.next().await {
        size += chunk.unwrap().len();
    }
    assert_eq!(size, PART * usize::try_from(PARTS).unwrap());
    println!("download: {:.0} MB/s", rate(start));
    println!("peak memory: {} MiB, of which {} are the client's one part", peak_memory(), PART / MIB);
}

//! Uploads of 1, 64 and 1,000 parts: what grows with the number of parts, and what must not.

use std::time::Duration;

use bytes::Bytes;
use okd_local::Result;
use serde_json::Value;

use crate::{
    calls::send,
    cloud::{Cloud, Wire},
    compare::GIB,
    contenders::Contender,
    events::Requests,
    figures::{ByParts, UseCase, ms},
    function::Function,
};

/// Bytes of files, by the number of their parts. The largest takes a tenant that may have it; of it only the last part is
/// sent, and nothing completed.
const FILES: [(u64, u64); 3] = [(1, 5), (64, GIB), (1000, 1000 * (16 << 20))];

/// Offers, asks for and completes an upload of each number of parts.
pub(crate) async fn measure(cloud: &Cloud) -> Result<Vec<ByParts>> {
    let requests = Requests { token: cloud.token(Wire::Plain) };
    let mut function = Contender::Ours.start(cloud, Wire::Plain, &[]).await?;
    function.expect(requests.offer(5), 202).await?;
    let mut measured = Vec::new();
    for (parts, size) in FILES {
        let (put, offered) = one(cloud, &mut function, requests.offer(size), 202).await?;
        let upload = &offered["upload"];
        let sent = if size > GIB { 999 } else { 0 };
        for part in upload["parts"].as_array().into_iter().flatten().skip(sent) {
            let size = usize::try_from(part["size"].as_u64().unwrap_or_default())?;
            send(part, &vec![b'x'; size]).await?;
        }
        let (status, _) = one(cloud, &mut function, requests.follow(&upload["status"]), 200).await?;
        let end = if size > GIB { 409 } else { 200 };
        let (complete, _) = one(cloud, &mut function, requests.follow(&upload["complete"]), end).await?;
        measured.push(ByParts { parts, put, status, complete });
    }
    Ok(measured)
}

async fn one(cloud: &Cloud, function: &mut Function, event: Bytes, status: u16) -> Result<(UseCase, Value)> {
    let (calls, used) = (cloud.calls(), function.used()?.cpu);
    let answered = function.expect(event, status).await?;
    // Until the process has been scheduled off, the kernel has not counted all of it.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let cpu = function.used()?.cpu - used;
    let calls = cloud.calls_since(calls).len();
    let case = UseCase { calls, cpu, took: ms(answered.took), answer: answered.bytes };
    Ok((case, answered.body()?))
}

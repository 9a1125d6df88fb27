//! 1 GiB, killed again and again: the sender in the middle of its parts, the function in the middle of a call,
//! both. Each time it goes on where it was.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use okd_faults::Fault;
use okd_local::{
    sample,
    sender::{Sender, Source},
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::harness::{Harness, Message};

const GIB: u64 = 1 << 30;
const KILLS: usize = 5;

/// The numbers of the parts that S3 has.
async fn there(harness: &Harness) -> BTreeSet<u32> {
    let s3 = okd_local::setup::s3_client(&harness.cloud.s3_url, &harness.cloud.access_key);
    let bucket = &harness.cloud.bucket;
    let open = s3.list_multipart_uploads().bucket(bucket).send().await.unwrap();
    let Some(upload) = open.uploads().first() else {
        return BTreeSet::new();
    };
    let list = s3.list_parts().bucket(bucket).key(upload.key().unwrap());
    let list = list.upload_id(upload.upload_id().unwrap()).send().await.unwrap();
    let number = |part: &aws_sdk_s3::types::Part| part.part_number().unwrap().unsigned_abs();
    list.parts().iter().map(number).collect()
}

/// The numbers of the parts that S3 was sent whole, in order.
fn sent(harness: &Harness) -> Vec<u32> {
    let calls = harness.cloud.s3.as_ref().unwrap().calls();
    let parts = calls.iter().filter(|call| call.operation == "UploadPart" && call.status == 200);
    parts.filter_map(|call| call.part_number).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gibibyte_killed_five_times_is_resumed_and_no_part_that_was_there_is_sent_again() {
    let harness = Harness::new();
    let folder = tempfile::tempdir_in(support::temporary()).unwrap();
    let file = sample::file(&folder.path().join("exam.bin"), GIB).await.unwrap();
    let (_, sha256) = sample::digest(&file).await.unwrap();
    harness.know(sha256);
    let message = Message::new().declaring(sha256).with("documentSize", json!(GIB));
    let mut random = fastrand::Rng::with_seed(fastrand::u64(..));
    eprintln!("seed {}", random.get_seed());

    for round in 0..KILLS {
        // Where the function dies in the middle of what it is asked next, its sender has to ask again.
        if round % 2 == 1 {
            let operation = *random.choice(["CreateMultipartUpload", "TransactWriteItems"].as_slice()).unwrap();
            let fault = *random.choice([Fault::KillBefore, Fault::KillAfter].as_slice()).unwrap();
            harness.next(operation, fault);
        }
        let (before, already) = (there(&harness).await, sent(&harness).len());
        let enough = Arc::new(Notify::new());
        let sending = tokio::spawn(send(&harness, &message, &file, random.usize(3..10), enough.clone()));
        tokio::select! {
            () = enough.notified() => {}
            () = tokio::time::sleep(Duration::from_mins(1)) => panic!("the sender gets nowhere"),
        }
        // In the middle of the parts after those: the connections break.
        sending.abort();
        assert!(sending.await.is_err(), "it was not killed in time");
        let again: Vec<u32> = sent(&harness)[already..].iter().copied().filter(|part| before.contains(part)).collect();
        assert!(again.is_empty(), "round {round} sent the parts {again:?} again");
        harness.cloud.faults.clear();
        // A part that S3 has been sent whole arrives, though its sender is gone.
        harness.cloud.faults.idle().await;
    }
    let (before, already) = (there(&harness).await, sent(&harness).len());
    assert!(before.len() >= 3 * KILLS, "{before:?}");
    harness.next("CompleteMultipartUpload", Fault::KillAfter);
    let id = harness.sender.hand_in_by_parts(&message.0, &Source::File(file)).await.unwrap().id;
    let last: BTreeSet<u32> = sent(&harness)[already..].iter().copied().collect();
    let missing: BTreeSet<u32> = (1..=64).filter(|part| !before.contains(part)).collect();
    assert_eq!(last, missing);

    harness.cloud.events.drained().await;
    let peak = harness.cloud.functions["ReconcileFunction"].peak_memory();
    tell!("the reconcile function's peak memory while it verified 1 GiB: {} MiB", peak >> 20);
    assert!(peak > 0 && peak < 64 << 20, "{peak}");
    let stored = harness.document(&id).await;
    assert_eq!((stored.current, stored.unverified), (Some(sha256), false));
}

/// Hands the file in, and says when `count` parts have arrived this time.
fn send(
    harness: &Harness,
    message: &Message,
    file: &Path,
    count: usize,
    enough: Arc<Notify>,
) -> impl Future<Output = okd_local::Result<String>> + use<> {
    let token = harness.cloud.issuer.token("test-sis", "okd:examdocuments").unwrap();
    let mut sender = Sender::new(&harness.cloud.url, token);
    let arrived = std::sync::atomic::AtomicUsize::new(0);
    sender.arrived = Box::new(move |_| {
        if arrived.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == count {
            enough.notify_one();
        }
    });
    let (metadata, source): (Value, _) = (message.0.clone(), Source::File(file.to_owned()));
    async move {
        let handed_in = sender.hand_in_by_parts(&metadata, &source).await?;
        Ok(handed_in.id)
    }
}

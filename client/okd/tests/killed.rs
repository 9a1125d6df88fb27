//! Killed in the middle, and run again.

use std::collections::BTreeSet;

use crate::{MIB, Scene, end, peak_memory, until};

/// The size of the file: 1 GiB in the long run.
fn size() -> usize {
    if std::env::var_os("OKD_LONG").is_some() { 1024 * MIB } else { 160 * MIB }
}

#[tokio::test]
async fn a_large_file_killed_three_times_is_one_document_and_no_part_that_was_there_is_sent_again() {
    let scene = Scene::new();
    let (metadata, file) = (scene.metadata("killed"), scene.file("recording", size()));
    let mut peak = 0;
    for kill in 1..=3 {
        let before = scene.parts_sent().len();
        let mut put = scene.put(&metadata, &file).arg("--parallel=1").spawn().unwrap();
        let more = fastrand::usize(1..=2);
        until("some parts have arrived", async || scene.parts_sent().len() >= before + more).await;
        peak = peak.max(peak_memory(put.id().unwrap()));
        put.kill().await.unwrap();
        assert!(scene.parts_sent().len() < size() / (16 * MIB), "kill {kill} came too late");
        // A part that S3 has been sent whole arrives, though its sender is gone.
        scene.cloud.faults.idle().await;
    }
    let last = end(scene.put(&metadata, &file)).await;
    assert_eq!(last.code, 0, "{last:?}");
    let sent = scene.parts_sent();
    let different: BTreeSet<u32> = sent.iter().copied().collect();
    assert_eq!(sent.len(), different.len(), "parts were sent twice: {sent:?}");
    assert_eq!(different.len(), size() / (16 * MIB));
    scene.compare(last.out.trim(), &file).await;
    assert!(peak < 100, "it held {peak} MiB");
}

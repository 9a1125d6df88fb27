//! Many documents by a list.

use crate::{Scene, end, until};
use support::sender::ASSOCIATION;

/// A list of so many documents, the files of which are there, and its folder.
fn list(scene: &Scene, count: usize) {
    let mut rows = "on,id,metadata,file\n".to_owned();
    for number in 0..count {
        scene.metadata(&format!("document-{number}"));
        scene.file(&format!("file-{number}"), 20_000);
        rows += &format!("association, {ASSOCIATION}, document-{number}.json, file-{number}\n");
    }
    scene.written("list.csv", rows.as_bytes());
}

/// The ids in the results, by row.
fn stored(scene: &Scene) -> Vec<String> {
    let results = std::fs::read_to_string(scene.folder.path().join("list.results.csv")).unwrap_or_default();
    let ids = results.lines().skip(1).map(|line| line.split(',').nth(4).unwrap_or_default().to_owned());
    ids.filter(|id| !id.is_empty()).collect()
}

#[tokio::test]
async fn a_list_that_failed_in_part_is_handed_in_again_in_that_part_alone() {
    let scene = Scene::new();
    list(&scene, 20);
    let broken = scene.written("document-7.json", b"{}");
    let first = end(scene.okd(&["put", "--batch", "list.csv"])).await;
    assert_eq!(first.code, 2, "{first:?}");
    assert!(first.out.contains("19 of 20 stored"), "{first:?}");
    std::fs::write(broken, crate::metadata("document-7").to_string()).unwrap();
    let before = scene.cloud.faults.calls().len();
    let second = end(scene.okd(&["put", "--batch", "list.csv", "--json"])).await;
    assert_eq!(second.code, 0, "{second:?}");
    let summary: serde_json::Value = serde_json::from_str(&second.out).unwrap();
    assert_eq!((&summary["stored"], &summary["failed"]), (&20.into(), &0.into()));
    let objects = scene.cloud.faults.calls()[before..].iter().filter(|call| call.operation == "PutObject").count();
    assert_eq!(objects, 1, "one was missing");
    let mut ids = stored(&scene);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

#[tokio::test]
async fn a_list_that_was_killed_goes_on_where_it_was() {
    let scene = Scene::new();
    list(&scene, 60);
    let mut killed = scene.okd(&["put", "--batch", "list.csv", "--parallel", "2"]).spawn().unwrap();
    until("some are stored", async || stored(&scene).len() >= 5).await;
    killed.kill().await.unwrap();
    let before = stored(&scene);
    let ended = end(scene.okd(&["put", "--batch", "list.csv"])).await;
    assert!(ended.out.contains("60 of 60 stored"), "{ended:?}");
    let mut ids = stored(&scene);
    assert!(ids.starts_with(&before));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 60, "each has one id");
}

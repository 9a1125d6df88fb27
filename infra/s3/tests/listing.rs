//! Listings and their pages.

use crate::{BUCKET, Server, bytes};

#[tokio::test]
async fn objects_are_listed_in_key_order_page_by_page() {
    let server = Server::start().await;
    for key in ["b/2", "a", "b/1", "c", "b/3"] {
        server.put(key, key).await;
    }
    let mut pages = server.client.list_objects_v2().bucket(BUCKET).prefix("b/").max_keys(2);
    let mut seen = Vec::new();
    loop {
        let page = pages.clone().send().await.unwrap();
        assert!(page.contents().len() <= 2);
        seen.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        match page.next_continuation_token() {
            Some(token) => pages = pages.continuation_token(token),
            None => break,
        }
    }
    assert_eq!(seen, ["b/1", "b/2", "b/3"]);
}

#[tokio::test]
async fn a_delimiter_folds_keys_into_common_prefixes_once_over_all_pages() {
    let server = Server::start().await;
    for key in ["a/1", "a/2", "b", "c/1", "c/2", "d"] {
        server.put(key, key).await;
    }
    let mut request = server.client.list_objects_v2().bucket(BUCKET).delimiter("/").max_keys(1);
    let mut seen = Vec::new();
    loop {
        let page = request.clone().send().await.unwrap();
        seen.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        let prefixes = page.common_prefixes().iter();
        seen.extend(prefixes.filter_map(|prefix| prefix.prefix().map(str::to_owned)));
        match page.next_continuation_token() {
            Some(token) => request = request.continuation_token(token),
            None => break,
        }
    }
    assert_eq!(seen, ["a/", "b", "c/", "d"]);
}

#[tokio::test]
async fn versions_are_listed_newest_first_over_all_pages() {
    let server = Server::versioned().await;
    let mut expected = Vec::new();
    for key in ["a", "b"] {
        let mut versions = Vec::new();
        for content in ["1", "2"] {
            versions.push(server.put(key, content).await.unwrap());
        }
        let delete = server.client.delete_object().bucket(BUCKET).key(key);
        versions.push(delete.send().await.unwrap().version_id.unwrap());
        expected.extend(versions.into_iter().rev());
    }
    let mut request = server.client.list_object_versions().bucket(BUCKET).max_keys(1);
    let mut seen = Vec::new();
    let mut latest = 0;
    loop {
        let page = request.clone().send().await.unwrap();
        for version in page.versions() {
            seen.push(version.version_id().unwrap().to_owned());
            assert_eq!(version.is_latest(), Some(false));
        }
        for marker in page.delete_markers() {
            seen.push(marker.version_id().unwrap().to_owned());
            latest += i32::from(marker.is_latest().unwrap());
        }
        if page.is_truncated() != Some(true) {
            break;
        }
        request = request.set_key_marker(page.next_key_marker).set_version_id_marker(page.next_version_id_marker);
    }
    assert_eq!(seen, expected);
    assert_eq!(latest, 2);
}

#[tokio::test]
async fn parts_are_listed_by_number_page_by_page() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    for number in [5, 1, 3] {
        server.upload_part("key", &id, number, bytes(10, 1)).await;
    }
    let list = || server.client.list_parts().bucket(BUCKET).key("key").upload_id(&id).max_parts(2);
    let first = list().send().await.unwrap();
    let numbers = |parts: &[aws_sdk_s3::types::Part]| {
        parts.iter().filter_map(aws_sdk_s3::types::Part::part_number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(first.parts()), [1, 3]);
    assert_eq!(first.is_truncated(), Some(true));
    assert_eq!(first.parts()[0].size(), Some(10));
    let marker = first.next_part_number_marker().unwrap();
    let second = list().part_number_marker(marker).send().await.unwrap();
    assert_eq!(numbers(second.parts()), [5]);
    assert_eq!(second.is_truncated(), Some(false));
}

#[tokio::test]
async fn uploads_are_listed_by_key_page_by_page() {
    let server = Server::start().await;
    let mut expected = Vec::new();
    for key in ["t/b", "t/a", "u/c", "t/a"] {
        expected.push((key.to_owned(), server.create_upload(key).await));
    }
    expected.retain(|(key, _)| key.starts_with("t/"));
    expected.sort();
    let mut request = server.client.list_multipart_uploads().bucket(BUCKET).prefix("t/").max_uploads(1);
    let mut seen = Vec::new();
    loop {
        let page = request.clone().send().await.unwrap();
        let uploads = page.uploads().iter();
        seen.extend(uploads.map(|upload| (upload.key().unwrap().to_owned(), upload.upload_id().unwrap().to_owned())));
        if page.is_truncated() != Some(true) {
            break;
        }
        request = request.set_key_marker(page.next_key_marker).set_upload_id_marker(page.next_upload_id_marker);
    }
    seen.sort(); // uploads of one key in one second have no order of their own
    assert_eq!(seen, expected);
}

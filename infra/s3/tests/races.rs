//! Requests that race: exactly one outcome, and a consistent one.

use futures_util::future::{join, join_all};

use crate::{BUCKET, MIB, Server, bytes, code, refused};

const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_completes_for_a_key_that_must_not_exist_one_wins() {
    let server = Server::start().await;
    for round in 0..ROUNDS {
        let key = format!("key {round}");
        let mut completes = Vec::new();
        for seed in 0..2 {
            let id = server.create_upload(&key).await;
            let part = server.upload_part(&key, &id, 1, bytes(10, seed)).await;
            completes.push(server.complete(&key, &id, vec![part]).if_none_match("*").send());
        }
        let mut results = join_all(completes).await;
        results.sort_by_key(Result::is_err);
        let lost = results.pop().unwrap();
        assert_eq!(refused(lost), code(412, "PreconditionFailed"));
        results.pop().unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_completes_of_one_upload_create_one_version() {
    let server = Server::versioned().await;
    for round in 0..ROUNDS {
        let key = format!("key {round}");
        let (id, part) = server.upload_of_one_part(&key).await;
        let complete = || server.complete(&key, &id, vec![part.clone()]).send();
        let (one, other) = join(complete(), complete()).await;
        assert_eq!(one.unwrap().version_id, other.unwrap().version_id);
    }
    let listed = server.client.list_object_versions().bucket(BUCKET).send().await.unwrap();
    assert_eq!(listed.versions().len(), ROUNDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_and_an_abort_leave_the_object_or_nothing() {
    let server = Server::start().await;
    for round in 0..ROUNDS {
        let key = format!("key {round}");
        let (id, part) = server.upload_of_one_part(&key).await;
        let complete = server.complete(&key, &id, vec![part]).send();
        let abort = server.client.abort_multipart_upload().bucket(BUCKET).key(&key).upload_id(&id);
        let (completed, aborted) = join(complete, abort.send()).await;
        assert_ne!(completed.is_ok(), aborted.is_ok());
        if completed.is_ok() {
            assert_eq!(server.get(&key).await, bytes(10, 1));
            server.client.delete_object().bucket(BUCKET).key(&key).send().await.unwrap();
        }
        assert_eq!(server.data_files(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_against_the_upload_of_its_part_takes_the_old_part_or_none() {
    let server = Server::start().await;
    for round in 0..ROUNDS {
        let key = format!("key {round}");
        let (id, part) = server.upload_of_one_part(&key).await;
        let complete = server.complete(&key, &id, vec![part]).send();
        let again = server.client.upload_part().bucket(BUCKET).key(&key).upload_id(&id);
        let again = again.part_number(1).body(bytes(10, 2).into()).send();
        let (completed, replaced) = join(complete, again).await;
        match completed {
            Ok(_) => {
                assert_eq!(refused(replaced), code(404, "NoSuchUpload"));
                assert_eq!(server.get(&key).await, bytes(10, 1));
            }
            Err(error) => {
                assert_eq!(refused(Err::<(), _>(error)), code(400, "InvalidPart"));
                replaced.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_puts_for_a_key_that_must_not_exist_one_wins() {
    let server = Server::start().await;
    let puts = (0..8).map(|seed| {
        let put = server.client.put_object().bucket(BUCKET).key("key").if_none_match("*");
        put.body(bytes(MIB, seed).into()).send()
    });
    let results = join_all(puts).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for lost in results.into_iter().filter(Result::is_err) {
        assert_eq!(refused(lost), code(412, "PreconditionFailed"));
    }
    assert_eq!(server.data_files(), 1);
}

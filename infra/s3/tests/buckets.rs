//! Buckets: their life, versioning, CORS and lifecycle rules.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, CorsConfiguration, CorsRule, ExpirationStatus,
    LifecycleRule, LifecycleRuleFilter,
};
use okd_s3::S3;

use crate::{BUCKET, Server, code, refused};

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_bucket_is_made_once_and_removed_only_when_empty() {
    let server = Server::start().await;
    let again = server.client.create_bucket().bucket(BUCKET).send().await;
    assert_eq!(refused(again), code(409, "BucketAlreadyOwnedByYou"));
    server.put("key", "x").await;
    let delete = || server.client.delete_bucket().bucket(BUCKET).send();
    assert_eq!(refused(delete().await), code(409, "BucketNotEmpty"));
    server.client.delete_object().bucket(BUCKET).key("key").send().await.unwrap();
    delete().await.unwrap();
    assert_eq!(refused(server.client.head_bucket().bucket(BUCKET).send().await).0, 404);
    assert_eq!(refused(delete().await), code(404, "NoSuchBucket"));
    let server = server.restart().await;
    assert!(server.client.list_buckets().send().await.unwrap().buckets().is_empty());
}

#[tokio::test]
async fn a_buckets_settings_survive_a_restart() {
    let server = Server::versioned().await;
    server.set_cors("https://app.example").await;
    server.set_abort_rule("inbox/", 7).await;
    let server = server.restart().await;
    let versioning = server.client.get_bucket_versioning().bucket(BUCKET).send().await.unwrap();
    assert_eq!(versioning.status().unwrap().as_str(), "Enabled");
    let cors = server.client.get_bucket_cors().bucket(BUCKET).send().await.unwrap();
    assert_eq!(cors.cors_rules()[0].allowed_origins(), ["https://app.example"]);
    let rules = server.client.get_bucket_lifecycle_configuration().bucket(BUCKET).send().await;
    let rules = rules.unwrap();
    let abort = rules.rules()[0].abort_incomplete_multipart_upload().unwrap();
    assert_eq!(abort.days_after_initiation(), Some(7));
}

#[tokio::test]
async fn what_was_never_configured_is_told_so() {
    let server = Server::start().await;
    let cors = server.client.get_bucket_cors().bucket(BUCKET).send().await;
    assert_eq!(refused(cors), code(404, "NoSuchCORSConfiguration"));
    let rules = server.client.get_bucket_lifecycle_configuration().bucket(BUCKET).send().await;
    assert_eq!(refused(rules), code(404, "NoSuchLifecycleConfiguration"));
}

impl Server {
    async fn set_cors(&self, origin: &str) {
        let rule = CorsRule::builder().allowed_origins(origin).allowed_methods("PUT");
        let rule = rule.allowed_headers("x-amz-*").expose_headers("ETag").max_age_seconds(300);
        let rules = CorsConfiguration::builder().cors_rules(rule.build().unwrap()).build().unwrap();
        let put = self.client.put_bucket_cors().bucket(BUCKET).cors_configuration(rules);
        put.send().await.unwrap();
    }

    async fn set_abort_rule(&self, prefix: &str, days: i32) {
        let result = self.try_set_abort_rule(prefix, days).await;
        result.unwrap();
    }

    async fn try_set_abort_rule(
        &self,
        prefix: &str,
        days: i32,
    ) -> Result<
        aws_sdk_s3::operation::put_bucket_lifecycle_configuration::PutBucketLifecycleConfigurationOutput,
        aws_sdk_s3::error::SdkError<
            aws_sdk_s3::operation::put_bucket_lifecycle_configuration::PutBucketLifecycleConfigurationError,
        >,
    > {
        let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build();
        let rule = LifecycleRule::builder().id("inbox").status(ExpirationStatus::Enabled);
        let rule = rule.filter(LifecycleRuleFilter::builder().prefix(prefix).build());
        let rule = rule.abort_incomplete_multipart_upload(abort).build().unwrap();
        let rules = BucketLifecycleConfiguration::builder().rules(rule).build().unwrap();
        let put = self.client.put_bucket_lifecycle_configuration().bucket(BUCKET);
        put.lifecycle_configuration(rules).send().await
    }

    async fn preflight(&self, origin: &str, method: &str, headers: &str) -> reqwest::Response {
        let url = format!("{}/{BUCKET}/any/key", self.endpoint);
        let request = reqwest::Client::new().request(reqwest::Method::OPTIONS, url);
        let request = request.header("origin", origin);
        let request = request.header("access-control-request-method", method);
        request.header("access-control-request-headers", headers).send().await.unwrap()
    }
}

async fn run_lifecycle(s3: &S3, now: SystemTime) -> Vec<String> {
    let s3 = s3.clone();
    let run = move || s3.run_lifecycle(now).unwrap();
    let aborted = tokio::task::spawn_blocking(run).await.unwrap();
    aborted.into_iter().map(|upload| upload.key).collect()
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_rule_that_matches() {
    let server = Server::start().await;
    let without = server.preflight("https://app.example", "PUT", "").await;
    assert_eq!(without.status(), 403);
    server.set_cors("https://*.example").await;
    let answer = server.preflight("https://app.example", "PUT", "X-Amz-Meta-A, x-amz-b").await;
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("access-control-allow-origin"), "https://app.example");
    assert_eq!(header("access-control-allow-methods"), "PUT");
    assert_eq!(header("access-control-allow-headers"), "x-amz-meta-a, x-amz-b");
    assert_eq!(header("access-control-expose-headers"), "ETag");
    assert_eq!(header("access-control-max-age"), "300");
    for (origin, method, headers) in [
        ("https://evil.test", "PUT", ""),
        ("https://app.example", "DELETE", ""),
        ("https://app.example", "PUT", "authorization"),
    ] {
        let denied = server.preflight(origin, method, headers).await;
        assert_eq!(denied.status(), 403, "{origin} {method} {headers}");
        assert!(denied.text().await.unwrap().contains("<Code>AccessForbidden</Code>"));
    }
}

#[tokio::test]
async fn an_answer_to_an_allowed_origin_has_cors_headers_and_to_another_has_none() {
    let server = Server::start().await;
    server.set_cors("https://app.example").await;
    let url = server.presigned_put("key").await;
    for (origin, allowed) in [("https://app.example", true), ("https://evil.test", false)] {
        let put = reqwest::Client::new().put(&url).header("origin", origin).body("x");
        let answer = put.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let headers = answer.headers();
        assert_eq!(headers.contains_key("access-control-allow-origin"), allowed, "{origin}");
        assert_eq!(headers.contains_key("access-control-expose-headers"), allowed, "{origin}");
    }
}

#[tokio::test]
async fn a_lifecycle_rule_aborts_uploads_of_its_prefix_once_they_are_old_enough() {
    let server = Server::start().await;
    server.set_abort_rule("inbox/", 1).await;
    let create = server.client.create_multipart_upload().bucket(BUCKET).key("inbox/old");
    let created = create.send().await.unwrap();
    assert_eq!(created.abort_rule_id(), Some("inbox"));
    let due: SystemTime = created.abort_date.unwrap().try_into().unwrap();
    assert!(due >= SystemTime::now() + DAY - Duration::from_secs(10), "rounded up to midnight");
    let id = created.upload_id.unwrap();
    server.upload_part("inbox/old", &id, 1, b"x".to_vec()).await;
    server.create_upload("other/old").await;
    assert!(run_lifecycle(&server.s3, due - Duration::from_secs(1)).await.is_empty());
    assert_eq!(run_lifecycle(&server.s3, due).await, ["inbox/old"]);
    assert_eq!(server.data_files(), 0);
    let left = server.client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert_eq!(left.uploads().len(), 1);
}

#[tokio::test]
async fn a_lifecycle_rule_of_zero_days_is_refused() {
    let server = Server::start().await;
    let result = server.try_set_abort_rule("inbox/", 0).await;
    assert_eq!(refused(result), code(400, "InvalidArgument"));
}

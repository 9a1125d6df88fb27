//! URLs of an upload's parts, signed like the one of them that the SDK has signed (Signature Version 4, query string
//! authentication). The SDK derives the signing key, and walks through all of its layers, for each URL anew: for the 64 parts
//! of a large document that was four fifths of the work of a request.

use std::fmt::Write;

use aws_lc_rs::{digest, hmac};

use crate::parts::Part;

/// The headers that the URL of a part signs, as its query has them.
const SIGNED_HEADERS: &str = "content-length%3Bhost";

/// Signs the parts of one upload.
pub(super) struct PartSigner {
    /// The URL without its query.
    address: String,
    host: String,
    path: String,
    /// The parameters of the query in their canonical order: those before the part's number, and those after it but for the
    /// signature.
    before: String,
    after: String,
    date: String,
    /// Date, region, service and `aws4_request`, as the signature's scope has them.
    scope: String,
    key: hmac::Key,
}

impl PartSigner {
    /// The signer of URLs like this one, which the SDK made for `part` by this secret key. `None` where it would not have
    /// made that very signature.
    pub(super) fn like(url: &str, part: Part, secret: &str) -> Option<Self> {
        let (address, query) = url.split_once('?')?;
        let (_, rest) = address.split_once("://")?;
        let (host, path) = rest.split_once('/')?;
        let is_signature = |pair: &&str| pair.starts_with("X-Amz-Signature=");
        let mut pairs: Vec<&str> = query.split('&').filter(|pair| !is_signature(pair)).collect();
        pairs.sort_unstable();
        let number = pairs.iter().position(|pair| pair.starts_with("partNumber="))?;
        let value = |name: &str| pairs.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let credential = value("X-Amz-Credential")?.replace("%2F", "/");
        let (_, scope) = credential.split_once('/')?;
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
        for step in scope.split('/') {
            let derived = hmac::sign(&key, step.as_bytes());
            key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        }
        let signer = Self {
            address: address.to_owned(),
            host: host.to_owned(),
            path: format!("/{path}"),
            before: pairs[..number].join("&"),
            after: pairs[number + 1..].join("&"),
            date: value("X-Amz-Date")?.to_owned(),
            scope: scope.to_owned(),
            key,
        };
        let theirs = query.split('&').find(is_signature)?;
        let is_same = value("X-Amz-SignedHeaders")? == SIGNED_HEADERS && signer.url(part).ends_with(theirs);
        is_same.then_some(signer)
    }

    /// The URL of a part.
    pub(super) fn url(&self, part: Part) -> String {
        let Self { address, host, path, before, after, date, scope, key } = self;
        let Part { number, size, .. } = part;
        let request = format!(
            "PUT\n{path}\n{before}&partNumber={number}&{after}\ncontent-length:{size}\nhost:{host}\n\n\
             content-length;host\nUNSIGNED-PAYLOAD"
        );
        let hash = digest::digest(&digest::SHA256, request.as_bytes());
        let mut text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n");
        push_hex(&mut text, hash.as_ref());
        let mut url = format!("{address}?{before}&partNumber={number}&{after}&X-Amz-Signature=");
        push_hex(&mut url, hmac::sign(key, text.as_bytes()).as_ref());
        url
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Nothing fails that writes into a text.
        let _ = write!(text, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use aws_sdk_s3::{
        Client,
        config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation},
        presigning::PresigningConfig,
    };

    use super::*;
    use crate::parts::{DocumentSize, PartPlan};

    /// The URL of a part as the SDK signs it.
    async fn by_the_sdk(client: &Client, key: &str, upload: &str, part: Part) -> String {
        let presigning = PresigningConfig::builder().expires_in(Duration::from_hours(1));
        let presigning = presigning.start_time(SystemTime::UNIX_EPOCH + Duration::from_hours(500_000));
        let request = client.upload_part().bucket("okd-files").key(key).upload_id(upload).part_number(part.number);
        let request = request.content_length(part.size.cast_signed()).presigned(presigning.build().unwrap()).await;
        request.unwrap().uri().to_owned()
    }

    fn client(token: Option<&str>, region: &'static str, endpoint: Option<&str>) -> Client {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret/key+=", token.map(str::to_owned), None, "a test");
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .credentials_provider(credentials)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .force_path_style(endpoint.is_some());
        config.set_endpoint_url(endpoint.map(str::to_owned));
        Client::from_conf(config.build())
    }

    /// The parameters of a URL, in any order.
    fn parts_of(url: &str) -> (String, Vec<String>) {
        let (address, query) = url.split_once('?').unwrap();
        let mut pairs: Vec<String> = query.split('&').map(str::to_owned).collect();
        pairs.sort();
        (address.to_owned(), pairs)
    }

    #[tokio::test]
    async fn every_url_is_the_one_that_the_sdk_makes() {
        let plan = PartPlan::from(DocumentSize::try_from((70 << 20) + 3).unwrap());
        let keys =
            ["school/0b1f/7c3e", "school-1/8450a167-3dbd-5c8a-af74-aaf636dd73dd/0198c2f0-0000-7000-8000-000000000000"];
        for (token, region, endpoint) in [
            (None, "eu-central-1", None),
            (Some("IQoJb3JpZ2luX2VjE+/=="), "eu-west-1", None),
            (Some("token"), "local", Some("http://127.0.0.1:7082")),
        ] {
            let client = client(token, region, endpoint);
            for key in keys {
                for upload in ["abc", "2~dots.and-dashes_", "a+b/c=d"] {
                    let first = plan.parts().next().unwrap();
                    let url = by_the_sdk(&client, key, upload, first).await;
                    let signer = PartSigner::like(&url, first, "secret/key+=").unwrap();
                    for part in plan.parts() {
                        let theirs = by_the_sdk(&client, key, upload, part).await;
                        assert_eq!(parts_of(&signer.url(part)), parts_of(&theirs), "{upload} {}", part.number);
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn a_url_that_another_key_signed_has_no_signer() {
        let part = PartPlan::from(DocumentSize::try_from(5).unwrap()).parts().next().unwrap();
        let url = by_the_sdk(&client(None, "local", None), "a/b/c", "upload", part).await;
        assert!(PartSigner::like(&url, part, "another key").is_none());
        assert!(PartSigner::like(&url.replace("content-length%3Bhost", "host"), part, "secret/key+=").is_none());
        assert!(PartSigner::like("https://s3.example", part, "secret/key+=").is_none());
    }
}

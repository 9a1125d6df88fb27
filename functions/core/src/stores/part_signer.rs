//! URLs of an upload's parts, signed like the one of them that the SDK has signed (Signature Version 4, query string
//! authentication). The SDK derives the signing key, and walks through all of its layers, for each URL anew: for the 64 parts
//! of a large document that was four fifths of the work of a request.

use aws_lc_rs::{digest, hmac};

use crate::{checksum::push_hex, parts::Part};

/// The headers that the URL of a part signs, as its query has them.
const SIGNED_HEADERS: &str = "content-length%3Bhost";

/// Signs the parts of one upload. What all of them begin with is hashed once.
pub(super) struct PartSigner {
    /// The URL up to the part's number.
    url: String,
    /// The parameters of the query after it, but for the signature, in their canonical order.
    rest: String,
    host: String,
    /// The hash of the canonical request up to the part's number.
    request: digest::Context,
    /// The text to sign up to the hash of the canonical request.
    text: String,
    key: hmac::Key,
}

impl PartSigner {
    /// The signer of URLs like this one, which the SDK made for `part` by this secret key. `None` where it would not have
    /// made that very signature.
    pub(super) fn like(url: &str, part: Part, secret: &str) -> Option<Self> {
        let (address, query) = url.split_once('?')?;
        let (_, after_scheme) = address.split_once("://")?;
        let (host, path) = after_scheme.split_once('/')?;
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
        let before = format!("{}&partNumber=", pairs[..number].join("&"));
        let mut request = digest::Context::new(&digest::SHA256);
        request.update(format!("PUT\n/{path}\n{before}").as_bytes());
        let signer = Self {
            url: format!("{address}?{before}"),
            rest: pairs[number + 1..].join("&"),
            host: host.to_owned(),
            request,
            text: format!("AWS4-HMAC-SHA256\n{}\n{scope}\n", value("X-Amz-Date")?),
            key,
        };
        let theirs = query.split('&').find(is_signature)?;
        let is_same = value("X-Amz-SignedHeaders")? == SIGNED_HEADERS && signer.url(part).ends_with(theirs);
        is_same.then_some(signer)
    }

    /// The URL of a part.
    pub(super) fn url(&self, part: Part) -> String {
        let Self { url, rest, host, request, text, key } = self;
        let Part { number, size, .. } = part;
        let mut request = request.clone();
        let rest_of_request =
            format!("{number}&{rest}\ncontent-length:{size}\nhost:{host}\n\ncontent-length;host\nUNSIGNED-PAYLOAD");
        request.update(rest_of_request.as_bytes());
        let mut text = text.clone();
        push_hex(&mut text, request.finish().as_ref());
        let mut url = format!("{url}{number}&{rest}&X-Amz-Signature=");
        push_hex(&mut url, hmac::sign(key, text.as_bytes()).as_ref());
        url
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

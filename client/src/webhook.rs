//! Signs what a webhook is told, by Standard Webhooks (<https://www.standardwebhooks.com>, version 1.0.0).

use std::time::{SystemTime, UNIX_EPOCH};

use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use crate::{Error, Result};

/// Bytes of a secret (the specification wants 24 to 64).
const SECRET: usize = 32;

/// The keys of a webhook: one, or two while they are changed, for its receiver knows the new one or the old one.
pub struct Signing(Vec<Webhook>);

impl Signing {
    /// With these secrets, each as `whsec_` and base64.
    pub fn with(secrets: &[String]) -> Result<Self> {
        let key = |secret: &String| {
            let key = Webhook::new(secret.trim());
            key.map_err(|error| Error::Usage(format!("a webhook's secret is whsec_ and base64: {error}")))
        };
        Ok(Self(secrets.iter().map(key).collect::<Result<_>>()?))
    }

    /// The headers of a message: its id, which is the same when it is sent again, the time, and a signature by each key.
    pub fn headers(&self, id: &str, body: &str) -> [(&'static str, String); 3] {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let time = i64::try_from(now).unwrap_or_default();
        // A text can be signed.
        let signatures: Vec<String> =
            self.0.iter().filter_map(|key| key.sign(id, time, body.as_bytes()).ok()).collect();
        [
            (HEADER_WEBHOOK_ID, id.to_owned()),
            (HEADER_WEBHOOK_TIMESTAMP, time.to_string()),
            (HEADER_WEBHOOK_SIGNATURE, signatures.join(" ")),
        ]
    }
}

/// A new secret.
pub fn secret() -> String {
    use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

    let mut bytes = [0; SECRET];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has a random number generator");
    format!("whsec_{}", BASE64.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the specification's own libraries, of `webhook-timestamp` 1614265330.
    #[test]
    fn a_message_is_signed_as_the_specification_has_it() {
        let key = Webhook::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_keys_are_changed_both_receivers_believe_it() {
        let secrets = [secret(), secret()];
        let headers = Signing::with(&secrets).unwrap().headers("msg_1", "{}");
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers = http::HeaderMap::from_iter(headers);
        for known in &secrets {
            Webhook::new(known).unwrap().verify(b"{}", &headers).unwrap();
        }
        assert!(Webhook::new(&secret()).unwrap().verify(b"{}", &headers).is_err());
        assert!(Signing::with(&["whsec_?".to_owned()]).is_err());
    }
}

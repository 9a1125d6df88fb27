//! Calls to the service and to S3: asked again where there is no answer, or one that says "again".

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::Value;

use crate::{Error, Refused, Result, error::with_causes, tokens::Tokens};

/// The first pause; each is twice as long as the one before, and a part of it is drawn, so that many who failed together do
/// not come again together.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The time that the service may take: its gateway gives up after 29 s.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The service, a token for it, and how long to go on asking.
pub(crate) struct Calls {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) tokens: Tokens,
    /// The time for which it goes on asking.
    pub(crate) patience: Duration,
    /// The longest pause before it asks again, also where the answer names a longer one.
    pub(crate) longest_pause: Duration,
}

/// The status of an answer and its JSON; null where it is none.
pub(crate) type Answer = (u16, Value);

impl Calls {
    pub(crate) fn new(http: reqwest::Client, url: &str, tokens: Tokens) -> Self {
        Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
            tokens,
            patience: Duration::from_mins(2),
            longest_pause: Duration::from_millis(500),
        }
    }

    /// Asks the service at this path of the API, or at the path that one of its links names.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answer> {
        let url = url_of(&self.url, path);
        let mut renewed = false;
        loop {
            let token = self.tokens.get(&self.http).await?;
            let request = || fill(self.http.request(method.clone(), &url).bearer_auth(&token).timeout(TIMEOUT));
            let answer = self.ask_anew(|| std::future::ready(Ok(request()))).await?;
            // A token may die on the way; a second one that is refused will not be the last.
            if answer.0 != 401 || renewed || !self.tokens.forget(&token).await {
                return Ok(answer);
            }
            renewed = true;
        }
    }

    /// The first answer that is not "again", to a request that is made anew each time: what it reads is read again.
    pub(crate) async fn ask_anew<F: Future<Output = Result<RequestBuilder>>>(
        &self,
        request: impl Fn() -> F,
    ) -> Result<Answer> {
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let (trouble, last, named) = match request().await?.send().await {
                Ok(answer) => {
                    let status = answer.status();
                    let named = named_pause(&answer);
                    match answer.text().await {
                        Ok(text) if !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                            return Ok((status.as_u16(), serde_json::from_str(&text).unwrap_or_default()));
                        }
                        Ok(text) => {
                            let problem = serde_json::from_str(&text).unwrap_or_default();
                            let last = Refused { status: status.as_u16(), problem };
                            (format!("{status} {text}"), Some(last), named)
                        }
                        Err(error) => (with_causes(&error.without_url()), None, None),
                    }
                }
                // Without its URL, which may be a secret.
                Err(error) => (with_causes(&error.without_url()), None, None),
            };
            let left = self.patience.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(Error::Unreachable(trouble, last));
            }
            let drawn = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            tokio::time::sleep(named.unwrap_or_default().max(drawn).min(self.longest_pause).min(left)).await;
            pause = self.longest_pause.min(pause * 2);
        }
    }

    /// The time to wait where an answer that is good says to ask again later.
    pub(crate) async fn pause(&self) {
        tokio::time::sleep(self.longest_pause.min(Duration::from_secs(2))).await;
    }
}

/// The connections of a sender. They follow no redirect: the token is for the service alone.
pub fn connections() -> reqwest::Client {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .user_agent(concat!("okd-client/", env!("CARGO_PKG_VERSION")))
        .build();
    client.expect("the system has a random number generator, and roots that can be read")
}

/// The URL of a path at the service of this base URL. Links name the stage, which the base URL of a deployment has too.
pub fn url_of(service: &str, path: &str) -> String {
    let service = service.trim_end_matches('/');
    let after_scheme = service.find("://").map_or(0, |at| at + 3);
    let base_path = service[after_scheme..].find('/').map_or("", |at| &service[after_scheme + at..]);
    let rest = path.strip_prefix(base_path).filter(|rest| rest.starts_with('/'));
    format!("{service}{}", rest.unwrap_or(path))
}

/// The pause that `Retry-After` names, in seconds as AWS and we write it.
fn named_pause(answer: &reqwest::Response) -> Option<Duration> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_link_that_names_the_stage_lead_to_the_same_place() {
        for (url, path, whole) in [
            ("http://127.0.0.1:7080", "/okd/v1/x", "http://127.0.0.1:7080/okd/v1/x"),
            ("https://a.example/live", "/okd/v1/x", "https://a.example/live/okd/v1/x"),
            ("https://a.example/live/", "/live/okd/v1/x", "https://a.example/live/okd/v1/x"),
            ("https://a.example/live", "/lively", "https://a.example/live/lively"),
            ("http://127.0.0.1:7080", "/live/okd/v1/x", "http://127.0.0.1:7080/live/okd/v1/x"),
        ] {
            assert_eq!(url_of(url, path), whole);
        }
    }
}

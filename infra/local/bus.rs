//! The stand-in for `EventBridge`: every event that the functions put on the bus goes, as a rule's target would get it,
//! into the file [`ANNOUNCED`] of the data folder, a line of JSON each, and, where there is one, to a webhook.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use okd_client::Signing;
use reqwest::Url;
use serde_json::{Value, json};

use crate::{
    Result,
    aws_json::{self, Answer, Call, Described, Port, answer},
    console::Feed,
    delivery::event,
    policies::Need,
    template::arn,
};

/// The file of announcements in the data folder.
pub const ANNOUNCED: &str = "announced.jsonl";
/// The time that a webhook may take: an SDK waits for 3 s.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where to send announcements to, besides to the file.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The URL.
    pub url: String,
    /// The secrets to sign with, by Standard Webhooks; without any it has no signature.
    pub secrets: Vec<String>,
}

/// The bus.
pub struct Bus {
    file: Mutex<File>,
    durable: bool,
    webhook: Option<(Url, Option<Signing>)>,
    feed: Option<Arc<Feed>>,
    /// True if the webhook did not accept what it was last told.
    silent: AtomicBool,
    http: reqwest::Client,
}

impl Bus {
    /// The bus that writes to this data folder; with `durable`, to the disk before it answers. It tells the console, too.
    pub(crate) fn open(
        folder: &Path,
        durable: bool,
        webhook: Option<Webhook>,
        feed: Option<Arc<Feed>>,
    ) -> Result<Self> {
        let parsed = |Webhook { url, secrets }: Webhook| -> Result<_> {
            let parsed = url.parse::<Url>().map_err(|error| format!("--webhook {url} is no URL: {error}"))?;
            let signing = (!secrets.is_empty()).then(|| Signing::with(&secrets)).transpose()?;
            Ok((parsed, signing))
        };
        let webhook = webhook.map(parsed).transpose()?;
        let path = folder.join(ANNOUNCED);
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self {
            file: file.into(),
            durable,
            webhook,
            feed,
            silent: AtomicBool::new(false),
            http: reqwest::Client::builder()
                .user_agent(okd_core::USER_AGENT)
                .default_headers(HeaderMap::from_iter([
                    (header::ACCEPT, HeaderValue::from_static("*/*")),
                    (header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
                ]))
                .timeout(PATIENCE)
                .build()?,
        })
    }

    /// Answers `PutEvents` until the process ends.
    pub async fn serve(self, port: Port) {
        let bus = Arc::new(self);
        let effect = move |call: Call| {
            let bus = bus.clone();
            async move { bus.put_events(&call.body().json).await }
        };
        aws_json::serve(port, describe, effect).await;
    }

    async fn put_events(&self, input: &Value) -> Answer {
        let entries = input["Entries"].as_array().into_iter().flatten();
        let put = async |entry| match self.put(entry).await {
            Ok(id) => json!({ "EventId": id }),
            Err(error) => {
                json!({ "ErrorCode": "InternalFailure", "ErrorMessage": error.to_string() })
            }
        };
        let results = join_all(entries.map(put)).await;
        let failed = results.iter().filter(|result| result["ErrorCode"].is_string());
        let failed = failed.count();
        let body = json!({ "FailedEntryCount": failed, "Entries": results });
        answer(StatusCode::OK, &body)
    }

    /// Reports to the webhook before the sender is answered: so each event is sent again until all have it.
    async fn put(&self, entry: &Value) -> Result<String> {
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        let detail: Value = serde_json::from_str(text("Detail"))?;
        let seconds = entry["Time"].as_f64().unwrap_or_default();
        let time = jiff::Timestamp::UNIX_EPOCH + Duration::try_from_secs_f64(seconds)?;
        let event = event(text("Source"), text("DetailType"), time, &detail);
        if let Some((webhook, signing)) = &self.webhook {
            let body = event.to_string();
            let mut request = self.http.post(webhook.clone()).header(header::CONTENT_TYPE, "application/json");
            // An announcement's id is the same when it is put on the bus again.
            let id = detail["id"].as_str().unwrap_or_default();
            for (name, value) in signing.iter().flat_map(|signing| signing.headers(id, &body)) {
                request = request.header(name, value);
            }
            let sent = request.body(body).send().await;
            let heard = sent.and_then(reqwest::Response::error_for_status);
            let silent = heard.as_ref().err().map(reqwest::Error::to_string);
            let was_silent = self.silent.swap(silent.is_some(), Ordering::Relaxed);
            if let (Some(error), false) = (silent, was_silent) {
                tracing::warn!(error, "the webhook is told again until it accepts");
            }
            heard.map_err(reqwest::Error::without_url)?;
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // In one piece, so that a kill leaves no half line.
        file.write_all(format!("{event}\n").as_bytes())?;
        if self.durable {
            file.sync_data()?;
        }
        if let Some(feed) = &self.feed {
            feed.event(&event);
        }
        Ok(event["id"].as_str().unwrap_or_default().to_owned())
    }
}

fn describe(call: &Call) -> Described {
    let entries = call.body().json["Entries"].as_array().into_iter().flatten();
    let bus = |entry: &Value| arn(entry["EventBusName"].as_str().unwrap_or_default());
    let action = format!("events:{}", call.body().operation);
    let needs = entries.map(|entry| Need::of(&action, bus(entry)));
    (call.body().operation.clone(), needs.collect())
}

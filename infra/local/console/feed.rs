//! What happens in the cloud, in words for the page.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use axum::{
    body::{Body, HttpBody, to_bytes},
    http::{Method, header},
    response::Response,
};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::broadcast;

/// Messages that a page gets which is opened later.
const RECENT: usize = 300;
/// The largest answer that is looked into: one of 1,000 parts has less.
const MAX_ANSWER: u64 = 2 << 20;

/// What happens, for all pages that are open.
pub(crate) struct Feed {
    recent: Mutex<VecDeque<String>>,
    told: broadcast::Sender<String>,
}

impl Default for Feed {
    fn default() -> Self {
        Self { recent: Mutex::default(), told: broadcast::channel(RECENT).0 }
    }
}

impl Feed {
    /// What happened lately, unless `only_new` is asked for, and then what happens.
    pub(super) fn read(&self, only_new: bool) -> impl Stream<Item = String> + use<> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let (earlier, later) = (if only_new { VecDeque::new() } else { recent.clone() }, self.told.subscribe());
        drop(recent);
        let later = stream::unfold(later, async |mut later| {
            loop {
                match later.recv().await {
                    Ok(text) => return Some((text, later)),
                    // A page that is too slow misses something.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        });
        stream::iter(earlier).chain(later)
    }

    /// Tells of a request and its answer, which it gives back.
    pub(crate) async fn request(&self, method: &Method, path: &str, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        let media = parts.headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
        let is_json = media.starts_with("application/json") || media.starts_with("application/problem+json");
        if !is_json || body.size_hint().upper().is_none_or(|size| size > MAX_ANSWER) {
            self.tell(&described(method, path, parts.status.as_u16(), &Value::Null));
            return Response::from_parts(parts, body);
        }
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let answer = serde_json::from_slice(&body).unwrap_or_default();
        self.tell(&described(method, path, parts.status.as_u16(), &answer));
        Response::from_parts(parts, Body::from(body))
    }

    /// Tells of an event as its receivers get it.
    pub(crate) fn event(&self, event: &Value) {
        self.tell(&json!({ "event": event }));
    }

    fn tell(&self, message: &Value) {
        let text = message.to_string();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(text.clone());
        // Without a page nobody listens.
        let _ = self.told.send(text);
    }
}

/// A request and its answer.
fn described(method: &Method, path: &str, status: u16, answer: &Value) -> Value {
    let in_path = path.split_once("/documents/").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    let document = answer["dmsDocumentId"].as_str().or(in_path);
    let upload = &answer["upload"];
    let problem = (status >= 400)
        .then(|| json!({ "title": answer["title"], "detail": answer["detail"], "type": answer["type"] }));
    json!({
        "time": jiff::Timestamp::now(), "method": method.as_str(), "path": path, "status": status,
        "document": document, "state": upload["state"], "received": upload["partsReceived"], "parts": upload["partCount"],
        "size": upload["documentSize"], "problem": problem,
    })
}

//! DynamoDB on SQLite: the `dynoxide-rs` server, embedded, behind a front that notes each call.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use tokio::net::TcpListener;

use crate::Result;

/// Serves the tables of `file` until the process ends; gives the server's URL.
pub async fn serve(file: &Path) -> Result<String> {
    let path = file.to_str().ok_or("the data folder's path is not UTF-8")?;
    let database = dynoxide::Database::new(path).map_err(|error| format!("{path}: {error}"))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(dynoxide::server::serve_with_shutdown(
        listener,
        database,
        std::future::pending(),
    ));
    Ok(url)
}

/// The operations asked for, in order: `GetItem`, `PutItem` and so on.
#[derive(Default)]
pub struct Calls(Mutex<Vec<String>>);

impl Calls {
    /// All of them, up to now.
    pub fn all(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, operation: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(operation.to_owned());
    }
}

struct Front {
    target: String,
    http: reqwest::Client,
    calls: Arc<Calls>,
}

/// Passes calls on to `target`, noting the operation of each.
pub fn front(target: String, calls: Arc<Calls>) -> Router {
    let front = Front {
        target,
        http: reqwest::Client::new(),
        calls,
    };
    Router::new().fallback(pass_on).with_state(Arc::new(front))
}

async fn pass_on(State(front): State<Arc<Front>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    front
        .calls
        .note(target.rsplit('.').next().unwrap_or_default());
    let sent = front
        .http
        .post(&front.target)
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(answer) = sent else { return gone() };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    let Ok(body) = answer.bytes().await else {
        return gone();
    };
    *response.body_mut() = Body::from(body);
    response
}

fn gone() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

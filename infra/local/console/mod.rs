//! The page that a person has open while a school's system is made to speak to this cloud: the documents with their states, the
//! requests with their problems, the events as they are announced, a token to copy, and a place to drop a file. It is on the
//! gateway's port; AWS has no such path.

mod feed;

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    extract::{RawQuery, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::{
        Html, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};

use crate::issuer::Issuer;

pub(crate) use feed::Feed;

const PAGE: &str = include_str!("page.html");
/// The recipe of a browser, which is the place to drop a file.
const PUT: &str = include_str!("../../../client/recipes/put.html");
/// The client that a copied token is for, and its scope.
const CLIENT: &str = "local-sis";
const SCOPE: &str = "okd:alldocuments";

struct Console {
    feed: Arc<Feed>,
    issuer: Arc<Issuer>,
}

/// The paths of the page.
pub(crate) fn routes(feed: Arc<Feed>, issuer: Arc<Issuer>) -> Router {
    let secure = |mut response: Response| async move {
        let header = (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
        response.headers_mut().extend([header, (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
        response
    };
    Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/console/put", get(async || Html(PUT)))
        .route("/console/token", get(token))
        .route("/console/feed", get(tell))
        .layer(map_response(secure))
        .with_state(Arc::new(Console { feed, issuer }))
}

async fn token(State(console): State<Arc<Console>>) -> Result<Json<Value>, StatusCode> {
    let token = console.issuer.token(CLIENT, SCOPE);
    token.map(|token| Json(json!({ "token": token }))).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// What happened lately, and then what happens (server-sent events); with `?new`, the latter alone.
async fn tell(
    State(console): State<Arc<Console>>,
    RawQuery(query): RawQuery,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let told = console.feed.read(query.as_deref() == Some("new")).map(|text| Ok(Event::default().data(text)));
    Sse::new(told).keep_alive(KeepAlive::default())
}

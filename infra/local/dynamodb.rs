//! DynamoDB on SQLite: the `dynoxide-rs` server, embedded, and a front that puts it behind the [`Wire`].

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    Result, TENANTS,
    template::physical_name,
    wire::{Wire, Wording, process_of},
};

/// As which a `Query` of the table of tenants passes the wire: a process makes one in a while, whatever it is asked.
pub const TENANTS_READ: &str = "QueryTenants";

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

/// Passes calls on to `target`, over the wire, until the process ends.
pub async fn front(listener: TcpListener, target: String, wire: Arc<Wire>) {
    let http = reqwest::Client::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true); // only costs time if it fails
        let (http, target, wire) = (http.clone(), target.clone(), wire.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            let (http, target, wire) = (http.clone(), target.clone(), wire.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let process = process_of(&parts.headers);
                let operation = operation_of(&parts.headers, &body);
                let effect = pass_on(http, target, parts.headers, body);
                let answer = wire.pass(&process, &operation, word, effect).await;
                answer.ok_or_else(|| crate::Error::from("the connection is made to break"))
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

/// The operation's name at AWS; what reads tenants is told from what reads documents.
fn operation_of(headers: &HeaderMap, body: &[u8]) -> String {
    let target = headers.get("x-amz-target");
    let target = target.and_then(|value| value.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next());
    let operation = operation.unwrap_or_default();
    match (operation, serde_json::from_slice::<Value>(body)) {
        ("Query", Ok(query)) if query["TableName"] == physical_name(TENANTS) => {
            TENANTS_READ.to_owned()
        }
        _ => operation.to_owned(),
    }
}

async fn pass_on(
    http: reqwest::Client,
    target: String,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Full<Bytes>> {
    let sent = http.post(target).headers(headers).body(body).send().await;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    let Ok(answer) = sent else { return response };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let Ok(body) = answer.bytes().await else {
        return response;
    };
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    *response.body_mut() = body.into();
    response
}

/// An answer that a fault makes us give.
fn word(wording: Wording) -> Response<Full<Bytes>> {
    let (status, kind) = match wording {
        Wording::Failed | Wording::FailedInside => {
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError")
        }
        Wording::Throttled => (StatusCode::BAD_REQUEST, "ThrottlingException"),
    };
    let body = format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{kind}","message":"On a test's order."}}"#
    );
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}

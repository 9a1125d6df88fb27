//! DynamoDB on SQLite: the `dynoxide-rs` server, embedded, and a front that puts it behind the [wire](crate::wire).

use std::{path::Path, sync::Arc};

use http::StatusCode;
use serde_json::Value;
use tokio::{net::TcpListener, sync::Notify};

use crate::{
    Result, TENANTS,
    aws_json::{self, Answer, Call, Described, Port},
    policies::Need,
    template::{arn, physical_name},
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

/// Passes calls on to `target`, over the wire, until the process ends; notifies `written` of each that may have written.
pub async fn front(port: Port, target: String, written: Arc<Notify>) {
    let http = reqwest::Client::new();
    let effect = move |call: Call| {
        let (http, target, written) = (http.clone(), target.clone(), written.clone());
        async move {
            let writes = !matches!(call.operation.as_str(), "GetItem" | "Query" | "Scan");
            let answer = pass_on(&http, &target, call).await;
            if writes {
                written.notify_one();
            }
            answer
        }
    };
    aws_json::serve(port, describe, effect).await;
}

fn describe(call: &Call) -> Described {
    let table = call.input["TableName"].as_str().unwrap_or_default();
    let resource = match call.input["IndexName"].as_str() {
        Some(index) => format!("{}/index/{index}", arn(table)),
        None => arn(table),
    };
    match call.operation.as_str() {
        "TransactWriteItems" => {
            let writes = call.input["TransactItems"].as_array().into_iter().flatten();
            let needs = writes.filter_map(|write| {
                let (kind, item) = write.as_object()?.iter().next()?;
                Some(need_of(kind, item))
            });
            (call.operation.clone(), needs.collect())
        }
        "Query" if table == physical_name(TENANTS) => {
            let need = Need::of("dynamodb:Query", resource);
            (TENANTS_READ.to_owned(), vec![need])
        }
        operation => {
            let need = Need::of(format!("dynamodb:{operation}"), resource);
            (operation.to_owned(), vec![need])
        }
    }
}

/// What one write of a transaction needs: as much as if it were made alone.
fn need_of(kind: &str, item: &Value) -> Need {
    let action = match kind {
        "ConditionCheck" => "dynamodb:ConditionCheckItem".to_owned(),
        kind => format!("dynamodb:{kind}Item"),
    };
    Need::of(action, arn(item["TableName"].as_str().unwrap_or_default()))
}

async fn pass_on(http: &reqwest::Client, target: &str, call: Call) -> Answer {
    let sent = http.post(target).headers(call.headers).body(call.body);
    let mut response = Answer::default();
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    let Ok(answer) = sent.send().await else {
        return response;
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let Ok(body) = answer.bytes().await else {
        return response;
    };
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    *response.body_mut() = body.into();
    response
}

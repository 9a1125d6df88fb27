//! DynamoDB on SQLite: the `dynoxide-rs` engine, called inside this process, behind the [fault layer](okd_faults).

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use dynoxide::{Database, DynoxideError};
use http::StatusCode;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::sync::Notify;

use okd_cli::{TENANTS, physical_name};

use crate::{
    Result,
    aws_json::{self, Answer, Call, Described, Input, Port},
    index_lag::LaggingIndex,
    policies::Need,
    template::arn,
};

/// The name by which a `Query` of the table of tenants passes the fault layer: a process makes one in a while, for any
/// request.
pub const TENANTS_READ: &str = "QueryTenants";

/// The file of the tables in a data folder.
pub(crate) fn file(data: &Path) -> PathBuf {
    data.join("dynamodb.sqlite")
}

/// The tables, here or elsewhere.
#[derive(Clone)]
pub enum Tables {
    /// In a file, by the engine in this process. It has no port of its own that could be called past the fault layer.
    Inside(Database, Arc<Mutex<Index>>),
    /// In another DynamoDB, by its URL.
    Elsewhere(reqwest::Client, String),
}

/// The state of the tables' indexes.
#[derive(Default)]
pub struct Index {
    /// The calls that made the tables.
    created: Vec<Bytes>,
    lagging: Option<LaggingIndex>,
}

impl Tables {
    /// The tables of `file`, which is made where there is none; those of another DynamoDB where its URL is given.
    pub fn open(file: &Path, elsewhere: Option<String>) -> Result<Self> {
        if let Some(url) = elsewhere {
            return Ok(Self::Elsewhere(reqwest::Client::new(), url));
        }
        let path = file.to_str().ok_or("the data folder's path is not UTF-8")?;
        let database = Database::new(path).map_err(|error| format!("{path}: {error}"))?;
        Ok(Self::Inside(database, Arc::default()))
    }

    /// Has the indexes show the state of some writes ago, drawn from the seed; with `None` they are up to date again.
    pub fn lag(&self, seed: Option<u64>) -> Result<()> {
        if let Self::Inside(database, index) = self {
            let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
            let of = |seed| LaggingIndex::of(database, &index.created, seed);
            index.lagging = seed.map(of).transpose()?;
        }
        Ok(())
    }

    async fn answer(&self, call: Call) -> Answer {
        match self {
            Self::Inside(database, index) => {
                let (database, index) = (database.clone(), index.clone());
                // SQLite waits for the disk.
                let done = tokio::task::spawn_blocking(move || run_indexed(&database, &index, call.into_body()));
                match done.await {
                    Ok(Ok(output)) => Answer::new(output.into()),
                    Ok(Err(refusal)) => refused(&refusal),
                    Err(_) => failed(),
                }
            }
            Self::Elsewhere(http, url) => pass_on(http, url, call).await.unwrap_or_else(|_| failed()),
        }
    }
}

/// Answers calls from `tables`, behind the fault layer, until the process ends; notifies `written` of each that may have
/// written.
pub async fn serve(port: Port, tables: Tables, written: Arc<Notify>) {
    let effect = move |call: Call| {
        let (tables, written) = (tables.clone(), written.clone());
        async move {
            let writes = is_write(&call.body().operation);
            let answer = tables.answer(call).await;
            if writes {
                written.notify_one();
            }
            answer
        }
    };
    aws_json::serve(port, describe, effect).await;
}

/// Runs one operation, a query of an index on the index as it is at this moment.
fn run_indexed(database: &Database, index: &Mutex<Index>, input: Input) -> Result<Vec<u8>, DynoxideError> {
    let Input { operation, json, bytes } = input;
    let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
    if operation == "CreateTable" {
        index.created.push(bytes.clone());
    }
    let Some(lagging) = &mut index.lagging else {
        drop(index);
        return run(database, &operation, &bytes);
    };
    if json["IndexName"].is_string() {
        // A write that the tables have taken is taken here too.
        let behind = lagging.now(|behind, operation, input| drop(run(behind, operation, input)));
        return run(&behind, &operation, &bytes);
    }
    let output = run(database, &operation, &bytes)?;
    if is_write(&operation) {
        lagging.note((operation, bytes));
    }
    Ok(output)
}

fn is_write(operation: &str) -> bool {
    !matches!(operation, "GetItem" | "BatchGetItem" | "Query" | "Scan")
}

/// Runs one operation. There are those that the service, its commands and its tests use.
fn run(tables: &Database, operation: &str, input: &[u8]) -> Result<Vec<u8>, DynoxideError> {
    match operation {
        "GetItem" => with(input, |input| tables.get_item(input)),
        "BatchGetItem" => with(input, |input| tables.batch_get_item(input)),
        "PutItem" => with(input, |input| tables.put_item(input)),
        "UpdateItem" => with(input, |input| tables.update_item(input)),
        "DeleteItem" => with(input, |input| tables.delete_item(input)),
        "Query" => with(input, |input| tables.query(input)),
        "Scan" => with(input, |input| tables.scan(input)),
        "BatchWriteItem" => with(input, |input| tables.batch_write_item(input)),
        "TransactWriteItems" => with(input, |input| tables.transact_write_items(input)),
        "CreateTable" => with(input, |input| tables.create_table(input)),
        "DescribeTable" => with(input, |input| tables.describe_table(input)),
        "ListTables" => with(input, |input| tables.list_tables(input)),
        _ => {
            let text = format!("the local DynamoDB does not know {operation}");
            Err(DynoxideError::ValidationException(text))
        }
    }
}

/// Runs `operation` on this input, read from JSON; gives its output as JSON.
fn with<I: DeserializeOwned, O: Serialize>(
    input: &[u8],
    operation: impl FnOnce(I) -> dynoxide::Result<O>,
) -> Result<Vec<u8>, DynoxideError> {
    let input =
        serde_json::from_slice(input).map_err(|error| DynoxideError::SerializationException(error.to_string()))?;
    serde_json::to_vec(&operation(input)?).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

fn refused(refusal: &DynoxideError) -> Answer {
    let status = StatusCode::from_u16(refusal.status_code());
    aws_json::answer(status.unwrap_or(StatusCode::BAD_REQUEST), refusal.to_json())
}

fn failed() -> Answer {
    let body = json!({ "__type": "InternalServerError", "message": "No answer." });
    aws_json::answer(StatusCode::INTERNAL_SERVER_ERROR, &body)
}

fn describe(call: &Call) -> Described {
    let Input { operation, json, .. } = call.body();
    let table = json["TableName"].as_str().unwrap_or_default();
    let resource = match json["IndexName"].as_str() {
        Some(index) => format!("{}/index/{index}", arn(table)),
        None => arn(table),
    };
    let partition = partition_of(json);
    match operation.as_str() {
        "TransactWriteItems" => {
            let writes = json["TransactItems"].as_array().into_iter().flatten();
            let needs = writes.filter_map(|write| {
                let (kind, item) = write.as_object()?.iter().next()?;
                Some(need_of(kind, item))
            });
            (operation.clone(), needs.collect())
        }
        "BatchGetItem" => {
            let tables = json["RequestItems"].as_object().into_iter().flatten();
            let needs = tables.flat_map(|(table, asked)| {
                let keys = asked["Keys"].as_array().into_iter().flatten();
                keys.map(|key| Need::of("dynamodb:BatchGetItem", arn(table)).in_partition(key["pk"]["S"].as_str()))
            });
            (operation.clone(), needs.collect())
        }
        "Query" if table == physical_name(TENANTS) => {
            let need = Need::of("dynamodb:Query", resource).in_partition(partition);
            (TENANTS_READ.to_owned(), vec![need])
        }
        operation => {
            let need = Need::of(format!("dynamodb:{operation}"), resource).in_partition(partition);
            (operation.to_owned(), vec![need])
        }
    }
}

/// The rights that one write of a transaction needs: as much as if it were made alone.
fn need_of(kind: &str, item: &Value) -> Need {
    let action = match kind {
        "ConditionCheck" => "dynamodb:ConditionCheckItem".to_owned(),
        kind => format!("dynamodb:{kind}Item"),
    };
    let table = item["TableName"].as_str().unwrap_or_default();
    Need::of(action, arn(table)).in_partition(partition_of(item))
}

/// The partition that a call or a write is about, as the service's own tables and queries name it.
fn partition_of(input: &Value) -> Option<&str> {
    let places = [&input["Key"]["pk"], &input["Item"]["pk"], &input["ExpressionAttributeValues"][":pk"]];
    places.iter().find_map(|value| value["S"].as_str())
}

async fn pass_on(http: &reqwest::Client, url: &str, call: Call) -> reqwest::Result<Answer> {
    let (parts, input) = call.into_parts();
    let sent = http.post(url).headers(parts.headers).body(input.bytes);
    let answer = sent.send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Answer::new(answer.bytes().await?.into());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

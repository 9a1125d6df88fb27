//! `okd listen` and `okd trigger`: the events of the cloud on this machine, for a receiver of webhooks that is being made.

use std::{path::PathBuf, time::Duration};

use futures_util::{Stream, StreamExt, stream};
use okd_client::{Error, Kind, Message, Resource, Result, Sender, Signing, Source, connections, secret};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{hand_in::put, settings::Settings};

/// The times that an event is sent, each later than the one before.
const TRIES: u32 = 5;
/// A receiver's time to answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where events are to go.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The URL that gets each event by POST.
    #[arg(long, value_name = "URL")]
    forward_to: String,
    /// A file with the secret to sign with (`whsec_...`), two lines while it is changed; without one it is made and shown.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// An event to bring about.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum EventType {
    /// A document is handed in.
    #[value(name = "document.stored")]
    Stored,
    /// A document is handed in, and deleted.
    #[value(name = "document.removed")]
    Removed,
}

/// Forwards each event that the cloud announces from now on, signed, until it is stopped.
pub(crate) async fn listen(settings: &Settings, Arguments { forward_to, secret_file }: Arguments) -> Result<()> {
    let secrets: Vec<String> = match secret_file {
        Some(path) => {
            let text =
                std::fs::read_to_string(&path).map_err(|error| Error::File(path.display().to_string(), error))?;
            text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
        }
        None => vec![secret()],
    };
    let signing = Signing::with(&secrets)?;
    eprintln!("signed with {}", if secrets.len() == 1 { secrets[0].as_str() } else { "the secrets of the file" });
    let http = connections();
    let mut events = std::pin::pin!(events(&http, &settings.url()?).await?);
    eprintln!("listening");
    while let Some(event) = events.next().await {
        let event = event?;
        let kind = event["detail-type"].as_str().unwrap_or_default();
        let said = forward(&http, &forward_to, &signing, &event).await;
        println!("{kind} {} -> {said}", event["detail"]["dmsDocumentId"].as_str().unwrap_or_default());
    }
    Err(Error::Unreachable("the cloud has stopped".to_owned(), None))
}

/// Brings an event about, in the cloud on this machine. Prints the document's id.
pub(crate) async fn trigger(settings: &Settings, event: EventType) -> Result<()> {
    let url = settings.url()?;
    let answer = connections().get(format!("{url}/console/token")).send().await.map_err(unreachable)?;
    let answer: Value = answer.json().await.map_err(|_| no_local_cloud())?;
    let sender = Sender::new(&url, answer["token"].as_str().ok_or_else(no_local_cloud)?.to_owned());
    let id = Uuid::new_v4().to_string();
    let metadata = json!({
        "associationId": id,
        "consumers": [{ "consumerKey": "nl-okd", "documentType": "examination", "documentId": id, "documentName": "trigger.txt" }],
    });
    let source = Source::Bytes(format!("okd trigger {id}\n").into());
    let message = Message::new(Resource { kind: Kind::Association, id }, metadata.to_string());
    let document = put(&sender, &message, &source, &source.contents().await?).await?;
    if matches!(event, EventType::Removed) {
        sender.delete(&document).await?;
    }
    println!("{document}");
    Ok(())
}

/// Sends an event until it is taken; says what came of it.
async fn forward(http: &reqwest::Client, url: &str, signing: &Signing, event: &Value) -> String {
    let body = event.to_string();
    // An announcement's id is the same when it is announced again.
    let id = event["detail"]["id"].as_str().unwrap_or_default();
    let mut said = String::new();
    for again in 0..TRIES {
        let mut request = http.post(url).timeout(TIMEOUT).header("content-type", "application/json").body(body.clone());
        for (name, value) in signing.headers(id, &body) {
            request = request.header(name, value);
        }
        match request.send().await {
            Ok(answer) if answer.status().is_success() => return answer.status().to_string(),
            Ok(answer) => said = answer.status().to_string(),
            Err(error) => said = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(500 << again)).await;
    }
    format!("given up: {said}")
}

/// The events from now on, out of the console's feed (server-sent events).
async fn events(http: &reqwest::Client, url: &str) -> Result<impl Stream<Item = Result<Value>> + use<>> {
    let answer = http.get(format!("{url}/console/feed?new")).send().await.map_err(unreachable)?;
    if !answer.status().is_success() {
        return Err(no_local_cloud());
    }
    let lines = stream::unfold((answer, Vec::new()), |(mut answer, mut held): (_, Vec<u8>)| async {
        loop {
            if let Some(end) = held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = held.drain(..=end).collect();
                return Some((Ok(line), (answer, held)));
            }
            match answer.chunk().await {
                Ok(Some(piece)) => held.extend_from_slice(&piece),
                Ok(None) => return None,
                Err(error) => return Some((Err(unreachable(error)), (answer, held))),
            }
        }
    });
    Ok(lines.filter_map(async |line| {
        let line = match line {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        let mut message: Value = serde_json::from_slice(line.strip_prefix(b"data:")?).ok()?;
        Some(Ok(message["event"].take())).filter(|event| event.as_ref().is_ok_and(Value::is_object))
    }))
}

fn unreachable(error: reqwest::Error) -> Error {
    Error::Unreachable(error.without_url().to_string(), None)
}

fn no_local_cloud() -> Error {
    Error::Usage("only the cloud on this machine (cargo run) tells its events and makes some".to_owned())
}

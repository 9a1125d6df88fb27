//! Takes a request with a file in it, of any size, and hands the file in by parts.

use std::time::Duration;

use axum::{
    Json,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::IntoResponse,
};
use bytes::Bytes;
use okd_client::{Error, HandedIn, INLINE, Kind, Message, OfFile, Resource, Sender, Tokens};
use okd_form::{fault::FormFault, multipart, parameters::essence};
use serde_json::json;

use super::{
    Relay, forward,
    problem::{Answered, Problem},
    spool::{self, Form, Pieces, Spooled},
};

/// Bytes of a request that the service takes itself: a file, metadata, and the form around them.
const SMALL: u64 = INLINE + spool::MAX_METADATA as u64 + (16 << 10);
/// The time in which a request of unknown length has to show whether it is a large one.
const TO_BEGIN: Duration = Duration::from_mins(1);
/// The ends of the types of problems by which the service says that it misses the body, and nothing else.
const MISSES_BODY: [&str; 2] = ["malformed-form", "empty-file"];
/// The header in which the service names the contract's version.
const API_VERSION: HeaderName = HeaderName::from_static("api-version");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What a file is for.
pub(super) enum Target {
    /// A document of this resource; the form's Content-Type.
    Document(Resource, String),
    /// The new bytes of this document.
    Replacement(String),
}

impl Target {
    /// That of a request, if a file of any size may be in it.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let media = request.headers().get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
        // The deployment's base URL may have a stage in front.
        let path = request.uri().path();
        let path = &path[path.find("/okd/v1/")?..];
        let mut segments = path["/okd/v1/".len()..].split('/');
        let (collection, id) = (segments.next()?, segments.next()?);
        if segments.next().is_some() || id.is_empty() {
            return None;
        }
        let kind = match collection {
            "associations" => Kind::Association,
            "offering" | "offerings" => Kind::Offering,
            "persons" => Kind::Person,
            "documents" if [Method::PATCH, Method::PUT].contains(request.method()) => {
                let is_json = media.is_some_and(|media| essence(media) == "application/json");
                return (!is_json).then(|| Self::Replacement(id.to_owned()));
            }
            _ => return None,
        };
        let media = media.filter(|media| essence(media) == "multipart/form-data")?;
        let hands_in = [Method::PUT, Method::POST].contains(request.method());
        hands_in.then(|| Self::Document(Resource { kind, id: id.to_owned() }, media.to_owned()))
    }
}

/// Answers a request with a file in it.
pub(super) async fn answer(relay: &Relay, target: Target, request: Request) -> Answered {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length <= SMALL) {
        return forward::pass_on(relay, request).await;
    }
    let (parts, body) = request.into_parts();
    let waits =
        parts.headers.get(header::EXPECT).is_some_and(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let pieces = Pieces::of(body, relay);
    let judged = match length {
        Some(length) if length > relay.arguments.max_size => Err(Problem::too_large(relay.arguments.max_size)),
        _ => judge_head(relay, &parts).await,
    };
    let answered = match judged {
        // It reads the answer now, and sends nothing.
        Err(refused) if waits && length.is_some() => return Err(refused),
        Err(refused) => Err(refused),
        Ok(version) => take(relay, target, &parts, &pieces, length.is_some()).await.map(|mut response| {
            response.headers_mut().extend(version.map(|version| (API_VERSION, version)));
            response
        }),
    };
    if answered.is_err() {
        pieces.drain().await;
    }
    answered
}

/// Takes the file in, and hands it in.
async fn take(relay: &Relay, target: Target, parts: &Parts, pieces: &Pieces, is_large: bool) -> Answered {
    if !is_large {
        let _place = relay.beginnings.try_acquire().map_err(|_| full())?;
        let began = tokio::time::timeout(TO_BEGIN, beginning(pieces)).await;
        match began.map_err(|_| Problem::silent(TO_BEGIN.as_secs()))?? {
            Beginning::All(body) => {
                let answer = forward::ask(relay, parts, Some(body.into())).await?;
                return Ok(forward::to_response(answer));
            }
            Beginning::Some(first) => pieces.put_back(first).await,
        }
    }
    let _place = relay.files.try_acquire().map_err(|_| full())?;
    let sender = sender(relay, &parts.headers);
    match target {
        Target::Document(resource, media) => {
            let boundary = multipart::boundary(&media).map_err(FormFault::from)?;
            let form = spool::form(relay, &boundary, pieces).await?;
            let key = match parts.headers.get(IDEMPOTENCY_KEY).map(HeaderValue::to_str) {
                Some(Err(_)) => return Err(Problem::invalid_idempotency_key()),
                key => key.and_then(Result::ok).map(str::to_owned),
            };
            hand_in(&sender, resource, key, form).await
        }
        Target::Replacement(id) => {
            let file = spool::file(relay, pieces).await?;
            let media = parts.headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
            replace(&sender, &id, media, file).await
        }
    }
}

/// The beginning of a body of unknown length.
enum Beginning {
    /// It is no longer than that.
    All(Bytes),
    /// There is more.
    Some(Vec<Bytes>),
}

async fn beginning(pieces: &Pieces) -> Answered<Beginning> {
    let (mut first, mut length) = (Vec::new(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        length += piece.len() as u64;
        first.push(piece);
        if length > SMALL {
            return Ok(Beginning::Some(first));
        }
    }
    Ok(Beginning::All(first.concat().into()))
}

/// Asks the service with the same request, and no bytes, whether it would take it. Gives the contract's version.
async fn judge_head(relay: &Relay, parts: &Parts) -> Answered<Option<HeaderValue>> {
    let mut parts = parts.clone();
    parts.headers.remove(header::CONTENT_LENGTH);
    let answer = forward::ask(relay, &parts, Some(Bytes::new().into())).await?;
    let version = answer.headers().get(API_VERSION).cloned();
    let problem = Problem::of_service(answer).await;
    if MISSES_BODY.contains(&problem.kind()) { Ok(version) } else { Err(problem) }
}

fn full() -> Box<Problem> {
    Problem::try_again(
        "As many large files are on their way as this relay takes. Repeat the request when Retry-After says.",
    )
}

fn sender(relay: &Relay, headers: &HeaderMap) -> Sender {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = token.split_once(' ').map_or("", |(_, token)| token.trim());
    let tokens = Tokens::fixed(token.to_owned());
    let mut sender = Sender::over(relay.http.clone(), &relay.arguments.service, tokens);
    sender.set_patience(Duration::from_secs(relay.arguments.patience));
    sender.set_longest_pause(Duration::from_secs(5));
    sender
}

async fn hand_in(sender: &Sender, resource: Resource, key: Option<String>, form: Form) -> Answered {
    let Form { metadata, file: Spooled { source, contents }, file_name, file_type } = form;
    let checksum = contents.checksum_of_parts();
    let of_file = OfFile {
        size: contents.size,
        checksum: &checksum,
        name: file_name.as_deref().filter(|name| !name.is_empty()),
        format: file_type.as_deref(),
    };
    let message = Message { resource, json: metadata, idempotency_key: key };
    let message = message.with_file(of_file).map_err(refused)?;
    match sender.put_by_parts(&message, &source).await.map_err(refused)? {
        HandedIn { id, is_stored: true } => Ok(Json(json!({ "dmsDocumentId": id })).into_response()),
        HandedIn { .. } => Err(Problem::try_again(
            "Every byte has arrived and is still being compared with the checksum that was declared. Repeat the request when \
             Retry-After says: nothing is stored twice.",
        )),
    }
}

async fn replace(sender: &Sender, id: &str, media: Option<&str>, Spooled { source, contents }: Spooled) -> Answered {
    let checksum = contents.checksum_of_parts();
    let of_file = OfFile { size: contents.size, checksum: &checksum, name: None, format: media };
    sender.replace_by_parts(id, of_file, &source).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn refused(error: Error) -> Box<Problem> {
    match error {
        Error::Refused(refused) | Error::Unreachable(_, Some(refused)) => Problem::like(refused),
        Error::Json(error) => Problem::malformed_json(&format!("The metadata are no JSON text: {error}.")),
        Error::Usage(detail) => Problem::invalid_metadata(&detail),
        Error::Size { declared, size } => Problem::size_mismatch(declared, size),
        other => {
            tracing::warn!(error = %other, "a file could not be handed in");
            Problem::try_again(
                "The service could not take the file in time. Repeat the request when Retry-After says: what has arrived is not \
                 sent again.",
            )
        }
    }
}

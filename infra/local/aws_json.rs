//! AWS's JSON protocol, which DynamoDB and `EventBridge` speak: a POST whose header `X-Amz-Target` names the operation.
//! (STS speaks its older Query protocol, in which the body does; what is around that is the same.)
//! The services stand behind the [fault layer](okd_faults).

use std::{convert::Infallible, fmt::Display, future::Future};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::TokioIo;
use okd_faults::{FaultLayer, Wording};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use crate::{
    caller::{Caller, named},
    front::Front,
    policies::Need,
    signed,
};

/// An answer.
pub type Answer = Response<Full<Bytes>>;

/// One call.
pub type Call = Request<Input>;

/// The operation of a call, and what it is done with.
pub struct Input {
    /// The operation: `PutItem`.
    pub operation: String,
    /// The input; null where it is no JSON.
    pub json: Value,
    /// The input as it came.
    pub bytes: Bytes,
}

/// A call as it passes the fault layer: its operation's name there, and what it needs of its caller's policy.
pub type Described = (String, Vec<Need>);

/// A port that a service answers on.
pub struct Port {
    /// The socket at which calls come in.
    pub listener: TcpListener,
    /// What every call meets first.
    pub front: Front,
    /// The wording of an answer that is not the service's own.
    pub word: fn(Wording) -> Answer,
    /// The answer to a caller that has not the right.
    pub denied: fn() -> Answer,
}

impl Port {
    /// One of a service that speaks JSON.
    pub(crate) fn json(listener: TcpListener, front: &Front) -> Self {
        Self { listener, front: front.clone(), word, denied }
    }
}

/// Has `effect` answer calls, behind the fault layer, until the process ends.
pub async fn serve<E>(port: Port, describe: fn(&Call) -> Described, effect: impl Fn(Call) -> E + Clone + Send + 'static)
where
    E: Future<Output = Answer> + Send + 'static,
{
    let Port { listener, front, word, denied } = port;
    let own = service_fn(move |call| effect(call).map(Ok::<_, Infallible>));
    let name = move |call: &Call| named(call.headers(), &describe(call).0);
    let service = FaultLayer::new(front.faults.clone(), name, word).layer(own);
    let rules = Rules { front, describe, denied };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true); // only costs time if it fails
        let (rules, service) = (rules.clone(), service.clone());
        let answer = hyper::service::service_fn(move |request| rules.clone().answer(service.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

/// What a call meets before the fault layer.
#[derive(Clone)]
struct Rules {
    front: Front,
    describe: fn(&Call) -> Described,
    denied: fn() -> Answer,
}

impl Rules {
    async fn answer<S>(self, service: S, request: Request<Incoming>) -> Result<Answer, BoxError>
    where
        S: Service<Call, Response = Answer, Error = BoxError>,
    {
        let Front { guard, access_key, policies, .. } = self.front;
        if let Some(refusal) = guard.refusal(&request) {
            return Ok(refusal);
        }
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let role = signed::role_of(&access_key, &parts.headers, &parts.uri);
        let role = role.ok().filter(|_| signed::has_signed(&access_key, &parts, &body));
        // A call that another key signed is meant for AWS.
        let Some(role) = role else {
            let body =
                json!({ "__type": "UnrecognizedClientException", "message": "Not signed with the local access key." });
            return Ok(answer(StatusCode::BAD_REQUEST, &body));
        };
        let caller = Caller::of(&parts.headers, role);
        let input = read(&parts.headers, body);
        let call = Request::from_parts(parts, input);
        let (_, needs) = (self.describe)(&call);
        if !policies.allow(caller.principal(), &needs) {
            return Ok((self.denied)());
        }
        service.oneshot(call).await
    }
}

fn read(headers: &HeaderMap, bytes: Bytes) -> Input {
    let target = headers.get("x-amz-target");
    let target = target.and_then(|value| value.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next());
    Input {
        operation: operation.unwrap_or_default().to_owned(),
        json: serde_json::from_slice(&bytes).unwrap_or_default(),
        bytes,
    }
}

/// An answer that is not the service's own, as JSON.
fn word(wording: Wording) -> Answer {
    let (status, kind) = match wording {
        Wording::Failed | Wording::FailedInside => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
        Wording::Throttled => (StatusCode::BAD_REQUEST, "ThrottlingException"),
    };
    not_own(status, kind)
}

/// The answer to a caller that has not the right.
fn denied() -> Answer {
    not_own(StatusCode::BAD_REQUEST, "AccessDeniedException")
}

fn not_own(status: StatusCode, kind: &str) -> Answer {
    answer(status, json!({ "__type": kind, "message": "Not the service's own answer." }))
}

/// An answer with this body.
pub fn answer(status: StatusCode, body: impl Display) -> Answer {
    let mut response = Response::new(body.to_string().into());
    *response.status_mut() = status;
    response
}

//! AWS's JSON protocol, which DynamoDB and `EventBridge` speak: a POST whose header `X-Amz-Target` names the operation.
//! (STS speaks its older Query protocol, in which the body does; what is around that is the same.)
//! The services stand behind the [`FaultProxy`].

use std::{fmt::Display, future::Future, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use okd_cli::access_key::AccessKey;

use crate::{caller::Caller, fault::Wording, fault_proxy::FaultProxy, guard::Guard, policies::Need, signed};

/// An answer.
pub type Answer = Response<Full<Bytes>>;

/// One call.
pub struct Call {
    /// The operation: `PutItem`.
    pub operation: String,
    /// The input; null where it is no JSON.
    pub input: Value,
    /// The headers.
    pub headers: HeaderMap,
    /// The input as it came.
    pub body: Bytes,
}

/// A call as it passes the fault proxy: its operation's name there, and what it needs of its caller's policy.
pub type Described = (String, Vec<Need>);

/// A port that a service answers on, and what every call there meets first.
pub struct Port {
    /// The socket at which calls come in.
    pub listener: TcpListener,
    /// The rules for callers.
    pub guard: Arc<Guard>,
    /// The key that signs calls.
    pub access_key: AccessKey,
    /// Between functions and services.
    pub faults: Arc<FaultProxy>,
    /// The wording of an answer that is not the service's own.
    pub word: fn(Wording) -> Answer,
}

/// Has `effect` answer calls, behind the fault proxy, until the process ends.
pub async fn serve<E>(port: Port, describe: fn(&Call) -> Described, effect: impl Fn(Call) -> E + Clone + Send + 'static)
where
    E: Future<Output = Answer> + Send + 'static,
{
    let port = Arc::new(port);
    loop {
        let Ok((stream, _)) = port.listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true); // only costs time if it fails
        let (port, effect) = (port.clone(), effect.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            let (port, effect) = (port.clone(), effect.clone());
            async move {
                if let Some(refusal) = port.guard.refusal(&request) {
                    return Ok(refusal);
                }
                let (parts, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let role = signed::role_of(&port.access_key, &parts.headers, &parts.uri);
                let role = role.ok().filter(|_| signed::has_signed(&port.access_key, &parts, &body));
                // A call that another key signed is meant for AWS.
                let Some(role) = role else {
                    let body = json!({ "__type": "UnrecognizedClientException", "message": "Not signed with the local access key." });
                    return Ok(answer(StatusCode::BAD_REQUEST, &body));
                };
                let caller = Caller::of(&parts.headers, role);
                let call = read(parts.headers, body);
                let (operation, needs) = describe(&call);
                let answer = port.faults.pass(&caller, &operation, &needs, port.word, effect(call));
                let answer = answer.await;
                answer.ok_or_else(|| crate::Error::from("the connection is made to break"))
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

fn read(headers: HeaderMap, body: Bytes) -> Call {
    let target = headers.get("x-amz-target");
    let target = target.and_then(|value| value.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next());
    Call {
        operation: operation.unwrap_or_default().to_owned(),
        input: serde_json::from_slice(&body).unwrap_or_default(),
        headers,
        body,
    }
}

/// An answer that is not the service's own, as JSON.
pub fn word(wording: Wording) -> Answer {
    let (status, kind) = match wording {
        Wording::Failed | Wording::FailedInside => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
        Wording::Throttled => (StatusCode::BAD_REQUEST, "ThrottlingException"),
        Wording::Denied => (StatusCode::BAD_REQUEST, "AccessDeniedException"),
    };
    answer(status, json!({ "__type": kind, "message": "Not the service's own answer." }))
}

/// An answer with this body.
pub fn answer(status: StatusCode, body: impl Display) -> Answer {
    let mut response = Response::new(body.to_string().into());
    *response.status_mut() = status;
    response
}

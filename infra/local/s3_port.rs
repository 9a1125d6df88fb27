//! The port of S3: its guard, the sessions of its callers and the [fault proxy](crate::fault_proxy) in front of `okd-s3`.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use okd_cli::access_key::AccessKey;
use okd_s3::{Body, S3, Service, operation_of, percent};
use tokio::net::TcpListener;

use crate::{
    caller::Caller, fault::Wording, fault_proxy::FaultProxy, guard::Guard, policies::Need, signed, template::arn,
};

/// What every call of S3 meets.
#[derive(Clone)]
struct Port {
    service: Service,
    key: AccessKey,
    faults: Arc<FaultProxy>,
    guard: Arc<Guard>,
}

/// Answers calls of S3 until the process ends.
pub(crate) async fn serve(s3: S3, listener: TcpListener, key: AccessKey, faults: Arc<FaultProxy>, guard: Arc<Guard>) {
    let of_sessions = key.clone();
    let service = s3.service(move |id| signed::secret_of(&of_sessions, id));
    let port = Port { service, key, faults, guard };
    let answer = move |request| {
        let port = port.clone();
        async move { port.answer(request).await }
    };
    okd_s3::serve(listener, answer, std::future::pending()).await;
}

impl Port {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, &'static str> {
        let Self { service, key, faults, guard } = self;
        if let Some(refusal) = guard.refusal(&request) {
            return Ok(refusal);
        }
        let Ok(role) = signed::role_of(&key, request.headers(), request.uri()) else {
            return Ok(no_session());
        };
        let (caller, operation) = (Caller::of(request.headers(), role), operation_of(&request));
        let (need, to_list) = needs_of(operation, &request);
        let effect = async move { service.answer(request).await };
        let answer = faults.pass(&caller, operation, &[need], word, effect).await;
        let answer = answer.ok_or("the connection is made to break")?;
        // A caller that may not list a bucket is not told that there is no such object.
        let hidden = answer.status() == StatusCode::NOT_FOUND
            && matches!(operation, "GetObject" | "HeadObject")
            && !faults.allows(&caller, &[to_list]);
        Ok(if hidden { word(Wording::Denied) } else { answer })
    }
}

/// The rights that a request's operation needs, and those to list the bucket.
fn needs_of(operation: &str, request: &Request<Incoming>) -> (Need, Need) {
    let action = match operation {
        "HeadObject" => "GetObject",
        "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => "PutObject",
        "ListParts" => "ListMultipartUploadParts",
        "ListObjectVersions" => "ListBucketVersions",
        other => other,
    };
    let query = request.uri().query().unwrap_or_default();
    let version = query.split('&').any(|pair| pair.starts_with("versionId="));
    let version = if version { "Version" } else { "" };
    let path = percent::decode(request.uri().path()).unwrap_or_default();
    let path = path.trim_matches('/');
    let bucket = path.split('/').next().unwrap_or_default();
    (Need::of(format!("s3:{action}{version}"), arn(path)), Need::of("s3:ListBucket", arn(bucket)))
}

/// An answer that is not the store's own.
fn word(wording: Wording) -> Response<Body> {
    let (status, code) = match wording {
        Wording::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        Wording::Throttled => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        Wording::FailedInside => (StatusCode::OK, "InternalError"),
        Wording::Denied => (StatusCode::FORBIDDEN, "AccessDenied"),
    };
    okd_s3::error(status, code, "Not the store's own answer.", None)
}

fn no_session() -> Response<Body> {
    let message = "The provided token is malformed or otherwise invalid.";
    okd_s3::error(StatusCode::BAD_REQUEST, "InvalidToken", message, None)
}

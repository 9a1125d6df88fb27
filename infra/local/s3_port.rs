//! The port of S3: its guard, the sessions of its callers, their rights, and the [fault layer](okd_faults) in front of
//! `okd-s3`.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use okd_faults::{FaultLayer, Wording};
use okd_s3::{Body, S3, operation_of, percent};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{
    caller::{Caller, named},
    front::Front,
    policies::Need,
    signed,
    template::arn,
};

/// Answers calls of S3 until the process ends.
pub(crate) async fn serve(s3: S3, listener: TcpListener, front: Front) {
    let key = front.access_key.clone();
    let s3 = s3.service(move |id| signed::secret_of(&key, id));
    let own = service_fn(move |request| {
        let s3 = s3.clone();
        async move { Ok::<_, Infallible>(s3.answer(request).await) }
    });
    let name = |request: &Request<Incoming>| named(request.headers(), operation_of(request));
    let service = FaultLayer::new(front.faults.clone(), name, word).layer(own);
    let answer = move |request| answer(front.clone(), service.clone(), request);
    okd_s3::serve(listener, answer, std::future::pending()).await;
}

async fn answer<S>(front: Front, service: S, request: Request<Incoming>) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<Incoming>, Response = Response<Body>>,
{
    let Front { guard, access_key, policies, .. } = front;
    if let Some(refusal) = guard.refusal(&request) {
        return Ok(refusal);
    }
    let Ok(role) = signed::role_of(&access_key, request.headers(), request.uri()) else {
        return Ok(no_session());
    };
    let (caller, operation) = (Caller::of(request.headers(), role), operation_of(&request));
    let (need, to_list) = needs_of(operation, &request);
    if !policies.allow(caller.principal(), &[need]) {
        return Ok(denied());
    }
    let answer = service.oneshot(request).await?;
    // A caller that may not list a bucket is not told that there is no such object.
    let hidden = answer.status() == StatusCode::NOT_FOUND
        && matches!(operation, "GetObject" | "HeadObject")
        && !policies.allow(caller.principal(), &[to_list]);
    Ok(if hidden { denied() } else { answer })
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
    };
    okd_s3::error(status, code, "Not the store's own answer.", None)
}

/// The answer to a caller that has not the right.
fn denied() -> Response<Body> {
    okd_s3::error(StatusCode::FORBIDDEN, "AccessDenied", "Not the store's own answer.", None)
}

fn no_session() -> Response<Body> {
    let message = "The provided token is malformed or otherwise invalid.";
    okd_s3::error(StatusCode::BAD_REQUEST, "InvalidToken", message, None)
}

//! HTTP: connections in, `s3s` in the middle, and around it what every answer gets: a request id,
//! CORS headers, a line in the call log.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::stream::{ByteStream, DynByteStream, RemainingLength};
use s3s::{Body, S3Result, StdError, s3_error};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::calls::Call;
use crate::operations::Operations;
use crate::store::Store;
use crate::{cors, percent};

/// The time that requests under way may take to end after the shutdown.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// The answers of an S3; clones are the same.
#[derive(Clone)]
pub struct Service {
    store: Arc<Store>,
    service: S3Service,
}

impl Service {
    pub(crate) fn new(store: Arc<Store>, secret_of: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let mut builder = S3ServiceBuilder::new(Operations(Arc::clone(&store)));
        builder.set_auth(Keys(Box::new(secret_of)));
        builder.set_access(Signed);
        Self { store, service: builder.build() }
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        answer(&self.store, &self.service, request).await
    }
}

/// Has `answer` answer the HTTP/1.1 requests that come in, until `shutdown` is there; then those under way have 5 seconds to
/// end. An error of `answer` breaks the connection.
pub async fn serve<A, F, E>(listener: TcpListener, answer: A, shutdown: impl Future<Output = ()> + Send + 'static)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Body>, E>> + Send + 'static,
    E: Into<StdError> + 'static,
{
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(answer.clone(), stream, stopped.clone()));
                }
                Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
            },
        }
    }
    drop((listener, stop));
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(SHUTDOWN, ended).await.is_err() {
        connections.shutdown().await;
    }
}

async fn connection<A, F, E>(answer: A, stream: TcpStream, mut stopped: watch::Receiver<()>)
where
    A: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Result<Response<Body>, E>> + Send + 'static,
    E: Into<StdError> + 'static,
{
    let _ = stream.set_nodelay(true); // only costs time if it fails
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

async fn answer(store: &Arc<Store>, service: &S3Service, request: Request<Incoming>) -> Response<Body> {
    let method = request.method().clone();
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).map(str::to_owned);
    let path = percent::decode(request.uri().path()).unwrap_or_default();
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let operation = Operation::default();
    let mut query = request.uri().query().unwrap_or_default().split('&');
    let part_number = query.find_map(|pair| pair.strip_prefix("partNumber=")?.parse().ok());
    let request = request.map(|body| Body::from(Box::pin(Drained(Body::from(body))) as DynByteStream));
    let mut response = if method == Method::OPTIONS {
        let _ = operation.0.set("CorsPreflight".to_owned());
        preflight(store, bucket, request.headers())
    } else if let Some(refusal) = refused_by_its_head(&request) {
        refusal
    } else {
        let mut request = request;
        request.extensions_mut().insert(operation.clone());
        service.call(request).await.unwrap_or_else(|error| {
            tracing::error!(error = %StdError::from(error), "no answer");
            status_only(StatusCode::INTERNAL_SERVER_ERROR)
        })
    };
    if let (Some(origin), true) = (origin, method != Method::OPTIONS) {
        response.headers_mut().extend(cors::headers(store, bucket, method.as_str(), &origin));
    }
    let id = format!("{:016X}", Uuid::new_v4().as_u64_pair().0);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-amz-request-id", id);
    }
    store.calls.push(Call {
        time: SystemTime::now(),
        operation: operation.0.get().cloned().unwrap_or_default(),
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        part_number,
        status: response.status().as_u16(),
    });
    response
}

/// S3's name for what a request asks for, as far as objects and uploads are concerned; empty for the rest.
pub fn operation_of<B>(request: &Request<B>) -> &'static str {
    let query = request.uri().query().unwrap_or_default();
    let of_upload = query.contains("uploadId=");
    let of_object = request.uri().path().trim_matches('/').contains('/');
    let is_asked_for = |name: &str| query.split('&').any(|pair| pair.trim_end_matches('=') == name);
    let of_versions = is_asked_for("versions");
    match (request.method(), of_upload) {
        (&Method::GET, false) if of_object && is_asked_for("tagging") => "GetObjectTagging",
        (&Method::PUT, false) if of_object && is_asked_for("tagging") => "PutObjectTagging",
        (&Method::DELETE, false) if of_object && is_asked_for("tagging") => "DeleteObjectTagging",
        (&Method::GET, false) if of_versions && !of_object => "ListObjectVersions",
        (&Method::PUT, true) => "UploadPart",
        (&Method::GET, true) => "ListParts",
        (&Method::DELETE, true) => "AbortMultipartUpload",
        (&Method::POST, true) => "CompleteMultipartUpload",
        (&Method::POST, false) if of_object => "CreateMultipartUpload",
        (&Method::PUT, false) if of_object => "PutObject",
        (&Method::GET, false) if of_object => "GetObject",
        (&Method::HEAD, false) if of_object => "HeadObject",
        (&Method::DELETE, false) if of_object => "DeleteObject",
        _ => "",
    }
}

/// S3's refusal of what `s3s` would let pass, before it looks for the operation: unsigned headers may name another one.
fn refused_by_its_head(request: &Request<Body>) -> Option<Response<Body>> {
    if is_chunked_object(request) {
        let message = "A header you provided implies functionality that is not implemented";
        return Some(error(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            message,
            Some(("Header", "Transfer-Encoding")),
        ));
    }
    let unsigned = unsigned_headers(request);
    let message = "There were headers present in the request which were not signed";
    (!unsigned.is_empty()).then(|| {
        error(StatusCode::FORBIDDEN, "AccessDenied", message, Some(("HeadersNotSigned", &unsigned.join(", "))))
    })
}

/// Returns whether an object or a part comes in chunks of HTTP, without its length. (AWS's own clients say the length
/// in `x-amz-decoded-content-length` when they stream.)
fn is_chunked_object(request: &Request<Body>) -> bool {
    let headers = request.headers();
    matches!(operation_of(request), "PutObject" | "UploadPart")
        && headers.contains_key(header::TRANSFER_ENCODING)
        && !headers.contains_key(header::CONTENT_LENGTH)
        && !headers.contains_key("x-amz-decoded-content-length")
}

/// The `x-amz-*` headers of a request by presigned URL that its signature does not cover. (Reports differ on whether S3
/// lets `x-amz-content-sha256` pass: refusing it is the safe side.)
fn unsigned_headers(request: &Request<Body>) -> Vec<&str> {
    let query = request.uri().query().unwrap_or_default();
    let parameter = |name: &str| percent::parameter(query, name);
    if parameter("X-Amz-Signature").is_none() {
        return Vec::new();
    }
    let signed = parameter("X-Amz-SignedHeaders").and_then(percent::decode);
    let signed = signed.unwrap_or_default().to_ascii_lowercase();
    let names = request.headers().keys().map(HeaderName::as_str);
    names.filter(|name| name.starts_with("x-amz-") && !signed.split(';').any(|one| one == *name)).collect()
}

/// An error as S3 writes it, with one element of its own where it has one.
pub fn error(status: StatusCode, code: &str, message: &str, more: Option<(&str, &str)>) -> Response<Body> {
    let more = more.map(|(name, text)| format!("<{name}>{text}</{name}>"));
    let more = more.unwrap_or_default();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let xml = HeaderValue::from_static("application/xml");
    headers.insert(header::CONTENT_TYPE, xml);
    response
}

fn preflight(store: &Store, bucket: &str, request: &HeaderMap) -> Response<Body> {
    match cors::preflight(store, bucket, request) {
        Ok(headers) => {
            let mut response = status_only(StatusCode::OK);
            *response.headers_mut() = headers;
            response
        }
        Err(error) => error.to_http_response().unwrap_or_else(|_| status_only(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}

fn status_only(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The place where `s3s` leaves the name of the operation that it found in a request.
#[derive(Clone, Default)]
struct Operation(Arc<OnceLock<String>>);

/// Lets every signed request in, and no other.
struct Signed;

#[async_trait::async_trait]
impl S3Access for Signed {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result {
        let name = context.s3_op().name().to_owned();
        if let Some(operation) = context.extensions_mut().get::<Operation>() {
            let _ = operation.0.set(name); // set once per request
        }
        let query = context.uri().query().unwrap_or_default();
        if query.contains("X-Amz-Signature=") && context.headers().contains_key(header::AUTHORIZATION) {
            return Err(s3_error!(
                InvalidArgument,
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"
            ));
        }
        match context.credentials() {
            Some(_) => Ok(()),
            None => Err(s3_error!(AccessDenied, "Access Denied")),
        }
    }
}

/// Knows the secret of each key.
struct Keys(Secrets);

type Secrets = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let message = "The AWS Access Key Id you provided does not exist in our records.";
        let secret = (self.0)(access_key).map(SecretKey::from);
        secret.ok_or_else(|| s3_error!(InvalidAccessKeyId, "{message}"))
    }
}

/// A request's body that is read to its end even if it is not wanted. A client that is refused
/// while it sends would otherwise see its connection reset instead of the refusal.
struct Drained(Body);

impl Stream for Drained {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl ByteStream for Drained {
    fn remaining_length(&self) -> RemainingLength {
        self.0.remaining_length()
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let mut body = std::mem::take(&mut self.0);
        if body.remaining_length().exact() != Some(0)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // Ends with the connection: hyper then ends the body.
            runtime.spawn(async move { while let Some(Ok(_)) = body.next().await {} });
        }
    }
}

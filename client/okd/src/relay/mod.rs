//! `okd relay`: an HTTP server that speaks the standard as it stands. A file of any size comes in one request; here it goes on
//! by parts. Everything else is passed on, so that one base URL serves a school system.
//!
//! A large file is written to disk while it comes (`spool`), for its size and its checksum are needed before the first part can
//! go, and the metadata may come after it. The caller's token goes to the service and nowhere else.

mod forward;
mod hand_in;
mod headers;
mod problem;
mod spool;
mod watch;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto::Builder,
};
use okd_client::{Error, Result, connections};
use tokio::sync::Semaphore;

use crate::settings::is_private_enough;
use problem::Problem;
use watch::Watch;

/// Where it listens, and how much it takes.
#[derive(clap::Args, Clone)]
pub(crate) struct Arguments {
    /// The base URL of the service, such as <https://dms.example/live>.
    #[arg(long, env = "OKD_RELAY_SERVICE")]
    service: String,
    /// The address to listen on.
    #[arg(long, env = "OKD_RELAY_LISTEN", default_value = "127.0.0.1:7079")]
    listen: SocketAddr,
    /// The certificate, with its chain (PEM). Without one it speaks plain http.
    #[arg(long, env = "OKD_RELAY_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM).
    #[arg(long, env = "OKD_RELAY_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The folder in which files are while they pass.
    #[arg(long, env = "OKD_RELAY_SPOOL", default_value_os_t = std::env::temp_dir())]
    spool: PathBuf,
    /// Bytes of a request, at most.
    #[arg(long, env = "OKD_RELAY_MAX_SIZE", default_value_t = 5 << 30)]
    max_size: u64,
    /// Large files on their way at once; more are told to come again. Each may fill --max-size of the spool's disk.
    #[arg(long, env = "OKD_RELAY_MAX_FILES", default_value_t = 16)]
    max_files: usize,
    /// Seconds for which a sender may be silent in the middle of its request.
    #[arg(long, env = "OKD_RELAY_IDLE", default_value_t = 30)]
    idle: u64,
    /// Seconds for the head of a request, also of the next one on a connection: more than a load balancer in front keeps one.
    #[arg(long, env = "OKD_RELAY_HEAD", default_value_t = 75)]
    head: u64,
    /// Seconds for which it goes on asking a service that does not answer, once a file is here whole.
    #[arg(long, env = "OKD_RELAY_PATIENCE", default_value_t = 60)]
    patience: u64,
    /// Seconds that requests have to end when it is asked to stop.
    #[arg(long, env = "OKD_RELAY_GRACE", default_value_t = 300)]
    grace: u64,
}

/// Beginnings of requests of unknown length that are held at once, of 4 MiB each.
const BEGINNINGS: usize = 16;
/// What every request shares.
struct Relay {
    arguments: Arguments,
    /// Follows no redirect: they are for the sender.
    http: reqwest::Client,
    /// The permits of large files.
    files: Semaphore,
    /// The permits to hold the beginning of a request of unknown length.
    beginnings: Semaphore,
    watch: Watch,
}

/// Serves until it is asked to stop, and then ends what runs.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    tracing_subscriber::fmt().json().flatten_event(true).with_writer(std::io::stderr).init();
    if !is_private_enough(&arguments.service) {
        let words = format!("{} is no https: tokens would be read on the way", arguments.service);
        return Err(Error::Usage(words));
    }
    let in_spool = |error| Error::File(arguments.spool.display().to_string(), error);
    tempfile::tempfile_in(&arguments.spool).map_err(in_spool)?;
    let listen = arguments.listen;
    let tls = arguments.tls_cert.clone().zip(arguments.tls_key.clone());
    let (grace, head) = (Duration::from_secs(arguments.grace), Duration::from_secs(arguments.head));
    let files = Semaphore::new(arguments.max_files);
    let routes = routes(Arc::new(Relay {
        arguments,
        http: connections(),
        files,
        beginnings: Semaphore::new(BEGINNINGS),
        watch: Watch::default(),
    }));

    let listener = std::net::TcpListener::bind(listen).map_err(|error| Error::File(listen.to_string(), error))?;
    listener.set_nonblocking(true).map_err(|error| Error::File(listen.to_string(), error))?;
    let address = listener.local_addr().map_err(|error| Error::File(listen.to_string(), error))?;
    let handle = Handle::new();
    let (stopping, stopped) = (handle.clone(), stop_requested());
    tokio::spawn(async move {
        stopped.await;
        tracing::info!("stopping: what runs ends first");
        stopping.graceful_shutdown(Some(grace));
    });
    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!(url = format!("{scheme}://{address}"), "the relay listens");
    let served = match tls {
        None => match axum_server::from_tcp(listener) {
            Ok(mut server) => {
                patient(server.http_builder(), head);
                server.handle(handle).serve(routes.into_make_service()).await
            }
            Err(error) => Err(error),
        },
        Some((certificate, key)) => {
            let tls = tls_of(&certificate, &key).await?;
            match axum_server::from_tcp_rustls(listener, tls) {
                Ok(mut server) => {
                    patient(server.http_builder(), head);
                    server.handle(handle).serve(routes.into_make_service()).await
                }
                Err(error) => Err(error),
            }
        }
    };
    served.map_err(|error| Error::File(address.to_string(), error))
}

/// Gives the head of a request its time, and no more.
fn patient(http: &mut Builder<TokioExecutor>, head: Duration) {
    http.http1().timer(TokioTimer::new()).header_read_timeout(head);
}

async fn tls_of(certificate: &Path, key: &Path) -> Result<RustlsConfig> {
    // There may be one already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let tls = RustlsConfig::from_pem_file(certificate, key).await;
    tls.map_err(|error| Error::File(format!("{} and {}", certificate.display(), key.display()), error))
}

fn routes(relay: Arc<Relay>) -> Router {
    Router::new()
        .route("/relay/health", get(async || "the relay is up\n"))
        .route("/relay/metrics", get(metrics))
        .fallback(any(answer))
        .with_state(relay)
}

async fn metrics(State(relay): State<Arc<Relay>>) -> String {
    relay.watch.text(relay.arguments.max_files - relay.files.available_permits())
}

async fn answer(State(relay): State<Arc<Relay>>, request: Request) -> Response {
    let began = std::time::Instant::now();
    // Without the query, which may hold a secret.
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (kind, answered) = match hand_in::Target::of(&request) {
        None if [Method::CONNECT, Method::TRACE].contains(&method) => ("passed on", Err(Problem::no_such_method())),
        Some(target) => ("file", hand_in::answer(&relay, target, request).await),
        None => ("passed on", forward::pass_on(&relay, request).await),
    };
    let response = answered.unwrap_or_else(|problem| problem.into_response());
    let status: StatusCode = response.status();
    relay.watch.count(kind, status);
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%method, path, kind, status = status.as_u16(), took, "answered");
    response
}

/// Waits for Ctrl-C, or for another request that asks a process to end.
async fn stop_requested() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // Without its signal nothing asks it to stop that way.
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

//! One process of a function and its Runtime API: what Lambda does, with a clock and a look into `/proc`.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs::OpenOptions,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use okd_local::Result;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::figures::ms;

/// The time after which a silent function is given up. Under callgrind everything takes fifty times as long.
const PATIENCE: Duration = Duration::from_mins(5);

/// A process that asks for work.
pub(crate) struct Function {
    child: Child,
    asked: mpsc::UnboundedReceiver<Asked>,
    waiting: Option<oneshot::Sender<Bytes>>,
    /// The time from the start of the process to its first question for work.
    pub(crate) to_first_poll: Duration,
}

/// What a process asks of the Runtime API, and when that had come whole.
enum Asked {
    Next(Instant, oneshot::Sender<Bytes>),
    Answered(Instant, Bytes),
    Failed(Bytes),
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// CPU of all its threads, in milliseconds.
    pub(crate) cpu: f64,
    /// Bytes in memory at this moment, and at most.
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

/// An answer and how long it took.
pub(crate) struct Answered {
    /// The proxy answer: `statusCode`, `body`.
    pub(crate) answer: Value,
    /// The time from handing the event out to having the answer whole.
    pub(crate) took: Duration,
    /// Bytes of the answer as the function sent it.
    pub(crate) bytes: usize,
}

impl Answered {
    /// The JSON in the proxy answer.
    pub(crate) fn body(&self) -> Result<Value> {
        Ok(serde_json::from_str(self.answer["body"].as_str().unwrap_or_default())?)
    }
}

impl Function {
    /// Starts the command in this environment and waits until it asks for work. What it prints goes to `log`.
    pub(crate) async fn start(command: &[String], environment: &BTreeMap<String, String>, log: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (sender, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true); // only costs time if it fails
                let sender = sender.clone();
                let answer = service_fn(move |request| answer(sender.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let [program, arguments @ ..] = command else {
            return Err("no command".into());
        };
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(environment).env("AWS_LAMBDA_RUNTIME_API", address.to_string());
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let began = Instant::now();
        let child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
        let mut function = Self { child, asked, waiting: None, to_first_poll: Duration::ZERO };
        function.to_first_poll = function.next().await? - began;
        Ok(function)
    }

    /// Runs the function on one event.
    pub(crate) async fn invoke(&mut self, event: impl Into<Bytes>) -> Result<Answered> {
        let waiting = self.waiting.take().ok_or("the function has not asked for work")?;
        let began = Instant::now();
        waiting.send(event.into()).map_err(|_| "the function's connection is gone")?;
        let Asked::Answered(at, body) = self.receive().await? else {
            return Err("the function asked for work before it answered".into());
        };
        self.next().await?;
        Ok(Answered { answer: serde_json::from_slice(&body)?, took: at - began, bytes: body.len() })
    }

    /// The same, for an answer of this status.
    pub(crate) async fn expect(&mut self, event: impl Into<Bytes>, status: u16) -> Result<Answered> {
        let answered = self.invoke(event).await?;
        if answered.answer["statusCode"] == status {
            Ok(answered)
        } else {
            Err(format!("{status} was expected, not {}", answered.answer).into())
        }
    }

    /// Waits until the process asks for work; gives when it did.
    async fn next(&mut self) -> Result<Instant> {
        match self.receive().await? {
            Asked::Next(at, waiting) => {
                self.waiting = Some(waiting);
                Ok(at)
            }
            Asked::Answered(..) | Asked::Failed(_) => Err("the function answered what it was not asked".into()),
        }
    }

    async fn receive(&mut self) -> Result<Asked> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match timeout(Duration::from_secs(1), self.asked.recv()).await {
                Ok(Some(Asked::Failed(error))) => {
                    return Err(format!("the function failed: {}", String::from_utf8_lossy(&error)).into());
                }
                Ok(Some(asked)) => return Ok(asked),
                Ok(None) => return Err("the Runtime API is gone".into()),
                Err(_) if self.child.try_wait()?.is_some() => return Err("the function's process has ended".into()),
                Err(_) if Instant::now() > deadline => return Err("the function is silent".into()),
                Err(_) => {}
            }
        }
    }

    /// What the process has used so far, its threads that have ended not counted.
    pub(crate) fn used(&self) -> Result<Used> {
        let process = format!("/proc/{}", self.child.id());
        let mut nanoseconds = 0;
        for task in std::fs::read_dir(format!("{process}/task"))? {
            let Ok(scheduled) = std::fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            nanoseconds += scheduled.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        let status = std::fs::read_to_string(format!("{process}/status"))?;
        let bytes = |key: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).ok_or("the kernel tells no memory")?;
            let kilobytes: u64 = line.trim_end_matches("kB").trim().parse()?;
            Ok(1024 * kilobytes)
        };
        let cpu = ms(Duration::from_nanos(nanoseconds));
        Ok(Used { cpu, resident: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
    }

    /// Asks the process to end and waits until it has: then callgrind writes its counts. (To interrupt it would do nothing where a
    /// shell has started all of this in the background.)
    pub(crate) fn end(mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // It has ended already, or does so now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Runtime API, version 2018-06-01.
async fn answer(
    asked: mpsc::UnboundedSender<Asked>,
    request: Request<Incoming>,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if request.method() == Method::GET && path.ends_with("/invocation/next") {
        let (give, event) = oneshot::channel();
        // Nobody listens any more to a function that is being ended.
        let _ = asked.send(Asked::Next(Instant::now(), give));
        return Ok(event.await.map_or_else(|_| gone(), invocation));
    }
    let Ok(body) = request.into_body().collect().await else {
        return Ok(gone());
    };
    let (at, body) = (Instant::now(), body.to_bytes());
    let _ = asked.send(if path.ends_with("/response") { Asked::Answered(at, body) } else { Asked::Failed(body) });
    let mut accepted = Response::new(Bytes::from_static(br#"{"status":"OK"}"#).into());
    *accepted.status_mut() = hyper::StatusCode::ACCEPTED;
    Ok(accepted)
}

fn invocation(event: Bytes) -> Response<Full<Bytes>> {
    let deadline = (SystemTime::now() + Duration::from_mins(5)).duration_since(UNIX_EPOCH).unwrap_or_default();
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", uuid::Uuid::new_v4().to_string())
        .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
        .header("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0")
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:000000000000:function:bench");
    answer.body(event.into()).unwrap_or_else(|_| gone())
}

fn gone() -> Response<Full<Bytes>> {
    let mut gone = Response::new(Full::default());
    *gone.status_mut() = hyper::StatusCode::GONE;
    gone
}

//! `cargo run`: the whole service on this machine. `cargo run -- demo`: the same, shown at work. `cargo run --
//! soak`: the same, with everything going wrong.
//!
//! Called as `local function NAME`, this executable is one of the functions: that is how the stand-in for
//! Lambda starts its processes.
use std::{
    collections::BTreeMap,
    env,
    io::{Read, Write},
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
};

use clap::{Parser, Subcommand};
use okd_cli::tenant;
use okd_local::{Cloud, Options, Result, bus::Webhook, demo, runtime::clock, soak, welcome};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// The OKD document service on this machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The folder in which documents are kept, across restarts.
    #[arg(long, default_value = okd_cli::DATA)]
    data: PathBuf,
    /// Keep nothing: use a folder that is removed in the end.
    #[arg(long)]
    ephemeral: bool,
    /// The gateway's port; the issuer, S3, DynamoDB, the bus and STS have the next five. 0: any free ones.
    #[arg(long, default_value_t = 7080, value_parser = clap::value_parser!(u16).range(..=65531))]
    port: u16,
    /// Use the S3 at this URL instead of the one built in.
    #[arg(long)]
    s3_endpoint: Option<String>,
    /// Use the DynamoDB at this URL instead of the one built in.
    #[arg(long)]
    dynamodb_endpoint: Option<String>,
    /// Send what is announced of documents to this URL too, as JSON; until it answers 2xx it gets it again.
    #[arg(long)]
    webhook: Option<String>,
    /// Sign what the webhook is told with this secret (`whsec_...`), by Standard Webhooks; twice while it is changed.
    #[arg(long, env = "OKD_WEBHOOK_SECRET", hide_env_values = true, value_delimiter = ',', requires = "webhook")]
    webhook_secret: Vec<String>,
    /// Let pages of this origin, such as <https://dms.example>, call the API and send parts from a browser; may be
    /// repeated. (The template's parameter `UploadOrigins`.)
    #[arg(long, value_name = "URL")]
    upload_origin: Vec<Origin>,
    /// Have each new file screened for malware, by a stand-in that knows the EICAR test file. (The template's parameter
    /// `Screening`.)
    #[arg(long)]
    screening: bool,
    /// The SAM template that says what there is.
    #[arg(long, default_value_os_t = okd_local::default_template())]
    template: PathBuf,
}

/// A page's origin, as a browser spells it: scheme, host and, where it is not the usual one, port.
#[derive(Clone)]
struct Origin(String);

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = text.parse::<reqwest::Url>().ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.path() == "/");
        let url = url.ok_or("it is no origin such as https://dms.example")?;
        Ok(Self(url.origin().ascii_serialization()))
    }
}

#[derive(Subcommand)]
enum Command {
    /// Send a small PDF inline and a large file in parts, read both back and compare.
    Demo(demo::Arguments),
    /// Hand in thousands of documents while calls fail, processes die and events get lost, and check the invariants.
    Soak(soak::Arguments),
    /// Start the same where containers reach it, and print the environment that `sam local --env-vars` wants.
    Stores(Stores),
    /// Add, list, show and remove tenants: here, or of a deployed stack.
    Tenant(tenant::Arguments),
    /// Be a function of the template; for the stand-in of Lambda only.
    #[command(hide = true)]
    Function { name: String },
}

#[derive(clap::Args)]
struct Stores {
    /// The host by which both this machine and its containers reach the stores: the address of Docker's bridge, or,
    /// with Docker Desktop, a name that both resolve to this machine.
    #[arg(long, default_value = if cfg!(target_os = "linux") { "172.17.0.1" } else { "host.docker.internal" })]
    host: String,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    if let Some(Command::Function { name }) = &arguments.command {
        return function(name);
    }
    if let Some(Command::Tenant(tenant)) = arguments.command {
        return tokio::runtime::Runtime::new()?.block_on(tenant::run(tenant));
    }
    let soaks = matches!(arguments.command, Some(Command::Soak(_)));
    // Both stores warn of every refusal, as of a conditional write that was too late; that is no news. Nor is it
    // in the soak that a process dies.
    let filter = Targets::new()
        .with_default(if soaks { LevelFilter::OFF } else { LevelFilter::WARN })
        .with_target("s3s", LevelFilter::OFF)
        .with_target("dynoxide", LevelFilter::OFF);
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(log.with_filter(filter)).init();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        // A demo leaves nothing behind and takes free ports.
        let shows = matches!(arguments.command, Some(Command::Demo(_) | Command::Soak(_)));
        let folder = (arguments.ephemeral || shows)
            .then(|| tempfile::Builder::new().prefix("okd-local-").tempdir())
            .transpose()?;
        let cloud = Cloud::start(Options {
            data: folder.as_ref().map_or(arguments.data, |folder| folder.path().join("data")),
            port: if shows { 0 } else { arguments.port },
            host: match &arguments.command {
                Some(Command::Stores(stores)) => stores.host.clone(),
                _ => okd_cli::LOOPBACK.to_owned(),
            },
            durable: folder.is_none(),
            // The soak has it tick when everything has gone wrong.
            clock: !soaks,
            template: arguments.template,
            parameters: parameters(&arguments.upload_origin, arguments.screening),
            executable: env::current_exe()?,
            s3_endpoint: arguments.s3_endpoint,
            dynamodb_endpoint: arguments.dynamodb_endpoint,
            access_key: None,
            webhook: arguments.webhook.map(|url| Webhook { url, secrets: arguments.webhook_secret }),
            console: arguments.command.is_none(),
        })
        .await?;
        match arguments.command {
            Some(Command::Demo(demo)) => demo::run(&cloud, &demo).await,
            Some(Command::Soak(soak)) => soak::run(&cloud, &soak).await,
            Some(Command::Stores(_)) => {
                eprintln!("{}", welcome::to_sam_local(&cloud));
                wait(&serde_json::to_string_pretty(&cloud.environments)?).await
            }
            _ => wait(&welcome::text(&cloud)?).await,
        }
    })
}

/// The values of the template's parameters that the command line gives.
fn parameters(upload_origins: &[Origin], screening: bool) -> BTreeMap<String, String> {
    let origins = upload_origins.iter().map(|origin| origin.0.as_str());
    let origins = origins.collect::<Vec<_>>().join(",");
    let given = (!origins.is_empty()).then(|| (okd_local::UPLOAD_ORIGINS.to_owned(), origins));
    let screening = screening.then(|| (okd_local::SCREENING.to_owned(), "on".to_owned()));
    given.into_iter().chain(screening).collect()
}

/// Prints the text and lets everything run until it is asked to end.
async fn wait(text: &str) -> Result<()> {
    // A reader that has gone is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{text}");
    interrupted().await
}

/// Ctrl-C, or another request that asks a process to end.
#[cfg(unix)]
async fn interrupted() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminate.recv() => Ok(()),
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
async fn interrupted() -> Result<()> {
    Ok(tokio::signal::ctrl_c().await?)
}

/// One process of a function: like its Lambda binary, and gone when the stand-in for Lambda is.
fn function(name: &str) -> Result<()> {
    std::thread::spawn(|| {
        // Ends when the other side does, with nothing read or an error; either way it is time to go.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match name {
        "ApiFunction" => runtime.block_on(okd_api::run(clock)),
        "ReconcileFunction" => runtime.block_on(okd_reconcile::run(clock)),
        "AnnounceFunction" => runtime.block_on(okd_announce::run()),
        _ => Err(format!("the template has a function {name}, but infra/local/main.rs does not know it").into()),
    }
}

//! `okd`: hands documents in to the OKD document service, follows and reads them; and stands in front of it as a relay for
//! senders that put a whole file into one request.

#![expect(clippy::print_stdout, reason = "a command line talks to its user")]

mod batch;
mod hand_in;
mod listen;
mod progress;
mod put;
mod relay;
mod settings;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use okd_client::{End, Error, Refused, Result, Source};
use serde_json::json;

use progress::Bar;
use settings::Settings;

/// Exit codes. 2 is clap's, for a command line that makes no sense.
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const REFUSED: u8 = 3;
const UNREACHABLE: u8 = 4;
const CORRUPT: u8 = 5;

const EXAMPLES: &str = "\
Examples:
  okd put association 123e4567-e89b-12d3-a456-426614174000 --metadata exam.json --file recording.mp4
  okd put --batch documents.csv
  okd get 8450a167-3dbd-5c8a-af74-aaf636dd73dd --output recording.mp4
  okd relay --service https://dms.example/live --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem

Where the service is and who calls it: --url with --token-file, or with --issuer, --client-id and
--client-secret-file; or the same in the environment (OKD_URL, OKD_TOKEN, OKD_ISSUER, OKD_CLIENT_ID,
OKD_CLIENT_SECRET), or in the file ~/.config/okd.toml: url = \"https://dms.example/live\".

Exit codes: 0 done; 1 failed; 2 the command line makes no sense; 3 the service refused; 4 no answer;
5 the bytes are others than they should be.";

/// Hands documents in to the OKD document service, and gets them back.
#[derive(Parser)]
#[command(name = "okd", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Hand a document in, of any size. The same command again goes on where it stopped, and stores nothing twice. Prints
    /// the document's id.
    Put(put::Arguments),
    /// Show where a document's upload stands.
    Status {
        /// The document's id (dmsDocumentId).
        id: String,
    },
    /// Go on with an upload whose document is known.
    Resume {
        /// The document's id (dmsDocumentId).
        id: String,
        /// The file that was declared.
        #[arg(long)]
        file: PathBuf,
    },
    /// End a document's upload.
    Abort {
        /// The document's id (dmsDocumentId).
        id: String,
    },
    /// Read a document back, and compare it with the checksums that the service has.
    Get {
        /// The document's id (dmsDocumentId).
        id: String,
        /// The file to write.
        #[arg(long, short)]
        output: PathBuf,
    },
    /// Show what is known of a document.
    Meta {
        /// The document's id (dmsDocumentId).
        id: String,
    },
    /// Delete a document.
    Delete {
        /// The document's id (dmsDocumentId).
        id: String,
    },
    /// Serve the standard's own requests, of files of any size, in front of a service that takes at most 4 MiB in one.
    Relay(relay::Arguments),
    /// Forward the events of the cloud on this machine to a URL, signed by Standard Webhooks.
    Listen(listen::Arguments),
    /// Bring an event about in the cloud on this machine.
    Trigger {
        /// The event.
        event: listen::EventType,
    },
    /// Print the completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(Error::File("the runtime".to_owned(), error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            exit_code(&error).into()
        }
    }
}

fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Refused(refused) if refused.kind() == "checksum-mismatch" => CORRUPT,
        Error::Refused(_) => REFUSED,
        Error::Unreachable(..) => UNREACHABLE,
        Error::Corrupt(_) => CORRUPT,
        Error::Usage(_) | Error::Json(_) | Error::Size { .. } => USAGE,
        Error::Answer(_) | Error::File(..) => FAILED,
    }
}

async fn run(Arguments { settings, command }: Arguments) -> Result<()> {
    match command {
        Command::Put(arguments) => put::run(settings, arguments).await,
        Command::Status { id } => settings.sender()?.status(&id).await.map(|answer| println!("{answer:#}")),
        Command::Resume { id, file } => resume(settings, &id, Source::File(file)).await,
        Command::Abort { id } => settings.sender()?.abort(&id).await,
        Command::Get { id, output } => {
            let mut sender = settings.sender()?;
            let bar = Bar::of_unknown(settings.quiet);
            sender.arrived = bar.arrived();
            sender.get(&id, &output).await?;
            bar.done();
            Ok(())
        }
        Command::Meta { id } => settings.sender()?.metadata(&id).await.map(|answer| println!("{answer:#}")),
        Command::Delete { id } => settings.sender()?.delete(&id).await,
        Command::Relay(arguments) => relay::run(arguments).await,
        Command::Listen(arguments) => listen::listen(&settings, arguments).await,
        Command::Trigger { event } => listen::trigger(&settings, event).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "okd", &mut std::io::stdout());
            Ok(())
        }
        Command::Man => {
            let page = clap_mangen::Man::new(Arguments::command());
            page.render(&mut std::io::stdout()).map_err(|error| Error::File("the output".to_owned(), error))
        }
    }
}

async fn resume(settings: Settings, id: &str, source: Source) -> Result<()> {
    let mut sender = settings.sender()?;
    let contents = source.contents().await?;
    let bar = Bar::of(contents.size, settings.quiet);
    sender.arrived = bar.arrived();
    let end = sender.resume(id, &source, &contents).await?;
    bar.done();
    match end {
        End::Stored => {
            println!("{id}");
            Ok(())
        }
        End::Verifying => {
            let words = "every byte is there, and they are still being compared: repeat the command";
            Err(Error::Unreachable(words.to_owned(), None))
        }
        End::Gone => {
            let problem = json!({ "title": "The upload has ended", "detail": "Hand the document in again." });
            Err(Refused { status: 410, problem }.into())
        }
    }
}

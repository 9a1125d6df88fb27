//! `okd put`.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use okd_client::{Contents, Error, HandedIn, Kind, Message, Resource, Result, Sender, Source};
use serde_json::json;

use crate::{batch, settings::Settings};

/// One document, or a list of them.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What the document hangs on: association, offering or person.
    #[arg(required_unless_present = "batch", requires = "id")]
    on: Option<Kind>,
    /// The id of that, a UUID.
    id: Option<String>,
    /// The file with the metadata, as JSON.
    #[arg(long, required_unless_present = "batch")]
    metadata: Option<PathBuf>,
    /// The document.
    #[arg(long, required_unless_present = "batch")]
    file: Option<PathBuf>,
    /// A name for this document, where its metadata has no documentId.
    #[arg(long)]
    idempotency_key: Option<String>,
    /// Many documents: a CSV file with the columns on, id, metadata and file. What became of each is written beside it, and
    /// the same command again hands in only what is missing.
    #[arg(long, value_name = "CSV", conflicts_with_all = ["on", "id", "metadata", "file", "idempotency_key"])]
    batch: Option<PathBuf>,
    /// Where to write what became of each; LIST.results.csv, if nothing else is said.
    #[arg(long, value_name = "CSV", requires = "batch")]
    results: Option<PathBuf>,
}

/// Hands in what is asked for.
pub(crate) async fn run(settings: Settings, arguments: Arguments) -> Result<()> {
    let Arguments { on, id, metadata, file, idempotency_key, batch, results } = arguments;
    if let Some(list) = batch {
        return batch::run(&settings, &list, results).await;
    }
    let (Some(kind), Some(id), Some(metadata), Some(file)) = (on, id, metadata, file) else {
        return Err(Error::Usage(
            "association, offering or person, an id, --metadata and --file are needed".to_owned(),
        ));
    };
    let mut sender = settings.sender()?;
    let message = Message { idempotency_key, ..read_message(Resource { kind, id }, &metadata)? };
    let source = Source::File(file);
    let contents = source.contents().await?;
    let bar = Bar::of(contents.size, settings.quiet);
    sender.arrived = bar.arrived();
    let id = put(&sender, &message, &source, &contents).await?;
    bar.done();
    if settings.json {
        let Contents { size, sha256, crc64nvme } = contents;
        println!("{}", json!({ "dmsDocumentId": id, "size": size, "sha256": sha256, "crc64nvme": crc64nvme }));
    } else {
        println!("{id}");
    }
    Ok(())
}

/// Hands in one document that has bytes. Gives its id, once it is stored.
pub(crate) async fn put(sender: &Sender, message: &Message, source: &Source, contents: &Contents) -> Result<String> {
    if contents.size == 0 {
        return Err(Error::Usage("the file has no bytes".to_owned()));
    }
    let HandedIn { id, is_stored } = sender.put(message, source, contents).await?;
    if is_stored {
        return Ok(id);
    }
    let words = format!("every byte of {id} is there, and they are still being compared: repeat the command");
    Err(Error::Unreachable(words, None))
}

/// Reads a file of metadata.
pub(crate) fn read_message(resource: Resource, path: &Path) -> Result<Message> {
    let json = std::fs::read_to_string(path).map_err(|error| Error::File(path.display().to_string(), error))?;
    Ok(Message::new(resource, json))
}

/// A bar that shows how far a file is, with its rate and the time left; on a terminal only.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// That of so many bytes.
    pub(crate) fn of(bytes: u64, is_quiet: bool) -> Self {
        let template = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        Self::styled(ProgressBar::with_draw_target(Some(bytes), target(is_quiet)), template)
    }

    /// That of bytes whose number is not known.
    pub(crate) fn of_unknown(is_quiet: bool) -> Self {
        Self::styled(ProgressBar::with_draw_target(None, target(is_quiet)), "{spinner} {bytes} {bytes_per_sec}")
    }

    fn styled(bar: ProgressBar, template: &str) -> Self {
        // A template that is wrong leaves the usual bar.
        let style = ProgressStyle::with_template(template);
        Self(if let Ok(style) = style { bar.with_style(style) } else { bar })
    }

    /// What is told of bytes that have arrived.
    pub(crate) fn arrived(&self) -> Box<dyn Fn(u64) + Send + Sync> {
        let bar = self.0.clone();
        Box::new(move |bytes| bar.inc(bytes))
    }

    /// Takes it away.
    pub(crate) fn done(self) {
        self.0.finish_and_clear();
    }
}

fn target(is_quiet: bool) -> ProgressDrawTarget {
    if is_quiet || !std::io::stderr().is_terminal() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    }
}

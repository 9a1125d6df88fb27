//! `okd put`.

use std::path::PathBuf;

use okd_client::{Contents, Error, Kind, Message, Resource, Result, Source};
use serde_json::json;

use crate::{
    batch,
    hand_in::{put, read_message},
    progress::Bar,
    settings::Settings,
};

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

//! `okd put --batch`: many documents, by a list; and again what is missing of it.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
};

use futures_util::{StreamExt, stream};
use okd_client::{Error, Resource, Result, Sender, Source};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    hand_in::{put, read_message},
    settings::Settings,
};

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Row {
    on: String,
    id: String,
    /// The files' paths, from the list's own folder.
    metadata: PathBuf,
    file: PathBuf,
}

/// A line of the results: a row and what became of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    on: String,
    id: String,
    metadata: PathBuf,
    file: PathBuf,
    /// Its id, once it is stored.
    dms_document_id: String,
    error: String,
}

/// Hands in what the results do not name as stored. Fails where any document fails, after all were tried.
pub(crate) async fn run(settings: &Settings, list: &Path, results: Option<PathBuf>) -> Result<()> {
    let results = results.unwrap_or_else(|| list.with_extension("results.csv"));
    mend(&results)?;
    let done = read_done(&results)?;
    let rows = read::<Row>(list)?;
    let there = rows.len();
    let missing: Vec<Row> = rows.into_iter().filter(|row| !done.contains(row)).collect();
    let (sender, folder) = (settings.sender()?, list.parent().unwrap_or(Path::new("")));
    let file = OpenOptions::new().create(true).append(true).open(&results).map_err(|error| at(&results, error))?;
    let is_new = file.metadata().map_err(|error| at(&results, error))?.len() == 0;
    let mut writer = csv::WriterBuilder::new().has_headers(is_new).from_writer(file);

    let mut outcomes = stream::iter(missing)
        .map(async |row| {
            let stored = hand_in(&sender, folder, &row).await;
            (row, stored)
        })
        .buffer_unordered(settings.files_at_once()?);
    let mut first_error = None;
    let mut failed = 0_usize;
    while let Some((row, stored)) = outcomes.next().await {
        note(&mut writer, &results, row, &stored)?;
        if let Err(error) = stored {
            failed += 1;
            first_error.get_or_insert(error);
        }
    }
    let stored = there - failed;
    if settings.json {
        println!("{}", json!({ "documents": there, "stored": stored, "failed": failed, "results": results }));
    } else {
        println!("{stored} of {there} stored; {}", results.display());
    }
    first_error.map_or(Ok(()), Err)
}

async fn hand_in(sender: &Sender, folder: &Path, row: &Row) -> Result<String> {
    let kind = row.on.parse().map_err(Error::Usage)?;
    let message = read_message(Resource { kind, id: row.id.clone() }, &folder.join(&row.metadata))?;
    let source = Source::File(folder.join(&row.file));
    let contents = source.contents().await?;
    put(sender, &message, &source, &contents).await
}

/// Writes down at once what became of a document, so that a kill loses nothing of it.
fn note(writer: &mut csv::Writer<File>, path: &Path, row: Row, stored: &Result<String>) -> Result<()> {
    let Row { on, id, metadata, file } = row;
    let (dms_document_id, error) = match stored {
        Ok(id) => (id.clone(), String::new()),
        Err(error) => (String::new(), error.to_string()),
    };
    let outcome = Outcome { on, id, metadata, file, dms_document_id, error };
    writer.serialize(outcome).map_err(|error| unreadable(path, &error))?;
    writer.flush().map_err(|error| at(path, error))
}

/// Cuts off the half of a line that a kill may have left.
fn mend(results: &Path) -> Result<()> {
    let Ok(text) = std::fs::read(results) else {
        return Ok(());
    };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        let file = OpenOptions::new().write(true).open(results).map_err(|error| at(results, error))?;
        file.set_len(whole as u64).map_err(|error| at(results, error))?;
    }
    Ok(())
}

/// The rows that are stored.
fn read_done(results: &Path) -> Result<HashSet<Row>> {
    if !results.exists() {
        return Ok(HashSet::new());
    }
    let stored = read::<Outcome>(results)?.into_iter().filter(|outcome| !outcome.dms_document_id.is_empty());
    Ok(stored.map(|Outcome { on, id, metadata, file, .. }| Row { on, id, metadata, file }).collect())
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>> {
    let file = File::open(path).map_err(|error| at(path, error))?;
    let rows = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file).into_deserialize();
    rows.collect::<Result<_, _>>().map_err(|error| unreadable(path, &error))
}

fn at(path: &Path, error: std::io::Error) -> Error {
    Error::File(path.display().to_string(), error)
}

fn unreadable(path: &Path, error: &csv::Error) -> Error {
    Error::Usage(format!("{}: {error}", path.display()))
}

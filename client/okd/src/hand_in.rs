//! Hands in one document.

use std::path::Path;

use okd_client::{Contents, Error, HandedIn, Message, Resource, Result, Sender, Source};

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

//! References to other resources: a bare id, or an expanded object that holds one.

use super::{json::Node, parse_uuid};

/// Ids longer than this, in bytes, are no ids: they stay in the sender's own JSON.
const MAX_ID: usize = 255;

/// A bare id, or the one that an expanded object has under `key`.
pub(super) fn id_of(node: &Node<'_>, key: &str) -> Option<String> {
    match node.get(key) {
        Ok(Some(inner)) => id(&inner),
        _ => id(node),
    }
}

/// A text as an id; a UUID in its one standard form.
pub(super) fn id(node: &Node<'_>) -> Option<String> {
    let text = node.value.as_str()?.trim();
    let plain = (1..=MAX_ID).contains(&text.len());
    plain.then(|| parse_uuid(text).map_or_else(|| text.to_owned(), |uuid| uuid.to_string()))
}

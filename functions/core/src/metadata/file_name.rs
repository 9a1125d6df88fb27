//! `documentName` as a file name that is safe to hand to any disk or browser. What the sender wrote is
//! kept beside it, as sent.

use serde::{Deserialize, Serialize};

/// A file name without a path, control characters or direction overrides: 1 to 255 bytes of UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileName(String);

const MAX_BYTES: usize = 255;

impl FileName {
    /// Cleans a sender's name; always gives one, `document` where nothing else is left.
    pub fn from_document_name(name: &str) -> Self {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let safe: String = last.chars().filter(|&c| !is_deceptive(c)).collect();
        // Leading dots hide a file, trailing ones and spaces are dropped by Windows.
        let trimmed = safe
            .trim()
            .trim_start_matches('.')
            .trim_end_matches(['.', ' '])
            .trim();
        Self(if trimmed.is_empty() {
            "document".to_owned()
        } else {
            shorten(trimmed)
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that change how a name looks or where it leads: controls, bidirectional overrides and
/// marks, zero-width and line separators, and what Windows reserves.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
}

/// At most [`MAX_BYTES`], cut between characters and before the extension.
fn shorten(name: &str) -> String {
    if name.len() <= MAX_BYTES {
        return name.to_owned();
    }
    let extension = name
        .rfind('.')
        .map(|dot| &name[dot..])
        .filter(|extension| extension.len() <= 16);
    let extension = extension.unwrap_or_default();
    let stem = &name[..name.floor_char_boundary(MAX_BYTES - extension.len())];
    format!("{}{extension}", stem.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clean(name: &str) -> String {
        FileName::from_document_name(name).0
    }

    #[test]
    fn an_ordinary_name_is_left_alone() {
        assert_eq!(
            clean("beoordeling-100245 (versie é).pdf"),
            "beoordeling-100245 (versie é).pdf"
        );
    }

    #[test]
    fn paths_controls_and_direction_overrides_are_gone() {
        assert_eq!(clean("../../etc/passwd"), "passwd");
        assert_eq!(clean("C:\\temp\\verslag.pdf"), "verslag.pdf");
        assert_eq!(clean("ver\u{202e}fdp.exe\r\n"), "verfdp.exe");
        assert_eq!(clean("a\0b.pdf"), "ab.pdf");
    }

    #[test]
    fn a_name_of_nothing_usable_becomes_document() {
        for name in ["..", "/", "\u{202e}", " . "] {
            assert_eq!(clean(name), "document", "{name:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let name = clean(&format!("{}.pdf", "é".repeat(300)));
        assert!(name.len() <= 255 && name.ends_with("é.pdf"), "{name}");
    }

    proptest! {
        #[test]
        fn any_name_becomes_a_safe_one(name in "\\PC{0,400}|[\\x00-\\x20./\\\\]{0,20}") {
            let name = clean(&name);
            prop_assert!(!name.is_empty() && name.len() <= 255);
            prop_assert!(!name.contains(['/', '\\']) && !name.chars().any(is_deceptive));
            prop_assert!(name != "." && name != "..");
            prop_assert_eq!(clean(&name), name);
        }
    }
}

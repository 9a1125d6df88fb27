//! `documentName` as a file name that is safe to hand to any disk or browser. What the sender wrote is
//! kept beside it, as sent.

use icu_normalizer::ComposingNormalizer;
use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// A file name without a path, control characters or direction overrides: 1 to 255 bytes of UTF-8, in NFC, and no name
/// that Windows keeps for a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileName(String);

const MAX_BYTES: usize = 255;

impl FileName {
    /// Cleans a sender's name; always gives one, `document` where nothing else is left.
    pub(crate) fn from_document_name(name: &str) -> Self {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let safe: String = last.chars().filter(|&c| !is_deceptive(c)).collect();
        // macOS sends é as two characters, which other systems take for another name.
        let safe = ComposingNormalizer::new_nfc().normalize(&safe);
        let short = shorten(safe.trim_matches(is_edge));
        Self(match short.as_str() {
            "" => "document".to_owned(),
            device if is_device(device) => shorten(&format!("_{device}")),
            _ => short,
        })
    }

    /// The `Content-Disposition` that has a browser save a file under this name (RFC 6266): in UTF-8 and, for what does
    /// not read that, in ASCII with `_` for the rest.
    pub fn to_save_as(&self) -> String {
        // What RFC 8187 calls an attr-char stays as it is.
        const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
            .remove(b'!')
            .remove(b'#')
            .remove(b'$')
            .remove(b'&')
            .remove(b'+')
            .remove(b'-')
            .remove(b'.')
            .remove(b'^')
            .remove(b'_')
            .remove(b'`')
            .remove(b'|')
            .remove(b'~');
        // Some browsers read %41 as A here too.
        let plain = |c: char| if c.is_ascii() && !matches!(c, '%' | '\\' | '"') { c } else { '_' };
        let ascii: String = self.0.chars().map(plain).collect();
        format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", utf8_percent_encode(&self.0, ENCODED))
    }

    /// The name without its ending.
    pub fn stem(&self) -> &str {
        self.0.rsplit_once('.').map_or(&self.0, |(stem, _)| stem)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that change how a name looks or where it leads: controls, bidirectional overrides and
/// marks, line separators, all that is not shown by default, and what Windows reserves.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202e}')
        || matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Returns whether a character may not begin or end a name: leading dots hide a file, trailing ones and spaces are
/// dropped by Windows.
fn is_edge(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

/// Returns whether Windows takes the name for a device, with any ending ("Naming Files, Paths, and Namespaces").
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let is_port = |port: &str| {
        let number = stem.strip_prefix(port).unwrap_or_default();
        matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") || is_port("COM") || is_port("LPT")
}

/// At most [`MAX_BYTES`], cut between characters and before the extension.
fn shorten(name: &str) -> String {
    if name.len() <= MAX_BYTES {
        return name.to_owned();
    }
    let extension = name.rfind('.').map(|dot| &name[dot..]).filter(|extension| extension.len() <= 16);
    let extension = extension.unwrap_or_default();
    let stem = &name[..name.floor_char_boundary(MAX_BYTES - extension.len())];
    format!("{}{extension}", stem.trim_end_matches(is_edge))
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
        assert_eq!(clean("beoordeling-100245 (versie é).pdf"), "beoordeling-100245 (versie é).pdf");
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

    #[test]
    fn a_name_is_cut_to_255_bytes_before_an_extension_of_16() {
        let cut = |stem: usize, rest: &str| clean(&format!("{}{rest}", "a".repeat(stem)));
        let longest = "a".repeat(255);
        assert_eq!(clean(&longest), longest);
        assert_eq!(cut(256, ""), longest);
        assert_eq!(cut(300, ".123456789012345"), format!("{}.123456789012345", &longest[16..]));
        assert_eq!(cut(300, ".1234567890123456"), longest, "so long an extension is none");
        assert_eq!(cut(250, "....pdfx"), format!("{}.pdfx", &longest[5..]), "no dots or spaces before it");
        assert_eq!(FileName::from_document_name("a").as_str(), "a");
    }

    #[test]
    fn every_character_that_deceives_is_left_out() {
        for deceptive in
            ['\0', '\n', '\u{7f}', '\u{2028}', '\u{202e}', '\u{2066}', '<', '>', ':', '"', '|', '?', '*', '\u{200b}']
        {
            assert_eq!(clean(&format!("a{deceptive}b")), "ab", "{deceptive:?}");
        }
    }

    #[test]
    fn a_name_of_a_windows_device_is_no_longer_one() {
        for (sent, safe) in [
            ("CON", "_CON"),
            ("aux.pdf", "_aux.pdf"),
            ("NUL.tar.gz", "_NUL.tar.gz"),
            ("con .txt", "_con .txt"),
            ("Lpt9.doc", "_Lpt9.doc"),
            ("com¹", "_com¹"),
            ("c\u{ad}on.pdf", "_con.pdf"),
            ("console.pdf", "console.pdf"),
            ("com10.pdf", "com10.pdf"),
            ("a.con", "a.con"),
        ] {
            assert_eq!(clean(sent), safe, "{sent}");
        }
    }

    #[test]
    fn a_name_is_composed_and_shows_all_that_it_holds() {
        assert_eq!(clean("e\u{301}xamen.pdf"), "éxamen.pdf");
        assert_eq!(clean("exa\u{ad}men\u{3164}\u{fe0f}\u{180e}.pdf"), "examen.pdf");
    }

    proptest! {
        #[test]
        fn any_name_becomes_a_safe_one(name in "\\PC{0,400}|[\\x00-\\x20./\\\\]{0,20}|[aA-zZ.̈é]{0,12}|(con|NUL|com1)[. a\u{a0}]{0,4}|[. \u{a0}a]{0,8}|con[ .]{250,260}x?|a{250}[. ]{4}b{20}") {
            let name = clean(&name);
            prop_assert!(!name.is_empty() && name.len() <= 255);
            prop_assert!(!name.contains(['/', '\\']) && !name.chars().any(is_deceptive));
            prop_assert!(name != "." && name != ".." && !is_device(&name));
            prop_assert!(ComposingNormalizer::new_nfc().is_normalized(&name));
            prop_assert!(!name.starts_with(is_edge) && !name.ends_with(is_edge));
            prop_assert_eq!(clean(&name), name);
        }
    }
}

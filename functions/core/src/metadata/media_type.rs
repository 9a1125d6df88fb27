//! The media type of a file: the one that its sender declares, else by its first bytes, else by its name.

use serde::{Deserialize, Serialize};

use okd_form::parameters::{Valued, essence, is_token};

/// A media type (RFC 9110, section 8.3.1): the type itself in lower case and, where it came with one, its charset. At
/// most 255 ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(String);

const MAX_LENGTH: usize = 255;
/// The type of unknown bytes (RFC 2046, section 4.5.1).
const UNKNOWN: &str = "application/octet-stream";
/// Types that say no more than "a file": the standard's flow 2 prints the second.
const GENERIC: [&str; 3] = [UNKNOWN, "application/binary", "binary/octet-stream"];

/// Types of files that browsers show or save, and never run.
const HARMLESS: [&str; 7] = [
    "application/json",
    "application/msword",
    "application/pdf",
    "application/rtf",
    "application/zip",
    "text/csv",
    "text/plain",
];
/// Beginnings of such types.
const HARMLESS_KINDS: [&str; 6] = [
    "application/vnd.ms-",
    "application/vnd.oasis.opendocument.",
    "application/vnd.openxmlformats-officedocument.",
    "audio/",
    "image/",
    "video/",
];

impl TryFrom<&str> for MediaType {
    type Error = &'static str;

    /// Reads a type. Parameters other than the charset say nothing about a file, and are dropped.
    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let essence = essence(text);
        // A token may hold a `*`; only a range of types has one.
        let is_word = |part: &str| !part.is_empty() && part.bytes().all(|byte| is_token(byte) && byte != b'*');
        let is_type = essence.len() <= MAX_LENGTH
            && essence.split_once('/').is_some_and(|(kind, subtype)| is_word(kind) && is_word(subtype));
        if !is_type {
            return Err("must be a media type such as \"application/pdf\"");
        }
        let valued = Valued::parse(text).ok();
        let charset = valued.as_ref().and_then(|valued| valued.get("charset"));
        let with_charset = charset
            .filter(|charset| is_word(charset))
            .map(|charset| format!("{essence}; charset={charset}"))
            .filter(|whole| whole.len() <= MAX_LENGTH);
        Ok(Self(with_charset.unwrap_or(essence)))
    }
}

impl TryFrom<String> for MediaType {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.as_str().try_into()
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> Self {
        media_type.0
    }
}

impl MediaType {
    /// Finds the type of a file: the first `declared` one that is not [`GENERIC`], else by the first `bytes`, else by
    /// the first of the `names` with a known ending.
    pub(super) fn of_file<'a>(
        declared: impl IntoIterator<Item = Self>,
        bytes: &[u8],
        names: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut declared = declared.into_iter().filter(|declared| !declared.is_generic());
        if let Some(declared) = declared.next() {
            return declared;
        }
        let by_bytes = infer::get(bytes).map(|kind| kind.mime_type());
        let by_name = names.into_iter().find_map(|name| mime_guess::from_path(name).first_raw());
        let guessed = match (by_bytes, by_name) {
            (Some(by_bytes), Some(by_name)) if is_a_kind_of(&by_name.to_ascii_lowercase(), by_bytes) => by_name,
            (by_bytes, by_name) => by_bytes.or(by_name).unwrap_or(UNKNOWN),
        };
        // Some of the names' types are written with capitals.
        Self(guessed.to_ascii_lowercase())
    }

    /// Returns whether it says no more than "a file".
    pub(crate) fn is_generic(&self) -> bool {
        GENERIC.contains(&self.essence())
    }

    /// The type by which a file may be sent to a browser: itself where no browser runs such a file or looks into it for a
    /// script, else the type of unknown bytes.
    pub fn harmless(&self) -> &str {
        let essence = self.essence();
        let is_harmless = HARMLESS.contains(&essence)
            || HARMLESS_KINDS.iter().any(|kind| essence.starts_with(kind)) && essence != "image/svg+xml";
        if is_harmless { &self.0 } else { UNKNOWN }
    }

    /// The whole type.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type without its parameters, in lower case.
    pub fn essence(&self) -> &str {
        self.0.split(';').next().unwrap_or_default().trim_end()
    }
}

/// Returns whether a file of the type `by_name` may have first bytes that are taken for `by_bytes`: those of the
/// container that it is packed in, or a few letters of a text.
fn is_a_kind_of(by_name: &str, by_bytes: &str) -> bool {
    let is_office = by_name.starts_with("application/vnd.openxmlformats-") || by_name.ends_with(".macroenabled.12");
    match by_bytes {
        "application/zip" => {
            is_office
                || by_name.starts_with("application/vnd.oasis.")
                || matches!(by_name, "application/epub+zip" | "application/java-archive")
        }
        // Templates and files with macros look like plain ones.
        by_bytes if by_bytes.starts_with("application/vnd.openxmlformats-") => is_office,
        // Every file in Microsoft's compound format, also what Office has put a password on.
        "application/msword" | "application/x-ole-storage" => {
            is_office
                || by_name.starts_with("application/vnd.ms-")
                || matches!(by_name, "application/vnd.visio" | "application/x-mspublisher")
        }
        "text/xml" | "text/html" | "text/x-shellscript" => {
            by_name.starts_with("text/") || by_name.ends_with("xml") || by_name.ends_with("json")
        }
        // Signatures of two or three letters, with which a text may begin too: "BMI;19" and "MZ;1".
        "image/bmp" | "application/vnd.microsoft.portable-executable" | "audio/mpeg" => by_name.starts_with("text/"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of_file(declared: &[&str], bytes: &[u8], names: &[&str]) -> String {
        let declared = declared.iter().map(|&text| text.try_into().unwrap());
        MediaType::of_file(declared, bytes, names.iter().copied()).0
    }

    #[test]
    fn what_the_sender_says_counts_unless_it_says_nothing() {
        assert_eq!(of_file(&["Application/PDF"], b"GIF89a", &["a.txt"]), "application/pdf");
        assert_eq!(of_file(&["text/csv; charset=ISO-8859-1"], b"", &[]), "text/csv; charset=ISO-8859-1");
        for nothing in GENERIC {
            assert_eq!(of_file(&[nothing], b"%PDF-1.7", &["a.txt"]), "application/pdf");
            assert_eq!(of_file(&[nothing, "image/png"], b"%PDF-1.7", &[]), "image/png");
        }
    }

    #[test]
    fn bytes_count_before_names_and_neither_is_needed() {
        assert_eq!(of_file(&[], b"\x89PNG\r\n\x1a\n", &["a.pdf"]), "image/png");
        assert_eq!(of_file(&[], b"a;b", &["scan", "lijst.CSV"]), "text/csv");
        assert_eq!(of_file(&[], b"", &["scan"]), UNKNOWN);
    }

    #[test]
    fn a_name_says_what_is_in_a_container_and_what_a_text_is_for() {
        let zip = b"PK\x03\x04\x14\0\0\0\x08\0other/first.xml";
        let ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0\0\0\0\0";
        let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        for (bytes, name, expected) in [
            (&zip[..], "a.docx", docx),
            (zip, "a.odt", "application/vnd.oasis.opendocument.text"),
            (zip, "a.zip", "application/zip"),
            (zip, "a.pdf", "application/zip"),
            (ole, "a.xls", "application/vnd.ms-excel"),
            (ole, "a.doc", "application/msword"),
            (ole, "a.docx", docx),
            (ole, "a.vsd", "application/vnd.visio"),
            (zip, "a.xls", "application/zip"),
            (zip, "a.jar", "application/java-archive"),
            (zip, "a.docm", "application/vnd.ms-word.document.macroenabled.12"),
            (b"BMI;leerling\r\n19;1", "a.csv", "text/csv"),
            (b"<?xml version=\"1.0\"?><svg/>", "a.svg", "image/svg+xml"),
            (b"%PDF-1.7", "a.txt", "application/pdf"),
        ] {
            assert_eq!(of_file(&[], bytes, &[name]), expected, "{name}");
        }
    }

    #[test]
    fn a_name_counts_where_its_type_is_packed_in_what_the_bytes_say() {
        const OOXML: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        const MACROS: &str = "application/vnd.ms-word.document.macroenabled.12";
        const ODF: &str = "application/vnd.oasis.opendocument.text";
        for (by_bytes, kinds, others) in [
            (
                "application/zip",
                &[OOXML, MACROS, ODF, "application/epub+zip", "application/java-archive"][..],
                &["application/vnd.ms-excel", "application/pdf", "text/plain"][..],
            ),
            (OOXML, &[OOXML, MACROS], &[ODF, "application/vnd.ms-excel", "text/plain"]),
            (
                "application/msword",
                &[OOXML, MACROS, "application/vnd.ms-excel", "application/vnd.visio", "application/x-mspublisher"],
                &[ODF, "application/pdf"],
            ),
            ("application/x-ole-storage", &["application/vnd.ms-outlook"], &["text/plain"]),
            ("text/xml", &["text/csv", "image/svg+xml", "application/xhtml+xml", "application/json"], &["image/png"]),
            ("text/html", &["text/markdown"], &["application/pdf"]),
            ("image/bmp", &["text/csv"], &["image/png", "application/json"]),
            ("application/pdf", &[], &["text/plain", "application/json", OOXML]),
        ] {
            assert!(kinds.iter().all(|kind| is_a_kind_of(kind, by_bytes)), "{by_bytes}");
            assert!(!others.iter().any(|other| is_a_kind_of(other, by_bytes)), "{by_bytes}");
        }
    }

    #[test]
    fn a_type_has_255_characters_at_most_and_loses_a_charset_that_would_make_it_longer() {
        let of = |length: usize| format!("a/{}", "b".repeat(length - 2));
        assert_eq!(MediaType::try_from(of(255)).map(String::from), Ok(of(255)));
        assert!(MediaType::try_from(of(256)).is_err());
        let with_charset = |length: usize| MediaType::try_from(format!("{};charset=utf-8", of(length))).unwrap();
        let longest = 255 - "; charset=utf-8".len();
        assert_eq!(with_charset(longest).as_str(), format!("{}; charset=utf-8", of(longest)));
        assert_eq!(with_charset(longest).essence(), of(longest));
        assert_eq!(with_charset(longest + 1).as_str(), of(longest + 1));
        assert_eq!(MediaType::try_from("a/b; charset=\"x y\"").unwrap().as_str(), "a/b");
        let generic = MediaType::try_from("application/octet-stream; charset=binary").unwrap();
        assert!(generic.is_generic() && !with_charset(9).is_generic());
    }

    #[test]
    fn of_the_parameters_only_the_charset_is_kept() {
        for (text, kept) in [
            ("application/pdf;", "application/pdf"),
            ("application/pdf; name=\"a.pdf\"", "application/pdf"),
            ("application/pdf; name=\"r\u{e9}sum\u{e9}.pdf\"", "application/pdf"),
            ("application/pdf; name=\"cut off", "application/pdf"),
            ("text/plain; format=flowed; Charset=\"utf-8\"", "text/plain; charset=utf-8"),
        ] {
            assert_eq!(MediaType::try_from(text).unwrap().0, kept);
        }
        let long = format!("text/csv; name={}", "a".repeat(300));
        assert_eq!(MediaType::try_from(long).unwrap().0, "text/csv");
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in ["", "pdf", "a/", "/b", "a b/c", "a/b/c", "*/*", "image/*", "tëxt/plain"] {
            assert!(MediaType::try_from(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_guessed_reads_the_same_again(ending in "[a-z]{2,4}|[a-z]{3}[mx]|docm|xlsm|pptm|dotm") {
            let guessed = MediaType::of_file(None, b"", [format!("a.{ending}").as_str()]);
            prop_assert_eq!(MediaType::try_from(guessed.as_str()), Ok(guessed));
        }

        #[test]
        fn what_was_read_reads_the_same_again(text in "[ -~]{0,20}/[ -~]{0,40}") {
            if let Ok(media_type) = MediaType::try_from(text) {
                prop_assert_eq!(MediaType::try_from(media_type.0.clone()), Ok(media_type));
            }
        }
    }
}

//! A header's value with parameters: `form-data; name="file"`, `multipart/form-data; boundary=X`.
//!
//! The grammar is RFC 9110, section 5.6.6, and as lenient as the senders of this field: white space around `;` and `=`,
//! empty parameters and values, and characters in an unquoted value that should have been quoted are taken. A parameter
//! that is given twice is refused: two readers could take one each.

use percent_encoding::percent_decode_str;

/// A value and its parameters, by their names in lower case.
#[derive(Debug, PartialEq, Eq)]
pub struct Valued {
    /// The text before the first `;`, in lower case.
    pub value: String,
    parameters: Vec<(String, String)>,
}

/// Reasons why a value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not follow the grammar.
    Unreadable,
    /// A parameter is given twice.
    Twice,
}

impl Valued {
    /// Reads a header's value.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (_, mut rest) = split_at(text, ';');
        let value = essence(text);
        let mut parameters: Vec<(String, String)> = Vec::new();
        while let Some(after) = rest.strip_prefix(';') {
            rest = after.trim_start_matches(is_blank);
            if rest.is_empty() || rest.starts_with(';') {
                continue;
            }
            let equals = rest.find('=').ok_or(Fault::Unreadable)?;
            let name = rest[..equals].trim_end_matches(is_blank).to_ascii_lowercase();
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(Fault::Unreadable);
            }
            let (value, after) = read_value(rest[equals + 1..].trim_start_matches(is_blank), &name)?;
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(Fault::Twice);
            }
            parameters.push((name, value));
            rest = after;
        }
        Ok(Self { value, parameters })
    }

    /// Returns a parameter's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns whether a parameter is given as one that only [`Valued::get_extended`] reads.
    pub fn is_extended(&self, name: &str) -> bool {
        let extended = |known: &str| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('*'));
        self.parameters.iter().any(|(known, _)| extended(known))
    }

    /// Returns a parameter that may be in another charset or in pieces: `filename*=UTF-8''%C3%A9.pdf` (RFC 8187) and
    /// `filename*0="a"; filename*1*=%20b` (RFC 2231, as mail libraries write it), else as it stands.
    pub fn get_extended(&self, name: &str) -> Option<String> {
        let whole = self.get(&format!("{name}*")).and_then(decode);
        whole.or_else(|| self.join(name)).or_else(|| self.get(name).map(str::to_owned))
    }

    /// Joins the numbered pieces of a parameter.
    fn join(&self, name: &str) -> Option<String> {
        let piece = |number: usize| {
            let encoded = self.get(&format!("{name}*{number}*")).map(|text| (text, true));
            encoded.or_else(|| self.get(&format!("{name}*{number}")).map(|text| (text, false)))
        };
        let pieces: Vec<(&str, bool)> = (0..).map_while(piece).collect();
        let (first, encoded) = pieces.first()?;
        // The first piece names the charset for all encoded pieces (RFC 2231, section 4.1).
        let charset = if *encoded { first.split('\'').next()? } else { "utf-8" };
        let mut bytes = Vec::new();
        for (number, (text, encoded)) in pieces.iter().enumerate() {
            let text = if number == 0 && *encoded { text.splitn(3, '\'').nth(2)? } else { text };
            if *encoded {
                bytes.extend(percent_decode_str(text));
            } else {
                bytes.extend_from_slice(text.as_bytes());
            }
        }
        in_charset(charset, bytes)
    }
}

/// Returns the text before the parameters, in lower case.
pub fn essence(text: &str) -> String {
    split_at(text, ';').0.trim_matches(is_blank).to_ascii_lowercase()
}

/// Returns whether a byte may stand in a token, an unquoted word of a header (RFC 9110, section 5.6.2).
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Reads the value that `text` begins with; returns it and the rest, which is empty or begins with `;`.
fn read_value<'a>(text: &'a str, name: &str) -> Result<(String, &'a str), Fault> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = split_at(text, ';');
        let value = value.trim_end_matches(is_blank);
        return if value.contains('"') { Err(Fault::Unreadable) } else { Ok((value.to_owned(), after)) };
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let after = quoted[at + 1..].trim_start_matches(is_blank);
                let ends = after.is_empty() || after.starts_with(';');
                return if ends { Ok((value, after)) } else { Err(Fault::Unreadable) };
            }
            '\\' => {
                let (_, escaped) = characters.next().ok_or(Fault::Unreadable)?;
                // Internet Explorer sends a whole path and escapes nothing in it.
                if name.starts_with("filename") && !matches!(escaped, '"' | '\\') {
                    value.push('\\');
                }
                value.push(escaped);
            }
            other => value.push(other),
        }
    }
    Err(Fault::Unreadable)
}

/// An extended value (RFC 8187, section 3.2.1): charset, language, percent-encoded bytes.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.splitn(3, '\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    in_charset(charset, percent_decode_str(encoded).collect())
}

fn in_charset(charset: &str, bytes: Vec<u8>) -> Option<String> {
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" | "us-ascii" => String::from_utf8(bytes).ok(),
        "iso-8859-1" => Some(bytes.into_iter().map(char::from).collect()),
        _ => None,
    }
}

/// Splits before the first such character.
fn split_at(text: &str, character: char) -> (&str, &str) {
    text.split_at(text.find(character).unwrap_or(text.len()))
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn get(text: &str, name: &str) -> Option<String> {
        Valued::parse(text).unwrap().get_extended(name)
    }

    #[test]
    fn a_name_inside_a_quoted_file_name_is_no_name() {
        let disposition = r#"form-data; filename="exam; name=jan.pdf"; name="file""#;
        assert_eq!(get(disposition, "name").as_deref(), Some("file"));
        assert_eq!(get(disposition, "filename").as_deref(), Some("exam; name=jan.pdf"));
    }

    #[test]
    fn blanks_cases_and_empty_parameters_say_nothing() {
        let valued = Valued::parse("Form-Data ;; NAME = file\t; ;filename=\"\" ;").unwrap();
        assert_eq!(
            (valued.value.as_str(), valued.get("name"), valued.get("filename")),
            ("form-data", Some("file"), Some(""))
        );
    }

    #[test]
    fn quoted_pairs_are_read_but_a_path_of_windows_stays_one() {
        assert_eq!(get(r#"x; boundary="a\b\"\\""#, "boundary").as_deref(), Some(r#"ab"\"#));
        assert_eq!(get(r#"x; filename="C:\temp\a.pdf""#, "filename").as_deref(), Some(r"C:\temp\a.pdf"));
        assert_eq!(get(r#"x; filename="een \"a\".pdf""#, "filename").as_deref(), Some(r#"een "a".pdf"#));
    }

    #[test]
    fn file_names_come_in_other_charsets_and_in_pieces() {
        for (text, name) in [
            ("x; filename=\"a.pdf\"; filename*=UTF-8'nl'%C3%A9.pdf", "é.pdf"),
            ("x; filename*=iso-8859-1''%E9.pdf", "é.pdf"),
            ("x; filename=\"a.pdf\"; filename*=koi8-r''%E9.pdf", "a.pdf"),
            ("x; filename*0=\"een \"; filename*1=\"naam.pdf\"", "een naam.pdf"),
            ("x; filename*0*=utf-8''%C3; filename*1*=%A9; filename*2=.pdf", "é.pdf"),
        ] {
            assert_eq!(get(text, "filename").as_deref(), Some(name), "{text}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_read_in_its_charset_is_none() {
        for (text, name) in [
            ("x; filename*=us-ascii''a.pdf", Some("a.pdf")),
            ("x; filename*=UTF-8''%E9", None),
            ("x; filename*=a.pdf", None),
            ("x; filename*0*=koi8-r''a; filename*1=b", None),
            ("x; filename*0*=a; filename*1=b", None),
            ("x; filename*1=b", None),
            ("x; filename*0=%41; filename*1*=%41", Some("%41A")),
            ("x; filename*0*=utf-8''a'b; filename*1*=c'd", Some("a'bc'd")),
            ("x", None),
        ] {
            assert_eq!(get(text, "filename").as_deref(), name, "{text}");
        }
    }

    #[test]
    fn a_parameter_is_extended_by_a_star_behind_its_name() {
        for (text, extended) in [
            ("x; filename=a", false),
            ("x; filename*=utf-8''a", true),
            ("x; filename*0=a", true),
            ("x; filenames*=utf-8''a", false),
            ("x; name*=utf-8''a", false),
        ] {
            assert_eq!(Valued::parse(text).unwrap().is_extended("filename"), extended, "{text}");
        }
    }

    #[test]
    fn a_value_is_what_stands_before_its_parameters() {
        for (text, value) in [("A/B", "a/b"), ("\ta/b ; c=d", "a/b"), (";c=d", ""), ("", "")] {
            assert_eq!((essence(text), Valued::parse(text).unwrap().value), (value.to_owned(), value.to_owned()));
        }
        let tokens: String = (0..=255_u8).filter(|&byte| is_token(byte)).map(char::from).collect();
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
        assert_eq!(tokens, format!("!#$%&'*+-.0123456789{letters}"));
    }

    #[test]
    fn what_is_given_twice_or_follows_no_grammar_is_refused() {
        assert_eq!(Valued::parse("x; name=a; Name=b"), Err(Fault::Twice));
        for text in
            ["x; name", "x; =a", "x; name=\"a", "x; name=\"a\"b", "x; name=a\"b\"", "x; na me=a", "x; name=\"a\\"]
        {
            assert_eq!(Valued::parse(text), Err(Fault::Unreadable), "{text}");
        }
    }

    /// A value as the grammar lets one be written: as it is where it may be, else in quotes, with a backslash before
    /// what needs one and, where `escapes` says so, before what does not.
    fn write(value: &str, quoted: bool, escapes: bool) -> String {
        if !quoted && !value.is_empty() && value.bytes().all(is_token) {
            return value.to_owned();
        }
        let mut text = String::from('"');
        for character in value.chars() {
            if matches!(character, '"' | '\\') || escapes {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('"');
        text
    }

    proptest! {
        #[test]
        fn whatever_the_grammar_writes_reads_back(
            value in "[a-z/-]{1,12}",
            parameters in prop::collection::btree_map("[a-z][a-z0-9-]{0,6}", ("[ -~é]{0,12}", any::<bool>(), any::<bool>(), "[ \\t]{0,2}"), 0..5),
        ) {
            let mut text = value.clone();
            for (name, (value, quoted, escapes, blanks)) in &parameters {
                let escapes = *escapes && !name.starts_with("filename");
                let name = if *quoted { name.to_uppercase() } else { name.clone() };
                text.push_str(&format!("{blanks};{blanks}{name}={}", write(value, *quoted, escapes)));
            }
            let read = Valued::parse(&text);
            prop_assert!(read.is_ok(), "{text}");
            let read = read.unwrap();
            prop_assert_eq!(&read.value, &value);
            for (name, (value, ..)) in &parameters {
                prop_assert_eq!(read.get(name), Some(value.as_str()), "{}", text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}|[;=\"\\\\a* '%]{0,20}") {
            if let Ok(valued) = Valued::parse(&text) {
                let _ = valued.get_extended("a");
            }
        }
    }
}

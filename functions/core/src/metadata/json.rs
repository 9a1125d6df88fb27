//! JSON, read strictly: a key given twice, or nesting that no sender needs, is refused with the place
//! where it happened. Two readers of the same message must never see two different documents in it.

use std::{cell::RefCell, collections::BTreeMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};

use crate::{Error, Result, parts::MAX_DOCUMENT};

/// Objects and arrays inside each other, the outermost included.
const MAX_DEPTH: usize = 32;

/// Bytes of a text that has a meaning here.
pub(super) const MAX_TEXT: usize = 1024;

/// Serde's words for a number that no number of ours can hold.
const OUT_OF_RANGE: &str = "number out of range";

/// Reads one JSON value.
///
/// Errors: [`Error::MalformedJson`] with line and column; [`Error::InvalidMetadata`] with the pointer of a
/// duplicate key or of nesting that is too deep; [`Error::DocumentTooLarge`] for a `documentSize` that no number
/// of ours can hold.
pub(super) fn parse(text: &str) -> Result<Value> {
    let broken = Broken::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict { at: Pointer::Root, depth: 0, broken: &broken }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| {
        let rule = broken.rule.take();
        rule.unwrap_or_else(|| fault(text, &error, broken.place.take()))
    })
}

/// Details of a failed parse that serde's own error does not have.
#[derive(Default)]
struct Broken {
    /// The rule of ours that was broken.
    rule: RefCell<Option<Error>>,
    /// The pointer of the innermost value that could not be read.
    place: RefCell<Option<String>>,
}

/// Turns serde's error at `place` into ours.
fn fault(text: &str, error: &serde_json::Error, place: Option<String>) -> Error {
    let malformed = malformed(text, error);
    let size = place.filter(|place| place.ends_with("/documentSize"));
    match (size, &malformed) {
        (Some(pointer), Error::MalformedJson { line, column, reason }) if reason == OUT_OF_RANGE => {
            let before = text.lines().nth(line - 1).unwrap_or_default().as_bytes();
            let before = &before[..(*column).min(before.len())];
            let is_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
            let start = before.iter().rposition(|byte| !is_number(byte)).map_or(0, |other| other + 1);
            if before.get(start) == Some(&b'-') {
                return Error::metadata(pointer, SIZE);
            }
            Error::DocumentTooLarge { size: u64::MAX, limit: MAX_DOCUMENT }
        }
        _ => malformed,
    }
}

fn malformed(text: &str, error: &serde_json::Error) -> Error {
    if text.trim().is_empty() {
        return Error::MalformedJson { line: 1, column: 1, reason: "it is empty".to_owned() };
    }
    let message = error.to_string();
    let words = message.split(" at line ").next().unwrap_or(&message);
    let reason = if words == OUT_OF_RANGE {
        words.to_owned()
    } else {
        format!("{words}. Check the quotes, commas and braces there; the examples printed in the standard lack some")
    };
    let (line, column) = match (error.line(), error.column()) {
        // A string that runs into the end of its line is found out at the start of the next.
        (line @ 2.., 0) => {
            let before = text.lines().nth(line - 2).map_or(0, str::len);
            (line - 1, before + 1)
        }
        found => found,
    };
    Error::MalformedJson { line, column, reason }
}

/// Rewrites a JSON text without white space, with sorted keys and one way of escaping, so that two texts with the same
/// meaning become equal. Numbers stay as written: 7.5 and 7.49999999999999999 are two numbers, though one `f64`.
pub(super) fn canonical(text: &str) -> serde_json::Result<String> {
    let mut canonical = String::with_capacity(text.len());
    write_canonical(serde_json::from_str(text)?, &mut canonical)?;
    Ok(canonical)
}

/// Recurses no deeper than [`MAX_DEPTH`]: the text has been parsed before.
fn write_canonical(value: &RawValue, out: &mut String) -> serde_json::Result<()> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            out.push('{');
            for (key, member) in members {
                out.push_str(&serde_json::to_string(&key)?);
                out.push(':');
                write_canonical(member, out)?;
                out.push(',');
            }
            out.push('}');
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            out.push('[');
            for item in items {
                write_canonical(item, out)?;
                out.push(',');
            }
            out.push(']');
        }
        Some(b'"') => {
            let string: String = serde_json::from_str(text)?;
            out.push_str(&serde_json::to_string(&string)?);
        }
        _ => out.push_str(text),
    }
    Ok(())
}

/// The place in the value, as a list that lives on the stack.
#[derive(Clone, Copy)]
enum Pointer<'a> {
    Root,
    Key(&'a Pointer<'a>, &'a str),
    Index(&'a Pointer<'a>, usize),
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(parent, key) => write!(f, "{parent}/{}", escape(key)),
            Self::Index(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    at: Pointer<'a>,
    depth: usize,
    broken: &'a Broken,
}

impl Strict<'_> {
    /// Ends the parse with a rule broken at `pointer`; serde's own error only carries us out.
    fn refuse<E: serde::de::Error>(&self, pointer: &Pointer<'_>, detail: &str) -> E {
        *self.broken.rule.borrow_mut() = Some(Error::metadata(pointer.to_string(), detail));
        E::custom(detail)
    }

    fn enter<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.depth == MAX_DEPTH {
            let detail = format!("is nested more than {MAX_DEPTH} levels deep; send an id instead");
            return Err(self.refuse(&self.at, &detail));
        }
        Ok(self.depth + 1)
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self).inspect_err(|_| {
            let mut place = self.broken.place.borrow_mut();
            place.get_or_insert_with(|| self.at.to_string());
        })
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.enter()?;
        let mut array = Vec::new();
        loop {
            let at = Pointer::Index(&self.at, array.len());
            match items.next_element_seed(Strict { at, depth, broken: self.broken })? {
                Some(item) => array.push(item),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let depth = self.enter()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let at = Pointer::Key(&self.at, &key);
            if object.contains_key(&key) {
                return Err(self.refuse(&at, "is given twice; send each key once"));
            }
            let value = entries.next_value_seed(Strict { at, depth, broken: self.broken })?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// A value and the place where it stands, so that every complaint can say where.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) value: &'a Value,
    pub(super) pointer: String,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, pointer: String::new() }
    }

    pub(super) fn refuse(&self, detail: impl Into<String>) -> Error {
        Error::metadata(self.pointer.clone(), detail)
    }

    fn expected(&self, what: &str) -> Error {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        self.refuse(format!("must be {what}, not {found}"))
    }

    pub(super) fn object(&self) -> Result<&'a Map<String, Value>> {
        self.value.as_object().ok_or_else(|| self.expected("an object"))
    }

    /// The member `key`; `null` counts as absent, as OOAPI has it, and so does an empty string.
    pub(super) fn get(&self, key: &str) -> Result<Option<Node<'a>>> {
        let says = |value: &&Value| !value.is_null() && value.as_str() != Some("");
        let value = self.object()?.get(key).filter(says);
        Ok(value.map(|value| Node { value, pointer: format!("{}/{}", self.pointer, escape(key)) }))
    }

    pub(super) fn required(&self, key: &str) -> Result<Node<'a>> {
        self.get(key)?.ok_or_else(|| self.lacks(key))
    }

    /// Returns the error that the member `key` is missing.
    pub(super) fn lacks(&self, key: &str) -> Error {
        let pointer = format!("{}/{}", self.pointer, escape(key));
        Error::metadata(pointer, "is required but missing")
    }

    pub(super) fn items(&self) -> Result<impl Iterator<Item = Node<'a>> + use<'a>> {
        let items = self.value.as_array().ok_or_else(|| self.expected("an array"))?;
        let pointer = self.pointer.clone();
        Ok(items.iter().enumerate().map(move |(index, value)| Node { value, pointer: format!("{pointer}/{index}") }))
    }

    /// A string of at most 1,024 bytes.
    pub(super) fn text(&self) -> Result<&'a str> {
        let text = self.value.as_str().ok_or_else(|| self.expected("a string"))?;
        if text.len() > MAX_TEXT {
            return Err(self.refuse("is longer than 1,024 bytes"));
        }
        Ok(text)
    }

    /// A number without a fraction, however it is written (`5`, `5.0`, `5E0`); [`u64::MAX`] for all that are larger.
    pub(super) fn whole_number(&self) -> Result<u64> {
        let Value::Number(number) = self.value else {
            return Err(self.expected("a number"));
        };
        match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => Ok(whole),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it saturates, and is not negative"
            )]
            (None, Some(number)) if number >= 0.0 && number.fract() == 0.0 => Ok(number as u64),
            _ => Err(self.refuse(SIZE)),
        }
    }
}

/// The rule for `documentSize`, the only number with a meaning here.
const SIZE: &str = "must be a whole number of bytes, 1 or more";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-zé\"\\\\/]{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"]{0,2}", inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    fn pointer_of(text: &str) -> String {
        match parse(text) {
            Err(Error::InvalidMetadata(faults)) => faults[0].pointer.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_duplicate_key_is_named_by_its_pointer() {
        assert_eq!(pointer_of(r#"{"a": [{"b/c": 1, "b/c": 2}]}"#), "/a/0/b~1c");
    }

    #[test]
    fn depth_32_is_accepted_and_33_is_not() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(32)).is_ok());
        assert_eq!(pointer_of(&nested(33)), "/0".repeat(32));
    }

    #[test]
    fn a_syntax_error_says_line_and_column() {
        let Err(Error::MalformedJson { line, column, .. }) = parse("{\n  \"a: 1\n}") else { panic!() };
        assert_eq!((line, column), (2, 8), "at the end of the line whose quote is missing");
    }

    #[test]
    fn a_document_size_that_no_number_of_ours_holds_is_too_large_and_below_zero_is_none() {
        let size = |size: &str| parse(&format!("{{\n\"consumers\": [{{\"documentSize\": {size}}}]}}"));
        assert!(matches!(size("1e400"), Err(Error::DocumentTooLarge { .. })));
        assert!(matches!(size("-1e400"), Err(Error::InvalidMetadata(_))));
        assert!(matches!(parse("{\"x\": 1e400}"), Err(Error::MalformedJson { .. })));
    }

    #[test]
    fn a_number_without_a_fraction_is_whole_however_it_is_written() {
        let read = |text: &str| Node::root(&parse(text).unwrap()).whole_number().ok();
        for whole in ["5", "5.0", "5E0", "0.5e1", "50e-1"] {
            assert_eq!(read(whole), Some(5), "{whole}");
        }
        assert_eq!(read("18446744073709551616"), Some(u64::MAX));
        for none in ["5.5", "-5", "-1.0", "\"5\"", "null"] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn a_fault_in_the_text_is_named_by_its_line_and_column() {
        for (text, place) in [
            ("", (1, 1)),
            (" \n ", (1, 1)),
            ("{", (1, 1)),
            ("{\n\n  x", (3, 3)),
            ("\n\"a\nb\"", (2, 3)),
            ("{}\n x", (2, 2)),
        ] {
            let Err(Error::MalformedJson { line, column, .. }) = parse(text) else { panic!("{text}") };
            assert_eq!((line, column), place, "{text:?}");
        }
        let reason = |text: &str| match parse(text) {
            Err(Error::MalformedJson { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason("  "), "it is empty");
        assert_eq!(reason("1e999"), OUT_OF_RANGE);
        assert!(reason("{").contains("Check the quotes"));
    }

    #[test]
    fn only_a_number_that_is_too_large_makes_a_document_too_large() {
        for (size, expected) in [
            ("1e999", "too large"),
            ("12345678901234567890e999", "too large"),
            ("-1e999", "none"),
            ("1.5e+999", "too large"),
            ("[1e999]", "malformed"),
            ("x", "malformed"),
        ] {
            for before in ["", "\n\n", "   "] {
                let text = format!("{{\"a\": \"-\",{before} \"b\": {{\"documentSize\":{before}{size}}}}}");
                let found = match parse(&text) {
                    Err(Error::DocumentTooLarge { .. }) => "too large",
                    Err(Error::InvalidMetadata(faults)) if faults[0].pointer == "/b/documentSize" => "none",
                    Err(Error::MalformedJson { .. }) => "malformed",
                    other => panic!("{other:?}"),
                };
                assert_eq!(found, expected, "{text}");
            }
        }
    }

    #[test]
    fn the_same_meaning_has_one_text() {
        let text = r#" {"b": [1.50, true, null, "\u0061\/"], "a": {}} "#;
        assert_eq!(canonical(text).unwrap(), r#"{"a":{},"b":[1.50,true,null,"a/",],}"#);
        assert!(canonical("{").is_err());
    }

    #[test]
    fn a_value_says_what_was_expected_in_its_place() {
        let value = json!({ "a": null, "b": "", "c": " ", "d": false, "e": ["x"], "~/": 1 });
        let root = Node::root(&value);
        let is_there = |key: &str| root.get(key).unwrap().is_some();
        assert_eq!(["a", "b", "c", "d", "e", "f"].map(is_there), [false, false, true, true, true, false]);
        let refusal = |refused: Option<Error>| match refused {
            Some(Error::InvalidMetadata(faults)) => format!("{} {}", faults[0].pointer, faults[0].detail),
            other => panic!("{other:?}"),
        };
        let node = |key: &str| root.required(key).unwrap();
        assert_eq!(refusal(root.required("a").err()), "/a is required but missing");
        assert_eq!(refusal(node("d").text().err()), "/d must be a string, not a boolean");
        assert_eq!(refusal(node("e").object().err()), "/e must be an object, not an array");
        assert_eq!(refusal(node("c").items().err()), "/c must be an array, not a string");
        assert_eq!(refusal(node("c").whole_number().err()), "/c must be a number, not a string");
        assert_eq!(refusal(node("~/").text().err()), "/~0~1 must be a string, not a number");
        assert_eq!(refusal(root.items().err()), " must be an array, not an object");
        let items: Vec<String> = node("e").items().unwrap().map(|item| item.pointer).collect();
        assert_eq!(items, ["/e/0"]);
    }

    #[test]
    fn a_text_has_1_024_bytes_at_most() {
        for (length, fits) in [(0, true), (1024, true), (1025, false), (2000, false)] {
            let value = json!("x".repeat(length));
            assert_eq!(Node::root(&value).text().is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn what_follows_the_value_is_an_error() {
        assert!(matches!(parse("{} x"), Err(Error::MalformedJson { .. })));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = parse(&text);
        }

        /// Spacing, the order of keys and escapes say nothing; every digit of a number does.
        #[test]
        fn two_texts_are_the_same_when_only_their_spelling_differs(value in any_value(), spaces in "[ \t\n\r]{1,3}") {
            let plain = value.to_string();
            let spaced = serde_json::to_string_pretty(&value).unwrap().replace('\n', &format!("\n{spaces}"));
            prop_assert_eq!(canonical(&plain).unwrap(), canonical(&spaced).unwrap());
            let other = canonical(&format!("[{plain}, 7.5]")).unwrap();
            prop_assert_ne!(other, canonical(&format!("[{plain}, 7.49999999999999999]")).unwrap());
        }
    }
}

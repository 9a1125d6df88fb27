//! JSON, read strictly: a key given twice, or nesting that no sender needs, is refused with the place
//! where it happened. Two readers of the same message must never see two different documents in it.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// Objects and arrays inside each other, the outermost included.
const MAX_DEPTH: usize = 32;

/// Reads one JSON value; [`Error::MalformedJson`] with line and column, or [`Error::InvalidMetadata`]
/// with the pointer of a duplicate key or of nesting that is too deep.
pub(super) fn parse(text: &str) -> Result<Value> {
    let broken = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict {
        at: Pointer::Root,
        depth: 0,
        broken: &broken,
    }
    .deserialize(&mut deserializer)
    .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| broken.take().unwrap_or_else(|| malformed(text, &error)))
}

fn malformed(text: &str, error: &serde_json::Error) -> Error {
    let message = error.to_string();
    let reason = message
        .split(" at line ")
        .next()
        .unwrap_or(&message)
        .to_owned();
    let (line, column) = match (error.line(), error.column()) {
        // A string that runs into the end of its line is found out at the start of the next.
        (line @ 2.., 0) => {
            let before = text.lines().nth(line - 2).map_or(0, str::len);
            (line - 1, before + 1)
        }
        found => found,
    };
    Error::MalformedJson {
        line,
        column,
        reason,
    }
}

/// Where we are in the value, as a list that lives on the stack.
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

struct Strict<'a> {
    at: Pointer<'a>,
    depth: usize,
    broken: &'a RefCell<Option<Error>>,
}

impl Strict<'_> {
    /// Ends the parse with a rule broken at `pointer`; serde's own error only carries us out.
    fn refuse<E: serde::de::Error>(&self, pointer: &Pointer<'_>, detail: &str) -> E {
        *self.broken.borrow_mut() = Some(Error::metadata(pointer.to_string(), detail));
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
        deserializer.deserialize_any(self)
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
            match items.next_element_seed(Strict {
                at,
                depth,
                broken: self.broken,
            })? {
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
            let value = entries.next_value_seed(Strict {
                at,
                depth,
                broken: self.broken,
            })?;
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
        Self {
            value,
            pointer: String::new(),
        }
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
        self.value
            .as_object()
            .ok_or_else(|| self.expected("an object"))
    }

    /// The member `key`; `null` counts as absent, as OOAPI has it.
    pub(super) fn get(&self, key: &str) -> Result<Option<Node<'a>>> {
        let value = self.object()?.get(key).filter(|value| !value.is_null());
        Ok(value.map(|value| Node {
            value,
            pointer: format!("{}/{}", self.pointer, escape(key)),
        }))
    }

    pub(super) fn required(&self, key: &str) -> Result<Node<'a>> {
        let missing = || {
            let pointer = format!("{}/{}", self.pointer, escape(key));
            Error::metadata(pointer, "is required but missing")
        };
        self.get(key)?.ok_or_else(missing)
    }

    pub(super) fn items(&self) -> Result<impl Iterator<Item = Node<'a>> + use<'a>> {
        let items = self
            .value
            .as_array()
            .ok_or_else(|| self.expected("an array"))?;
        let pointer = self.pointer.clone();
        Ok(items.iter().enumerate().map(move |(index, value)| Node {
            value,
            pointer: format!("{pointer}/{index}"),
        }))
    }

    /// A string of 1 to 1,024 bytes.
    pub(super) fn text(&self) -> Result<&'a str> {
        let text = self
            .value
            .as_str()
            .ok_or_else(|| self.expected("a string"))?;
        match text.len() {
            0 => Err(self.refuse("must not be empty; leave it out instead")),
            1..=1024 => Ok(text),
            _ => Err(self.refuse("is longer than 1,024 bytes")),
        }
    }

    pub(super) fn whole_number(&self) -> Result<u64> {
        self.value.as_u64().ok_or_else(|| match self.value {
            Value::Number(_) => self.refuse("must be a whole number of bytes, 1 or more"),
            _ => self.expected("a number"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pointer_of(text: &str) -> String {
        match parse(text) {
            Err(Error::InvalidMetadata { pointer, .. }) => pointer,
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
        let Err(Error::MalformedJson { line, column, .. }) = parse("{\n  \"a: 1\n}") else {
            panic!()
        };
        assert_eq!(
            (line, column),
            (2, 8),
            "at the end of the line whose quote is missing"
        );
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
    }
}

//! The metadata of a document, and the resource that it hangs on.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{Error, Result};

/// The key of OKD's consumer.
const NL_OKD: &str = "nl-okd";

/// The resource that a document hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its kind.
    pub kind: Kind,
    /// Its id, a UUID.
    pub id: String,
}

/// The kind of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A student's enrolment (OKD flow 1).
    Association,
    /// An exam sitting (flow 2).
    Offering,
    /// A student (flow 4).
    Person,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "association" => Ok(Self::Association),
            "offering" => Ok(Self::Offering),
            "person" => Ok(Self::Person),
            _ => Err(format!("{text:?} is none of association, offering and person")),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Association => "association",
            Self::Offering => "offering",
            Self::Person => "person",
        })
    }
}

impl Resource {
    /// Its path in the API.
    pub fn path(&self) -> String {
        format!("/okd/v1/{}s/{}", self.kind, self.id)
    }
}

/// The metadata of a document as JSON, and the resource that it hangs on.
#[derive(Debug, Clone)]
pub struct Message {
    /// The resource.
    pub resource: Resource,
    /// The JSON text; the service keeps it word for word.
    pub json: String,
    /// The `Idempotency-Key`, which takes the place of a missing `documentId`.
    pub idempotency_key: Option<String>,
}

/// What a message is to say of its file, where it does not say it itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfFile<'a> {
    /// Bytes.
    pub size: u64,
    /// A checksum as OKD writes it: `crc64nvme:` or `sha-256:`, and the value.
    pub checksum: &'a str,
    /// The name, where there is one.
    pub name: Option<&'a str>,
    /// The media type, where it is known.
    pub format: Option<&'a str>,
}

/// The parts of a message in which consumers stand.
#[derive(Deserialize)]
struct Consumers<'a> {
    #[serde(borrow, default)]
    consumers: Vec<&'a RawValue>,
    /// The only one, as OEAPI 6 has it.
    #[serde(borrow, default)]
    consumer: Option<&'a RawValue>,
}

/// The members of a consumer, as they are written.
type Consumer<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

fn is_about_a_document(consumer: &Consumer<'_>) -> bool {
    let is_okd = consumer
        .get("consumerKey")
        .is_some_and(|key| serde_json::from_str(key.get()).is_ok_and(|key: String| key == NL_OKD));
    is_okd && consumer.contains_key("documentType")
}

/// A member that says nothing is as good as absent for the service.
fn says_nothing(value: &RawValue) -> bool {
    matches!(value.get(), "null" | "\"\"")
}

impl Message {
    /// A message without an `Idempotency-Key`.
    pub fn new(resource: Resource, json: String) -> Self {
        Self { resource, json, idempotency_key: None }
    }

    /// The same message with what is known of its file, where it does not say it itself. The rest of its text stays as it is.
    ///
    /// Errors: [`Error::Size`] where it says another size, [`Error::Json`], [`Error::Usage`] where it has no consumer of OKD's.
    pub fn with_file(&self, OfFile { size, checksum, name, format }: OfFile<'_>) -> Result<Self> {
        let no_json = |error: serde_json::Error| {
            let words = format!("the metadata are none that OKD knows: {error}");
            if error.is_data() { Error::Usage(words) } else { Error::Json(error) }
        };
        let Consumers { consumers, consumer } = serde_json::from_str(&self.json).map_err(no_json)?;
        // A raw value is a slice of the text that it was read from: so far from its beginning is this one.
        let place = |raw: &RawValue| raw.get().as_ptr() as usize - self.json.as_ptr() as usize;
        let fields = [
            ("documentSize", Some(Value::from(size))),
            ("documentChecksum", Some(Value::from(checksum))),
            ("documentName", name.map(Value::from)),
            ("format", format.map(Value::from)),
        ];
        // Where something is to be written, over so many bytes.
        let mut changes: Vec<(usize, usize, String)> = Vec::new();
        for raw in consumers.into_iter().chain(consumer) {
            let members: Consumer<'_> = serde_json::from_str(raw.get()).map_err(no_json)?;
            if !is_about_a_document(&members) {
                continue;
            }
            let declared = members.get("documentSize").and_then(|declared| declared.get().parse().ok());
            if let Some(declared) = declared.filter(|declared: &u64| *declared != size) {
                return Err(Error::Size { declared, size });
            }
            let mut added = String::new();
            for (field, value) in &fields {
                match (members.get(*field), value) {
                    (None, Some(value)) => added += &format!("\"{field}\": {value}, "),
                    (Some(said), Some(value)) if says_nothing(said) => {
                        changes.push((place(said), said.get().len(), value.to_string()));
                    }
                    _ => {}
                }
            }
            changes.push((place(raw) + 1, 0, added));
        }
        if changes.is_empty() {
            let words = "the metadata has no consumer with \"consumerKey\": \"nl-okd\" and a documentType";
            return Err(Error::Usage(words.to_owned()));
        }
        changes.sort_unstable();
        let (mut json, mut copied) = (String::new(), 0);
        for (from, length, text) in changes {
            json += &self.json[copied..from];
            json += &text;
            copied = from + length;
        }
        json += &self.json[copied..];
        Ok(Self { json, ..self.clone() })
    }
}

/// Metadata of an association that name it.
impl From<&Value> for Message {
    fn from(metadata: &Value) -> Self {
        let id = metadata["associationId"].as_str().unwrap_or_default().to_owned();
        Self::new(Resource { kind: Kind::Association, id }, metadata.to_string())
    }
}

impl From<&Message> for Message {
    fn from(message: &Message) -> Self {
        message.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> Message {
        Message::new(Resource { kind: Kind::Person, id: "1".to_owned() }, json.to_owned())
    }

    const FILE: OfFile<'_> = OfFile { size: 5, checksum: "c", name: None, format: None };

    #[test]
    fn a_message_gets_the_size_and_the_checksum_and_is_otherwise_word_for_word() {
        for (before, after) in [
            (
                r#"{ "a" : 1.50, "consumers": [ {"consumerKey":"other"}, { "consumerKey": "nl-okd", "documentType":"bpv" }]}"#,
                r#"{ "a" : 1.50, "consumers": [ {"consumerKey":"other"}, {"documentSize": 5, "documentChecksum": "c", "#.to_owned()
                    + r#" "consumerKey": "nl-okd", "documentType":"bpv" }]}"#,
            ),
            (
                r#"{"consumer":{"consumerKey":"nl-okd","documentType":"bpv","documentSize":5}}"#,
                r#"{"consumer":{"documentChecksum": "c", "consumerKey":"nl-okd","documentType":"bpv","documentSize":5}}"#
                    .to_owned(),
            ),
            (
                r#"{"consumers":[{"documentChecksum":"d","documentSize":5,"consumerKey":"nl-okd","documentType":"bpv"}]}"#,
                r#"{"consumers":[{"documentChecksum":"d","documentSize":5,"consumerKey":"nl-okd","documentType":"bpv"}]}"#
                    .to_owned(),
            ),
        ] {
            assert_eq!(message(before).with_file(FILE).unwrap().json, after);
        }
        let before = r#"{"consumer":{"consumerKey":"nl-okd","documentType":"bpv","documentSize":5,"format":"a/b"}}"#;
        let file = OfFile { name: Some("a \"b\""), format: Some("c/d"), ..FILE };
        let after = before.replacen(
            "{\"consumerKey",
            r#"{"documentChecksum": "c", "documentName": "a \"b\"", "consumerKey"#,
            1,
        );
        assert_eq!(message(before).with_file(file).unwrap().json, after);
    }

    #[test]
    fn members_that_say_nothing_are_written_over_wherever_the_consumers_stand() {
        let okd = |size: &str| {
            format!(r#"{{"consumerKey":"nl-okd","documentName":"","documentType":"bpv","documentSize":{size}}}"#)
        };
        let file = OfFile { name: Some("a"), ..FILE };
        let filled = r#"{"documentChecksum": "c", "consumerKey":"nl-okd","documentName":"a","documentType":"bpv","documentSize":5}"#;
        for order in [r#"{"consumer":ONE,"consumers":[OTHER]}"#, r#"{"consumers":[OTHER],"consumer":ONE}"#] {
            let before = order.replace("ONE", &okd("null")).replace("OTHER", &okd("5"));
            let after = order.replace("ONE", filled).replace("OTHER", filled);
            assert_eq!(message(&before).with_file(file).unwrap().json, after);
        }
    }

    #[test]
    fn a_message_of_another_size_or_of_no_document_is_refused() {
        for wrong in ["", "[]", r#"{"consumers":[]}"#, r#"{"consumers":[{"consumerKey":"nl-okd"}]}"#] {
            let refused = message(wrong).with_file(FILE);
            assert!(matches!(refused, Err(Error::Usage(_) | Error::Json(_))), "{wrong}");
        }
        let other = r#"{"consumers":[{"consumerKey":"nl-okd","documentType":"bpv","documentSize":4}]}"#;
        assert!(matches!(message(other).with_file(FILE), Err(Error::Size { declared: 4, size: 5 })));
    }
}

//! A server on this machine that answers a client, of AWS or of an issuer, with what a test gave it, in order.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    types::AttributeValue,
};
use serde_json::{Value, json};

use super::table::Item;

/// An answer: its status, its headers and its body.
pub(crate) type Answer<'a> = (u16, &'a str, &'a str);

/// The server: its URL, and the requests that it got.
pub(crate) struct Answers {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Answers {
    /// Gives each request the next of these answers, and none to one more.
    pub(crate) fn new(answers: &[Answer<'_>]) -> Self {
        Self::that_know(|_| answers.iter().map(|answer| text(*answer)).collect())
    }

    /// The same, with bodies that know the server's own URL.
    pub(crate) fn of_bodies(bodies: impl FnOnce(&str) -> Vec<String>) -> Self {
        Self::that_know(|url| bodies(url).iter().map(|body| text((200, "", body))).collect())
    }

    fn that_know(answers: impl FnOnce(&str) -> Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = answers(&url);
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                noted.lock().unwrap().push(read(&stream));
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { url, requests }
    }

    /// The same, for DynamoDB: each answer is a body in JSON, or an error where it has a `__type`.
    pub(crate) fn of_dynamodb(answers: &[Value]) -> Self {
        let answers = answers.iter().map(|answer| (answer.get("__type").map_or(200, |_| 400), answer.to_string()));
        let answers: Vec<(u16, String)> = answers.collect();
        let answers: Vec<Answer<'_>> = answers.iter().map(|(status, body)| (*status, "", body.as_str())).collect();
        Self::new(&answers)
    }

    /// A client of it that tries a call once.
    pub(crate) fn dynamodb(&self) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .endpoint_url(&self.url)
            .retry_config(RetryConfig::disabled());
        Client::from_conf(config.build())
    }

    /// The requests, each with its method, its path, its action where DynamoDB is asked, and its body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn text((status, headers, body): Answer<'_>) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

/// Reads a request to its end.
fn read(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let (mut length, mut action) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        match header.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            Some((name, value)) if name.eq_ignore_ascii_case("x-amz-target") => action = value.to_owned(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let first = first.trim_end().trim_end_matches(" HTTP/1.1");
    format!("{first} {action} {}", String::from_utf8_lossy(&body))
}

/// An error of DynamoDB with these members.
pub(crate) fn error(kind: &str, more: &Value) -> Value {
    let mut error = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": "no" });
    for (name, value) in more.as_object().into_iter().flatten() {
        error[name] = value.clone();
    }
    error
}

/// An item in DynamoDB's JSON.
pub(crate) fn json_of(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), json_of_value(value))).collect()
}

fn json_of_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(is) => json!({ "BOOL": is }),
        AttributeValue::Null(is) => json!({ "NULL": is }),
        AttributeValue::L(list) => json!({ "L": list.iter().map(json_of_value).collect::<Vec<_>>() }),
        AttributeValue::M(map) => json!({ "M": json_of(map) }),
        other => panic!("{other:?}"),
    }
}

//! Everything hostile that we could think of, as a table: what is sent, what is answered; and after all of it the
//! stores are empty. Each row is sent byte for byte, past any HTTP library that would mend it.

mod documents;
mod forms;
mod paths;
mod tokens;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use support::{
    cloud::own_cloud,
    sender::{Sender, association, metadata},
};

use crate::{
    rsa::Rsa,
    school::{School, serve_issuer},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};

/// One hostile request, and what it must be answered. A problem that is empty is HTTP's own business.
struct Row {
    name: String,
    method: &'static str,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    status: u16,
    problem: &'static str,
}

impl Row {
    fn new(name: impl Into<String>, status: u16, problem: &'static str) -> Self {
        Self {
            name: name.into(),
            method: "PUT",
            path: association(),
            headers: Vec::new(),
            body: Vec::new(),
            status,
            problem,
        }
    }

    fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    fn at(mut self, method: &'static str, path: impl Into<String>) -> Self {
        self.method = method;
        self.path = path.into();
        self
    }

    fn body(mut self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", media)
    }

    fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.body("application/json", body)
    }

    /// Sends it; the status and what follows the head.
    async fn send(&self, url: &str) -> (u16, Value) {
        let address = url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut bytes =
            format!("{} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body);
        // It may be refused before it has all been sent.
        let _ = stream.write_all(&bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let body = body.find('{').map_or("", |start| body[start..].trim_end_matches(['\r', '\n', '0']));
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

/// Whose tokens the table forges.
struct World {
    school: School,
    other: School,
    attacker: std::sync::Arc<okd_local::issuer::Issuer>,
    rsa: Rsa,
    leaked: Rsa,
    encryption: Rsa,
    ps_only: Rsa,
    token: String,
}

impl World {
    async fn new() -> Self {
        let cloud = own_cloud();
        let (school, other) = (School::new(cloud).await, School::new(cloud).await);
        let [rsa, leaked, encryption, ps_only] = ["rsa", "leaked", "encryption", "ps-only"].map(Rsa::new);
        let published = |key: &Rsa, name: &str, value: Value| {
            let mut jwk = key.jwk();
            jwk[name] = value;
            school.issuer.publish(jwk);
        };
        published(&rsa, "alg", json!("RS256"));
        published(&leaked, "d", json!("AQAB"));
        published(&encryption, "use", json!("enc"));
        published(&ps_only, "alg", json!("PS256"));
        school.issuer.publish(
            json!({ "kty": "oct", "kid": "oct", "k": BASE64URL.encode(b"secret"), "alg": "HS256", "use": "sig" }),
        );
        let token = school.client("sis").token;
        Self { school, other, attacker: serve_issuer().await, rsa, leaked, encryption, ps_only, token }
    }

    fn claims(&self) -> Value {
        let mut claims = self.school.claims();
        claims["iat"] = json!(now());
        claims["jti"] = json!("forged");
        claims
    }

    fn signed(&self, claim: &str, value: Value) -> String {
        let mut claims = self.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value,
        }
        self.school.issuer.sign(&claims).unwrap()
    }

    /// The good token with another header, its own claims and its own signature.
    fn with_header(&self, header: &str) -> String {
        let rest = self.token.split_once('.').unwrap().1;
        format!("{}.{rest}", BASE64URL.encode(header))
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_hostile_is_sent_it_is_refused_as_it_should_be_and_the_stores_stay_empty() {
    let world = World::new().await;
    let mut rows = tokens::rows(&world);
    rows.extend(forms::rows(&world));
    rows.extend(documents::rows(&world));
    rows.extend(paths::rows(&world));
    assert!(rows.len() >= 260, "{} rows", rows.len());
    let url = &world.school.cloud.url;
    let mut wrong = Vec::new();
    for row in &rows {
        let (status, body) = row.send(url).await;
        let kind = format!("urn:problem-type:okd:{}", row.problem);
        if status != row.status || (!row.problem.is_empty() && body["type"] != kind) {
            wrong.push(format!("{}: {} {} expected, {status} {body}", row.name, row.status, row.problem));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    assert_eq!(world.attacker.asked(), 0, "the attacker's keys were asked for");
    Sender::to(world.school.cloud).finds_the_stores_empty().await;
    // The token that all of that was tried with is good.
    world.school.client("sis").hand_in(&metadata(), b"x").await.ok();
}

//! Everything hostile that we could think of, as a table: what is sent, what is answered; and after all of it the
//! stores are empty. Each row is sent byte for byte, past any HTTP library that would mend it.

#![expect(clippy::too_many_lines, reason = "it is a table")]

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use support::{
    cloud::own_cloud,
    sender::{ASSOCIATION, OFFERING, Sender, association, metadata, offer, with},
};

use crate::{
    rsa::{Rsa, hs256, unsigned},
    school::{School, serve_issuer},
};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256};
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

/// Tokens, each on a request that is otherwise good.
fn tokens(world: &World) -> Vec<Row> {
    let ec = "\"kid\": \"fresh\"";
    let claims = world.claims();
    let parts: Vec<&str> = world.token.split('.').collect();
    let der = world.rsa.public_der();
    let rs = &RSA_PKCS1_SHA256;
    let rsa_header = |more: Value| {
        let mut header = json!({ "typ": "JWT", "alg": "RS256", "kid": "rsa" });
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        header
    };
    let attackers = Rsa::new("rsa");
    let attackers_jwks = format!("{}/jwks", world.attacker.url());
    let mut unknown_issuer = claims.clone();
    unknown_issuer["iss"] = json!(world.attacker.url());
    let mut expired = claims.clone();
    expired["exp"] = json!(now() - 61);
    let unauthenticated: Vec<(&str, String)> = vec![
        ("no dots", "abc".to_owned()),
        ("nothing between the dots", "..".to_owned()),
        ("four parts", format!("{}.AAAA", world.token)),
        ("five parts, as if encrypted", format!("{}.AAAA.AAAA", world.token)),
        ("padded base64", format!("{}=.{}.{}", parts[0], parts[1], parts[2])),
        ("a blank inside", world.token.replacen('.', ". ", 1)),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        (
            "another token's signature",
            format!("{}.{}.{}", parts[0], parts[1], world.signed("jti", json!("x")).rsplit_once('.').unwrap().1),
        ),
        (
            "other claims under the signature",
            format!("{}.{}.{}", parts[0], BASE64URL.encode(claims.to_string()), parts[2]),
        ),
        ("a signature of zeros", format!("{}.{}.{}", parts[0], parts[1], BASE64URL.encode([0; 64]))),
        ("alg none", format!("{}.", unsigned(&json!({ "alg": "none", "kid": "fresh" }), &claims))),
        ("alg nOnE", format!("{}.", unsigned(&json!({ "alg": "nOnE", "kid": "fresh" }), &claims))),
        ("alg none with a signature", world.with_header(&format!("{{\"alg\": \"none\", {ec}}}"))),
        ("alg twice", world.with_header(&format!("{{\"alg\": \"none\", \"alg\": \"ES256\", {ec}}}"))),
        ("alg unheard of", world.with_header(&format!("{{\"alg\": \"XS256\", {ec}}}"))),
        ("HS256 with the public key's DER", hs256("rsa", &claims, &der)),
        (
            "HS256 with the public key's modulus",
            hs256("rsa", &claims, world.rsa.jwk()["n"].as_str().unwrap().as_bytes()),
        ),
        ("HS256 with a symmetric key that is published", hs256("oct", &claims, b"secret")),
        ("HS256 with an empty key", hs256("fresh", &claims, b"")),
        ("RS256 on the EC key's id", world.with_header(&format!("{{\"alg\": \"RS256\", {ec}}}"))),
        ("ES384 on a P-256 key", world.with_header(&format!("{{\"alg\": \"ES384\", {ec}}}"))),
        ("ES256 on the RSA key's id", world.with_header("{\"alg\": \"ES256\", \"kid\": \"rsa\"}")),
        (
            "PS256 on a key pinned to RS256",
            world.rsa.sign(&json!({ "alg": "PS256", "kid": "rsa" }), &claims, &RSA_PSS_SHA256),
        ),
        (
            "RS256 on a key pinned to PS256",
            world.ps_only.sign(&json!({ "alg": "RS256", "kid": "ps-only" }), &claims, rs),
        ),
        ("a key whose private half is published", world.leaked.token(&claims)),
        ("a key for encryption", world.encryption.token(&claims)),
        ("kid is a path", world.with_header("{\"alg\": \"ES256\", \"kid\": \"../../../../dev/null\"}")),
        ("kid is SQL", world.with_header("{\"alg\": \"ES256\", \"kid\": \"' OR '1'='1\"}")),
        ("kid is a URL", world.with_header(&format!("{{\"alg\": \"ES256\", \"kid\": \"{attackers_jwks}\"}}"))),
        ("kid is empty", world.with_header("{\"alg\": \"ES256\", \"kid\": \"\"}")),
        ("kid is a number", world.with_header("{\"alg\": \"ES256\", \"kid\": 0}")),
        ("no kid", world.with_header("{\"alg\": \"ES256\"}")),
        ("kid twice", world.with_header("{\"alg\": \"ES256\", \"kid\": \"x\", \"kid\": \"fresh\"}")),
        (
            "jku leads to the attacker's keys",
            attackers.sign(&rsa_header(json!({ "jku": attackers_jwks })), &claims, rs),
        ),
        (
            "x5u leads to the attacker's certificate",
            attackers.sign(&rsa_header(json!({ "x5u": attackers_jwks })), &claims, rs),
        ),
        ("x5c is the attacker's certificate", attackers.sign(&rsa_header(json!({ "x5c": ["AAAA"] })), &claims, rs)),
        ("jwk is the attacker's key", attackers.sign(&rsa_header(json!({ "jwk": attackers.jwk() })), &claims, rs)),
        ("crit asks for what we do not know", world.rsa.sign(&rsa_header(json!({ "crit": ["exp"] })), &claims, rs)),
        ("crit asks for nothing", world.rsa.sign(&rsa_header(json!({ "crit": [] })), &claims, rs)),
        ("an unencoded payload", world.rsa.sign(&rsa_header(json!({ "crit": ["b64"], "b64": false })), &claims, rs)),
        ("compressed", world.rsa.sign(&rsa_header(json!({ "zip": "DEF" })), &claims, rs)),
        ("encrypted, it says", world.rsa.sign(&rsa_header(json!({ "enc": "A128GCM" })), &claims, rs)),
        ("a logout token", world.rsa.sign(&rsa_header(json!({ "typ": "logout+jwt" })), &claims, rs)),
        ("a DPoP proof", world.rsa.sign(&rsa_header(json!({ "typ": "dpop+jwt" })), &claims, rs)),
        (
            "an introspection response",
            world.rsa.sign(&rsa_header(json!({ "typ": "token-introspection+jwt" })), &claims, rs),
        ),
        ("claims that are a list", world.rsa.token(&json!([claims]))),
        ("iss of nobody", world.attacker.sign(&unknown_issuer).unwrap()),
        ("iss of nobody, signed with our key", world.signed("iss", json!(world.attacker.url()))),
        ("iss of another tenant", world.signed("iss", json!(world.other.issuer.url()))),
        ("iss with a slash more", world.signed("iss", json!(format!("{}/", world.school.issuer.url())))),
        ("iss in upper case", world.signed("iss", json!(world.school.issuer.url().to_uppercase()))),
        ("iss with a query", world.signed("iss", json!(format!("{}?", world.school.issuer.url())))),
        ("iss is the directory of tenants", world.signed("iss", json!("*"))),
        ("iss is a list", world.signed("iss", json!([world.school.issuer.url()]))),
        ("no iss", world.signed("iss", Value::Null)),
        ("aud of another service", world.signed("aud", json!("other"))),
        ("aud that begins like ours", world.signed("aud", json!("okd2"))),
        ("aud with a blank", world.signed("aud", json!("other okd"))),
        ("aud of nobody", world.signed("aud", json!([]))),
        ("aud is an object", world.signed("aud", json!({ "okd": true }))),
        ("no aud", world.signed("aud", Value::Null)),
        ("expired", world.school.issuer.sign(&expired).unwrap()),
        ("no exp", world.signed("exp", Value::Null)),
        ("exp is text", world.signed("exp", json!((now() + 600).to_string()))),
        ("exp is negative", world.signed("exp", json!(-1))),
        ("exp without end", world.signed("exp", json!(1e300))),
        ("not yet", world.signed("nbf", json!(now() + 120))),
        ("nbf is text", world.signed("nbf", json!("0"))),
        ("no client", world.signed("client_id", Value::Null)),
        ("a client without a name", world.signed("client_id", json!(""))),
        ("a client that is a number", world.signed("client_id", json!(7))),
        ("a client with a long name", world.signed("client_id", json!("x".repeat(257)))),
        ("two clients", world.signed("azp", json!("other"))),
        ("no aud, and a client that is called like ours", {
            let mut claims = claims.clone();
            claims.as_object_mut().unwrap().remove("aud");
            claims["client_id"] = json!("okd");
            world.school.issuer.sign(&claims).unwrap()
        }),
        ("aud is null", {
            let mut claims = claims.clone();
            claims["aud"] = Value::Null;
            world.school.issuer.sign(&claims).unwrap()
        }),
        ("an ID token of Cognito's", world.signed("token_use", json!("id"))),
        ("a refresh token, it says", world.signed("token_use", json!("refresh"))),
        ("token_use in a list", world.signed("token_use", json!(["access"]))),
        ("an ID token of Keycloak's", world.signed("typ", json!("ID"))),
        ("a refresh token of Keycloak's", world.signed("typ", json!("Refresh"))),
        ("an offline token of Keycloak's", world.signed("typ", json!("OFFLINE"))),
        ("a logout token of Keycloak's", world.signed("typ", json!("logout"))),
        (
            "bound to a certificate",
            world.signed("cnf", json!({ "x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0" })),
        ),
        ("bound to a DPoP key", world.signed("cnf", json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }))),
        ("bound to nothing", world.signed("cnf", json!({}))),
        ("over 8 KiB", world.signed("padding", json!("x".repeat(6000)))),
    ];
    let forbidden: Vec<(&str, Value)> = vec![
        ("no scope", Value::Null),
        ("a scope that begins like ours", json!("okd:alldocumentsx")),
        ("a scope that ends like ours", json!("xokd:alldocuments")),
        ("a part of our scope", json!("okd:all")),
        ("a scope in upper case", json!("OKD:ALLDOCUMENTS")),
        ("scopes with a comma", json!("okd:alldocuments,okd:examdocuments")),
        ("scopes with a tab", json!("okd:alldocuments\tokd:examdocuments")),
        ("a scope that is a key", json!({ "okd:alldocuments": true })),
        ("a scope in a list in a list", json!([["okd:alldocuments"]])),
        ("a scope for something else", json!("okd:studentinfo")),
        ("a scope for another type", json!("okd:bpvdocuments")),
    ];
    let good = offer(5).to_string();
    let mut rows: Vec<Row> = unauthenticated
        .into_iter()
        .map(|(name, token)| {
            Row::new(format!("token: {name}"), 401, "unauthenticated").bearer(&token).json(good.clone())
        })
        .collect();
    rows.extend(forbidden.into_iter().map(|(name, scope)| {
        let token = world.signed("scope", scope);
        Row::new(format!("scope: {name}"), 403, "missing-scope").bearer(&token).json(good.clone())
    }));
    let refused = |name: &str| Row::new(format!("authorization: {name}"), 401, "unauthenticated").json(good.clone());
    rows.extend([
        refused("none"),
        refused("Basic").header("authorization", "Basic dXNlcjpwYXNz"),
        refused("a bearer of nothing").header("authorization", "Bearer"),
        refused("a bearer of blanks").header("authorization", "Bearer   "),
        refused("no scheme").header("authorization", world.token.clone()),
        refused("a tab").header("authorization", format!("Bearer\t{}", world.token)),
        Row::new("authorization: over the gateway's 10 KB", 431, "").bearer(&"x".repeat(10_240)).json(good.clone()),
        refused("two tokens in one").header("authorization", format!("Bearer {0}, Bearer {0}", world.token)),
        refused("two, the last bad").bearer(&world.token).bearer("a.b.c"),
        refused("no ASCII").header("authorization", [b"Bearer \xff\xfe".to_vec()].concat()),
        refused("in the query").at("PUT", format!("{}?access_token={}", association(), world.token)),
        refused("in a cookie").header("cookie", format!("access_token={}", world.token)),
        refused("in X-Forwarded-Authorization").header("x-forwarded-authorization", format!("Bearer {}", world.token)),
    ]);
    rows
}

/// Forms.
fn forms(world: &World) -> Vec<Row> {
    const MEDIA: &str = "multipart/form-data; boundary=X";
    let meta = metadata().to_string();
    let part = |head: &str, body: &str| format!("--X\r\n{head}\r\n\r\n{body}\r\n");
    let disposition = |name: &str| format!("content-disposition: form-data; name=\"{name}\"");
    let good = part(&disposition("metadata"), &meta) + &part(&disposition("file"), "bytes");
    let end = "--X--\r\n";
    let row = |name: &str, status: u16, problem: &'static str, media: &str, body: String| {
        Row::new(format!("form: {name}"), status, problem).bearer(&world.token).body(media, body)
    };
    let m = part(&disposition("metadata"), &meta);
    let latin1 = format!("{}\r\ncontent-type: application/json; charset=iso-8859-1", disposition("metadata"));
    let latin1 =
        part(&latin1, &meta.replace("beoordeling", "beoordelinge\u{1}n")) + &part(&disposition("file"), "bytes") + end;
    let latin1: Vec<u8> = latin1.bytes().map(|byte| if byte == 1 { 0xeb } else { byte }).collect();
    let f = part(&disposition("file"), "bytes");
    let headers: String = (0..2000).map(|number| format!("x-{number}: y\r\n")).collect();
    let broken = |name: &str, body: String| row(name, 400, "malformed-form", MEDIA, body);
    let wrong = |name: &str, body: String| row(name, 422, "invalid-form", MEDIA, body);
    vec![
        row("no boundary", 400, "malformed-form", "multipart/form-data", good.clone() + end),
        row("an empty boundary", 400, "malformed-form", "multipart/form-data; boundary=", good.clone() + end),
        row("another boundary", 400, "malformed-form", "multipart/form-data; boundary=Y", good.clone() + end),
        row("another multipart", 415, "unsupported-media-type", "multipart/mixed; boundary=X", good.clone() + end),
        broken("no end", good.clone()),
        broken(
            "an end within a part",
            part(&disposition("metadata"), &meta) + "--X\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nbyt",
        ),
        broken("nothing", String::new()),
        broken("no part's head ends", format!("--X\r\n{}", disposition("metadata"))),
        broken("line feeds alone", (good.clone() + end).replace("\r\n", "\n")),
        broken("a head of 2,000 headers", part(&format!("{headers}{}", disposition("metadata")), &meta) + &f + end),
        broken(
            "a header of 1 MB",
            part(&format!("x: {}\r\n{}", "y".repeat(1 << 20), disposition("metadata")), &meta) + &f + end,
        ),
        wrong("no part", end.to_owned()),
        wrong("no metadata", f.clone() + end),
        wrong("no file", m.clone() + end),
        wrong("two metadata", m.clone() + &m + &f + end),
        wrong("two files", m.clone() + &f + &f + end),
        wrong("a third part", good.clone() + &part(&disposition("tenant"), "other") + end),
        wrong("1,000 parts", good.clone() + &part(&disposition("x"), "").repeat(1000) + end),
        wrong("1,000 metadata", m.repeat(1000) + end),
        wrong("a part without a name", part("content-disposition: form-data", "x") + end),
        wrong("a part without a disposition", part("content-type: text/plain", "x") + end),
        wrong(
            "names in upper case",
            part(&disposition("METADATA"), &meta) + &part(&disposition("FILE"), "bytes") + end,
        ),
        Row::new("form: metadata in Latin-1", 400, "malformed-json").bearer(&world.token).body(MEDIA, latin1),
        broken(
            "a name twice",
            m.clone() + &part("content-disposition: form-data; name=\"file\"; name=\"metadata\"", "bytes") + end,
        ),
        broken(
            "a name twice, in two cases",
            m.clone() + &part("content-disposition: form-data; name=file; NAME=metadata", "bytes") + end,
        ),
        broken(
            "a name and an extended name",
            m.clone() + &part("content-disposition: form-data; name=\"file\"; name*=utf-8''metadata", "bytes") + end,
        ),
        broken(
            "a name and a name in pieces",
            m.clone()
                + &part("content-disposition: form-data; name=\"file\"; name*0=\"meta\"; name*1=\"data\"", "bytes")
                + end,
        ),
        broken(
            "a type with a parameter twice",
            m.clone()
                + &part(&format!("{}\r\ncontent-type: text/plain; charset=a; charset=b", disposition("file")), "bytes")
                + end,
        ),
        broken(
            "quotes in a file name as they are",
            m.clone()
                + &part("content-disposition: form-data; name=\"file\"; filename=\"een \"a\".pdf\"", "bytes")
                + end,
        ),
        // The empty line's CRLF is the delimiter's too (RFC 2046, section 5.1.1): the next part is not this one's body.
        row(
            "a file without a body before the metadata",
            422,
            "empty-file",
            MEDIA,
            format!("--X\r\n{}\r\n\r\n", disposition("file")) + &m + end,
        ),
        broken("a file that begins with the boundary", m.clone() + &part(&disposition("file"), "--X\r\nbytes") + end),
        broken(
            "two dispositions",
            m.clone() + &part(&format!("{}\r\n{}", disposition("file"), disposition("metadata")), "bytes") + end,
        ),
        broken(
            "two types",
            m.clone()
                + &part(&format!("{}\r\ncontent-type: a/b\r\ncontent-type: c/d", disposition("file")), "bytes")
                + end,
        ),
        broken(
            "a quoted name that does not end",
            m.clone() + &part("content-disposition: form-data; name=\"file", "bytes") + end,
        ),
        broken(
            "a header that is none",
            m.clone() + &part(&format!("{}\r\nnonsense", disposition("file")), "bytes") + end,
        ),
        broken("a NUL in a head", m.clone() + &part(&format!("{}\r\nx: a\0b", disposition("file")), "bytes") + end),
        broken(
            "a line feed alone in a head",
            m.clone() + &part(&format!("{}\nx: y", disposition("file")), "bytes") + end,
        ),
        wrong(
            "a name that is a file's",
            m.clone() + &part("content-disposition: form-data; filename=\"x; name=file\"", "bytes") + end,
        ),
        wrong(
            "a part that is an attachment",
            m.clone() + &part("content-disposition: attachment; name=\"file\"", "bytes") + end,
        ),
        row(
            "a boundary twice",
            400,
            "malformed-form",
            "multipart/form-data; boundary=X; boundary=Y",
            good.clone() + end,
        ),
        row(
            "a boundary in quotes that do not end",
            400,
            "malformed-form",
            "multipart/form-data; boundary=\"X",
            good.clone() + end,
        ),
        row("the boundary in the preamble alone", 400, "malformed-form", MEDIA, "a form of --X parts\r\n".to_owned()),
        wrong(
            "a file in base64",
            m.clone()
                + &part(&format!("{}\r\ncontent-transfer-encoding: base64", disposition("file")), "Ynl0ZXM=")
                + end,
        ),
        wrong(
            "a file quoted-printable",
            m.clone()
                + &part(&format!("{}\r\ncontent-transfer-encoding: quoted-printable", disposition("file")), "=00")
                + end,
        ),
        row("an empty file", 422, "empty-file", MEDIA, m.clone() + &part(&disposition("file"), "") + end),
        row(
            "a form as metadata",
            400,
            "malformed-json",
            MEDIA,
            part(&disposition("metadata"), "--Y\r\n\r\n{}\r\n--Y--") + &f + end,
        ),
        row(
            "metadata that is no JSON",
            400,
            "malformed-json",
            MEDIA,
            part(&disposition("metadata"), "associationId=1") + &f + end,
        ),
        row(
            "the boundary inside the file",
            400,
            "malformed-form",
            MEDIA,
            m.clone() + &part(&disposition("file"), "bytes\r\n--X\r\nmore") + end,
        ),
        row(
            "the end inside the metadata",
            422,
            "invalid-form",
            MEDIA,
            part(&disposition("metadata"), "{\r\n--X--\r\n}") + &f + end,
        ),
        row(
            "a file over the limit",
            413,
            "file-too-large-inline",
            MEDIA,
            m.clone() + &part(&disposition("file"), &"x".repeat((4 << 20) + 1)) + end,
        ),
        row(
            "a body over the gateway's limit",
            413,
            "",
            MEDIA,
            m + &part(&disposition("file"), &"x".repeat(11 << 20)) + end,
        ),
    ]
}

/// Metadata, in form B.
fn documents(world: &World) -> Vec<Row> {
    let text = offer(5).to_string();
    let row = |name: &str, status: u16, problem: &'static str, body: Vec<u8>| {
        Row::new(format!("JSON: {name}"), status, problem).bearer(&world.token).json(body)
    };
    let malformed = |name: &str, body: &[u8]| row(name, 400, "malformed-json", body.to_vec());
    let invalid = |name: &str, body: String| row(name, 422, "invalid-metadata", body.into_bytes());
    let sized = |size: &str| text.replace("\"documentSize\":5", &format!("\"documentSize\":{size}"));
    let named = |name: &str| text.replace("\"beoordeling-100245.pdf\"", name);
    let sum = |sum: Value| with(&offer(5), "documentChecksum", sum).to_string();
    let raw = |field: &str| text.replacen('{', &format!("{{{field},"), 1);
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16_be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let utf32: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    vec![
        malformed("nothing", b""),
        malformed("a blank", b" "),
        malformed("a word", b"hello"),
        malformed("cut short", &text.as_bytes()[..text.len() - 1]),
        malformed("more behind it", format!("{text}{text}").as_bytes()),
        malformed("a comma at the end", text.replace("}]}", "},]}").as_bytes()),
        malformed("a comment", format!("/* x */{text}").as_bytes()),
        malformed("single quotes", text.replace('"', "'").as_bytes()),
        malformed("NaN", sized("NaN").as_bytes()),
        malformed("Infinity", sized("Infinity").as_bytes()),
        malformed("a number with a plus", sized("+5").as_bytes()),
        malformed("a number with a zero in front", sized("05").as_bytes()),
        malformed("a hexadecimal number", sized("0x5").as_bytes()),
        malformed("a lone surrogate", named("\"\\ud800.pdf\"").as_bytes()),
        malformed("surrogates the wrong way round", named("\"\\udc00\\ud800.pdf\"").as_bytes()),
        malformed("a line feed in a text", named("\"a\nb.pdf\"").as_bytes()),
        malformed("a NUL in a text", named("\"a\0b.pdf\"").as_bytes()),
        malformed("a byte that is not UTF-8", &[text.as_bytes(), b"\xff"].concat()),
        malformed("an overlong slash", named("\"a\u{1}b\"").replace('\u{1}', "\\xc0\\xaf").as_bytes()),
        malformed("UTF-16", &utf16),
        malformed("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0"),
        row("100,000 levels", 413, "metadata-too-large", vec![b'['; 100_000]),
        row("60,000 levels", 422, "invalid-metadata", vec![b'['; 60_000]),
        invalid("33 levels", raw(&format!("\"x\":{}1{}", "[".repeat(33), "]".repeat(33)))),
        row("65 KiB", 413, "metadata-too-large", raw(&format!("\"x\":\"{}\"", "y".repeat(65 << 10))).into_bytes()),
        invalid("a list", format!("[{text}]")),
        invalid("null", "null".to_owned()),
        invalid("a key twice", raw(&format!("\"associationId\":\"{OFFERING}\""))),
        invalid("a consumer's key twice", text.replace("\"documentSize\":5", "\"documentSize\":5,\"documentSize\":6")),
        invalid("a key twice, once escaped", raw(&format!("\"associationI\\u0064\":\"{OFFERING}\""))),
        invalid("another association", text.replace(ASSOCIATION, OFFERING)),
        invalid("an association that is a number", text.replace(&format!("\"{ASSOCIATION}\""), "5")),
        malformed("UTF-16, big end first", &utf16_be),
        malformed("UTF-32", &utf32),
        malformed("two byte order marks", format!("\u{feff}\u{feff}{text}").as_bytes()),
        invalid("two nl-okd consumers", text.replace("\"consumers\":[", "\"consumers\":[{\"consumerKey\":\"nl-okd\",\"documentType\":\"bpv\",\"documentName\":\"a\"},")),
        invalid("a person that is a number", raw("\"person\":5")),
        invalid("no documentSize", metadata().to_string()),
        invalid("size 0", sized("0")),
        invalid("size -1", sized("-1")),
        invalid("size -0", sized("-0.0")),
        invalid("size 1.5", sized("1.5")),
        invalid("size \"10\"", sized("\"10\"")),
        invalid("size null", sized("null")),
        invalid("size true", sized("true")),
        invalid("size [5]", sized("[5]")),
        invalid("size -1e400", sized("-1e400")),
        row("size 2^64", 413, "document-too-large", sized("18446744073709551616").into_bytes()),
        row("size 1e400", 413, "document-too-large", sized("1e400").into_bytes()),
        row("size 1073741825.0", 413, "document-too-large", sized("1073741825.0").into_bytes()),
        row("size 2^63", 413, "document-too-large", sized("9223372036854775808").into_bytes()),
        row("size 1 GiB + 1", 413, "document-too-large", sized("1073741825").into_bytes()),
        invalid("a checksum that is a number", sum(json!(5))),
        invalid("a checksum without its algorithm", sum(json!("827ccb0eea8a706c4c34a16891f84e7b"))),
        invalid("an MD5", sum(json!("md5:827ccb0eea8a706c4c34a16891f84e7b"))),
        invalid("a SHA-256 too short", sum(json!("sha-256:00"))),
        invalid("a SHA-256 too long", sum(json!(format!("sha-256:{}", "0".repeat(65))))),
        invalid("a SHA-256 of other digits", sum(json!(format!("sha-256:{}", "g".repeat(64))))),
        invalid("an empty type", with(&offer(5), "documentType", json!("")).to_string()),
        invalid("a format that is none", with(&offer(5), "format", json!("pdf")).to_string()),
        invalid("a format that breaks a header", with(&offer(5), "format", json!("a/b\r\nx: y")).to_string()),
        invalid("consumers that contradict each other", text.replace("\"consumers\":[", "\"consumers\":[{\"consumerKey\":\"nl-okd\",\"examCode\":\"1\"},{\"consumerKey\":\"nl-okd\",\"examCode\":\"2\"},")),
        invalid("a consumer that is a second document", raw("\"consumer\":{\"consumerKey\":\"nl-okd\",\"documentId\":\"other\"}")),
        invalid("a person beside another's id", raw("\"person\":\"p1\",\"personId\":\"p2\"")),
        invalid("an expanded person beside another's id", raw("\"person\":{\"personId\":\"p1\"},\"personId\":\"p2\"")),
        invalid("an offering beside another's id", raw("\"offering\":\"o1\",\"offeringId\":\"o2\"")),
        invalid(
            "a person with another student's number",
            raw("\"person\":{\"personId\":\"p1\",\"primaryCode\":{\"codeType\":\"studentNumber\",\"code\":\"1\"}}")
                .replace("\"documentSize\":5", "\"documentSize\":5,\"studentNumber\":\"2\""),
        ),
        invalid(
            "another association around a wrapped one",
            format!("{{\"associationId\":\"{OFFERING}\",\"association\":{text}}}"),
        ),
        invalid("another association inside", raw(&format!("\"association\":\"{OFFERING}\""))),
        invalid("another expanded association inside", raw(&format!("\"association\":{{\"associationId\":\"{OFFERING}\"}}"))),
        invalid("a person around a wrapped association", format!("{{\"personId\":\"p1\",\"association\":{text}}}")),
        invalid("a range of media types", text.replace("\"documentSize\":5", "\"documentSize\":5,\"format\":\"*/*\"")),
        invalid("an offering, it says", text.replace("associationId", "x").replace("associationType", "offeringType")),
        invalid("a name that is a number", named("5")),
        invalid("a name of 5,000 letters", named(&format!("\"{}\"", "a".repeat(5000)))),
        invalid("a documentId of 5,000 letters", with(&offer(5), "documentId", json!("a".repeat(5000))).to_string()),
        invalid("an unheard-of type", with(&offer(5), "documentType", json!("diploma")).to_string()),
        invalid("a date that is none", with(&offer(5), "examDate", json!("2026-02-30")).to_string()),
    ]
}

/// Paths and headers.
fn paths(world: &World) -> Vec<Row> {
    let row = |name: &str, status: u16, problem: &'static str, method: &'static str, path: String| {
        Row::new(format!("path: {name}"), status, problem)
            .bearer(&world.token)
            .json(offer(5).to_string())
            .at(method, path)
    };
    let nowhere = |name: &str, method: &'static str, path: String| row(name, 404, "no-such-route", method, path);
    let no_id = |name: &str, id: &str| row(name, 400, "invalid-id", "PUT", format!("/okd/v1/associations/{id}"));
    let header = |name: &str, status: u16, problem: &'static str| {
        Row::new(format!("header: {name}"), status, problem).bearer(&world.token)
    };
    let good = offer(5).to_string();
    let keyless = support::sender::without(&offer(5), "documentId").to_string();
    let upload = format!("/okd/v1/documents/{OFFERING}/upload");
    // What proxies add and what is for the next hop only: whatever it says, the service answers.
    let of_the_way = [
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-proto", "a b"),
        ("x-forwarded-proto", ""),
        ("x-forwarded-host", "http://["),
        ("x-forwarded-port", "99999, -1"),
        ("x-forwarded-for", "[::1, unknown"),
        ("forwarded", "for=\"[::1\";proto=a b;host="),
        ("via", "1.1 \u{e9}"),
        ("te", "trailers, x"),
        ("trailer", "content-length"),
        ("proxy-authorization", "Basic x"),
        ("keep-alive", "timeout=-1"),
        ("x-amzn-trace-id", "Root=\u{e9};;="),
        ("x-amz-cf-id", "\""),
    ];
    let of_the_way = of_the_way.map(|(name, value)| {
        header(&format!("{name}: {value}"), 415, "unsupported-media-type")
            .header(name, value)
            .body("text/plain", good.clone())
    });
    vec![
        header("a second host", 403, "").header("host", "evil.example"),
        nowhere("nothing", "PUT", "/".to_owned()),
        nowhere("another version", "PUT", format!("/okd/v2/associations/{ASSOCIATION}")),
        nowhere("in upper case", "PUT", format!("/OKD/v1/associations/{ASSOCIATION}")),
        nowhere("dot segments", "PUT", format!("/okd/v1/../v1/associations/{ASSOCIATION}")),
        nowhere("encoded dot segments", "PUT", format!("/okd/v1/%2e%2e/v1/associations/{ASSOCIATION}")),
        nowhere("a slash twice", "PUT", format!("/okd/v1//associations/{ASSOCIATION}")),
        nowhere("a slash at the end", "PUT", format!("/okd/v1/associations/{ASSOCIATION}/")),
        nowhere("no id", "PUT", "/okd/v1/associations/".to_owned()),
        nowhere("a parameter in the path", "PUT", format!("/okd/v1;x=y/associations/{ASSOCIATION}")),
        row("a status message", 501, "not-implemented", "PATCH", association()),
        row("GET where it is PUT", 405, "method-not-allowed", "GET", association()),
        row("DELETE where it is PUT", 405, "method-not-allowed", "DELETE", association()),
        row("PUT where it is POST", 405, "method-not-allowed", "PUT", format!("{upload}/complete")),
        nowhere("TRACE", "TRACE", association()),
        nowhere("a method of ours", "OKD", association()),
        no_id("an encoded slash", &format!("{ASSOCIATION}%2F..")),
        no_id("an encoded NUL", &format!("{ASSOCIATION}%00")),
        no_id("an encoded line feed", &format!("{ASSOCIATION}%0d%0ax-y:z")),
        no_id("a UUID in braces", &format!("%7B{ASSOCIATION}%7D")),
        no_id("a UUID as a URN", &format!("urn:uuid:{ASSOCIATION}")),
        no_id("a UUID without hyphens", &ASSOCIATION.replace('-', "")),
        no_id("a UUID of other digits", "%EF%BC%91%EF%BC%92%EF%BC%93e4567-e89b-12d3-a456-426614174000"),
        no_id("an encoded slash for a hyphen", &ASSOCIATION.replace('-', "%2F")),
        no_id("a hyphen encoded twice", &ASSOCIATION.replace('-', "%252D")),
        no_id("a UUID and a blank", &format!("{ASSOCIATION}%20")),
        no_id("a wildcard", "*"),
        no_id("a long id", &"a".repeat(4000)),
        row("an upload that is a path", 400, "invalid-id", "GET", format!("{upload}?upload=../../x")),
        row("an upload that is empty", 400, "invalid-id", "GET", format!("{upload}?upload=")),
        row("nobody's document", 404, "no-such-document", "GET", upload.clone()),
        row(
            "nobody's document, in upper case",
            404,
            "no-such-document",
            "GET",
            upload.to_uppercase().replace("/OKD/V1/DOCUMENTS/", "/okd/v1/documents/").replace("/UPLOAD", "/upload"),
        ),
        row("nobody's document, completed", 404, "no-such-document", "POST", format!("{upload}/complete")),
        row("nobody's document, aborted", 404, "no-such-document", "DELETE", upload),
        header("no Content-Type", 415, "unsupported-media-type").header("x", "y"),
        header("text/plain", 415, "unsupported-media-type").body("text/plain", good.clone()),
        header("a type that begins like JSON", 415, "unsupported-media-type").body("application/jsonx", good.clone()),
        header("a body in gzip, it says", 415, "unsupported-media-type")
            .header("content-encoding", "gzip")
            .json(good.clone()),
        header("a body in identity and gzip", 415, "unsupported-media-type")
            .header("content-encoding", "identity")
            .header("content-encoding", "gzip")
            .json(good.clone()),
        header("form fields", 415, "unsupported-media-type").body("application/x-www-form-urlencoded", "a=b"),
        header("a Content-Type that is no ASCII", 415, "unsupported-media-type")
            .body("application/js\u{f6}n", good.clone()),
        header("an Idempotency-Key of nothing", 400, "invalid-idempotency-key")
            .header("idempotency-key", "")
            .json(keyless.clone()),
        header("a long Idempotency-Key", 400, "invalid-idempotency-key")
            .header("idempotency-key", "x".repeat(256))
            .json(keyless.clone()),
        header("an Idempotency-Key that is no ASCII", 400, "invalid-idempotency-key")
            .header("idempotency-key", "\u{f6}")
            .json(keyless),
        header("another method, it says", 405, "method-not-allowed")
            .at("GET", association())
            .header("x-http-method-override", "PUT")
            .json(good.clone()),
        header("20 KB of headers", 431, "").header("x", "y".repeat(20_000)).json(good.clone()),
        header("a length twice", 400, "").header("content-length", "3").json(good.clone()),
        header("chunked and with a length", 400, "").header("transfer-encoding", "chunked").json(good),
    ]
    .into_iter()
    .chain(of_the_way)
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_hostile_is_sent_it_is_refused_as_it_should_be_and_the_stores_stay_empty() {
    let world = World::new().await;
    let mut rows = tokens(&world);
    rows.extend(forms(&world));
    rows.extend(documents(&world));
    rows.extend(paths(&world));
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

//! Forged, stolen and foreign tokens.

#![expect(clippy::too_many_lines, reason = "it is a table")]

use super::{Row, World, now};
use crate::rsa::{Rsa, hs256, unsigned};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde_json::{Value, json};
use support::sender::{association, offer};

/// Tokens, each on a request that is otherwise good.
pub(super) fn rows(world: &World) -> Vec<Row> {
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

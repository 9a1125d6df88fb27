//! Tests of an issuer's keys.

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::*;

fn ec(more: &Value) -> Value {
    // RFC 7515, appendix A.3.
    let mut key = json!({
        "kty": "EC", "crv": "P-256", "kid": "1",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        key[name] = value.clone();
    }
    key
}

fn rsa(bits: usize) -> Value {
    rsa_of(&vec![0xff; bits / 8], "AQAB")
}

fn rsa_of(modulus: &[u8], e: &str) -> Value {
    json!({ "kty": "RSA", "kid": "1", "n": BASE64URL.encode(modulus), "e": e })
}

#[test]
fn a_key_signs_by_its_type_and_its_alg_if_it_is_for_signatures() {
    let algorithms = |value: &Value| key(value).map(|key| key.algorithms);
    assert_eq!(algorithms(&ec(&json!({}))), Some(vec![Algorithm::ES256]));
    assert_eq!(algorithms(&ec(&json!({ "use": "sig", "alg": "ES256" }))), Some(vec![Algorithm::ES256]));
    assert_eq!(algorithms(&rsa(2048)).unwrap().len(), 6);
    for unusable in [
        ec(&json!({ "use": "enc" })),
        ec(&json!({ "key_ops": ["sign"] })),
        ec(&json!({ "alg": "ES384" })),
        ec(&json!({ "alg": "HS256" })),
        ec(&json!({ "d": "AAAA" })),
        ec(&json!({ "crv": "P-384" })),
        // Not on the curve; of the wrong length; nothing.
        ec(&json!({ "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1" })),
        ec(&json!({ "x": "AAA" })),
        ec(&json!({ "x": "", "y": "" })),
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": "1", "x": "AAAA" }),
        json!({ "kty": "oct", "kid": "1", "k": "c2VjcmV0" }),
        json!({ "kty": "unheard-of", "kid": "1" }),
        rsa(1024),
        rsa(16_384),
        // Even; nothing; as long as 2,048 bits by its zeros alone.
        rsa_of(&[0xfe; 256], "AQAB"),
        rsa_of(&[], "AQAB"),
        rsa_of(&[&[0; 128][..], &[0xff; 128]].concat(), "AQAB"),
        // Exponents: nothing, 0, 1, even.
        rsa_of(&[0xff; 256], ""),
        rsa_of(&[0xff; 256], "AA"),
        rsa_of(&[0xff; 256], "AQ"),
        rsa_of(&[0xff; 256], "AQAA"),
        rsa_of(&[0xff; 256], "no base64"),
    ] {
        assert_eq!(algorithms(&unusable), None, "{unusable}");
    }
}

#[test]
fn rsa_keys_have_2048_to_8192_bits() {
    let has_bits = |bits: usize| key(&rsa(bits)).is_some();
    assert_eq!([2040, 2048, 2056, 8192, 8200].map(has_bits), [false, true, true, true, false]);
    let modulus = |first: u8| rsa_of(&[&[first][..], &[0xff; 255]].concat(), "AQAB");
    assert!(key(&modulus(0x80)).is_some());
    assert!(key(&modulus(0x7f)).is_none(), "2,047 bits");
    for (bytes, expected) in [(&[][..], 0), (&[0], 0), (&[1], 1), (&[0x80], 8), (&[0, 3, 0], 10), (&[1, 0, 0], 17)] {
        assert_eq!(bits(&BASE64URL.encode(bytes)), expected, "{bytes:?}");
    }
}

#[test]
fn keys_on_other_curves_sign_by_their_own_algorithms() {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(48);
    let p384 = json!({ "kty": "EC", "crv": "P-384", "x": BASE64URL.encode(x), "y": BASE64URL.encode(y) });
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let ed25519 = json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode(ed25519.public_key().as_ref()) });
    let algorithms = |value: &Value| key(value).map(|key| key.algorithms);
    assert_eq!(algorithms(&p384), Some(vec![Algorithm::ES384]));
    assert_eq!(algorithms(&ed25519), Some(vec![Algorithm::EdDSA]));
    let mut on_no_curve_of_its_type = ed25519;
    on_no_curve_of_its_type["crv"] = json!("P-256");
    assert_eq!(algorithms(&on_no_curve_of_its_type), None);
    let mut off_the_curve = p384;
    off_the_curve["y"] = off_the_curve["x"].clone();
    assert_eq!(algorithms(&off_the_curve), None);
}

#[test]
fn keys_are_fetched_again_after_five_minutes_but_not_within_one_of_a_failure() {
    let seconds_ago = |seconds: Option<i64>| seconds.map(|seconds| 10_000_000 - seconds * 1000);
    for (fetched, failed, due) in [
        (None, None, true),
        (Some(299), None, false),
        (Some(300), None, true),
        (Some(300), Some(59), false),
        (Some(300), Some(60), true),
        (Some(299), Some(60), false),
        (None, Some(59), false),
    ] {
        let keys =
            StoredKeys { fetched_at: seconds_ago(fetched), failed_at: seconds_ago(failed), ..StoredKeys::default() };
        assert_eq!(is_due(&keys, at(10_000_000)), due, "{fetched:?} {failed:?}");
    }
}

#[test]
fn an_operator_is_told_how_many_keys_his_tenant_s_tokens_can_be_checked_with() {
    let issuer = "https://login.example".to_owned().try_into().unwrap();
    let tenant = Tenant::new("school".to_owned().try_into().unwrap(), issuer, Vec::new());
    let only_ec = Tenant { algorithms: vec!["ES256".parse().unwrap()], ..tenant.clone() };
    let nameless = ec(&json!({ "kid": null }));
    let set = json!({ "keys": [rsa(2048), rsa(1024), ec(&json!({})), nameless] }).to_string();
    assert_eq!(count(&tenant, &set).unwrap(), KeyCount { usable: 2, without_id: 1 });
    assert_eq!(count(&only_ec, &set).unwrap(), KeyCount { usable: 1, without_id: 1 });
    assert!(count(&tenant, "[]").is_err());
}

#[test]
fn of_a_set_only_the_usable_keys_are_stored() {
    let set = json!({ "keys": [rsa(1024), ec(&json!({})), { "kty": "oct", "k": "AA" }], "more": 1 }).to_string();
    let stored = usable(set.as_bytes()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), json!({ "keys": [ec(&json!({}))] }));
}

#[test]
fn zeros_in_front_of_an_rsa_keys_numbers_change_nothing() {
    let javas = rsa_of(&[&[0][..], &[0xff; 256]].concat(), "AAEAAQ");
    assert_eq!(key(&javas).unwrap().algorithms.len(), 6);
    assert_eq!(without_leading_zeros("AAEAAQ").as_deref(), Some("AQAB"));
    assert_eq!(without_leading_zeros("AAAA"), None);
}

fn known(keys: &Value, times: &Value) -> Keys {
    let mut stored = times.clone();
    stored["jwks"] = json!(json!({ "keys": keys }).to_string());
    Keys::from(serde_json::from_value::<StoredKeys>(stored).unwrap())
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap()
}

#[test]
fn a_key_without_an_id_is_known_but_never_found() {
    let find = |keys: &Value, id: &str, algorithm| {
        let known = known(keys, &json!({ "fetchedAt": 1, "askedAt": 1 }));
        known.find(id, algorithm, at(1))
    };
    let nameless = ec(&json!({ "kid": null }));
    let of_nameless = find(&json!([nameless]), "", Algorithm::ES256);
    assert!(matches!(of_nameless, Found::WithoutIds));
    let keys = json!([nameless, rsa(2048)]);
    assert!(matches!(find(&keys, "2", Algorithm::RS256), Found::Nothing));
    assert!(matches!(find(&keys, "1", Algorithm::RS256), Found::Key(_)));
    assert!(matches!(find(&json!([]), "1", Algorithm::RS256), Found::Nothing));
}

#[test]
fn keys_serve_15_minutes_and_a_day_while_their_issuer_is_down() {
    let minute = 60_000;
    let keys = json!([ec(&json!({}))]);
    // Minutes before now at which they were fetched and a fetch failed; whether they serve.
    for (fetched, failed, serves) in [
        (0, None, true),
        (14, None, true),
        (15, None, false),
        (16, Some(1), true),
        (16, Some(15), false),
        (24 * 60 - 1, Some(1), true),
        (24 * 60, Some(1), false),
        // The clock has been set back since.
        (-1, None, true),
    ] {
        let now = 10_000 * minute;
        let times = json!({
            "fetchedAt": now - fetched * minute,
            "failedAt": failed.map(|failed| now - failed * minute),
        });
        let found = known(&keys, &times).find("1", Algorithm::ES256, at(now));
        let found = matches!(found, Found::Key(_));
        assert_eq!(found, serves, "{fetched} {failed:?}");
    }
}

#[test]
fn a_key_that_is_not_known_is_asked_for_once_in_30_seconds_and_by_one() {
    let keys = json!([ec(&json!({}))]);
    let find = |times: Value, now: i64| {
        let known = known(&keys, &times);
        known.find("another", Algorithm::ES256, at(now))
    };
    let asked = |more: Value| {
        let mut times = json!({ "fetchedAt": 1000, "askedAt": 500_000 });
        for (name, value) in more.as_object().unwrap() {
            times[name] = value.clone();
        }
        times
    };
    assert!(matches!(find(json!({ "fetchedAt": 1000 }), 2000), Found::Ask));
    // Another process is asking...
    assert!(matches!(find(asked(json!({})), 500_001), Found::Ask));
    // ...has been told that there is no such key...
    let told = asked(json!({ "fetchedAt": 500_000 }));
    assert!(matches!(find(told.clone(), 529_999), Found::Nothing));
    assert!(matches!(find(told, 530_000), Found::Ask));
    // ...or nothing.
    let failed = asked(json!({ "failedAt": 500_000 }));
    assert!(matches!(find(failed.clone(), 529_999), Found::Unavailable));
    assert!(matches!(find(failed, 530_000), Found::Ask));
}

#[test]
fn what_is_odd_in_a_set_does_not_keep_us_from_the_rest() {
    let set = json!({ "keys": [null, "x", { "kty": "RSA" }, { "kty": "RSA", "use": "enc", "alg": "RSA-OAEP" }, ec(&json!({}))] });
    assert_eq!(parse(set.to_string().as_bytes()).unwrap().len(), 1);
    for none in [r#"{"keys": []}"#, r#"{"keys": [{"kty": "oct", "k": "AA", "kid": "1"}]}"#] {
        assert_eq!(parse(none.as_bytes()).unwrap().len(), 0, "{none}");
    }
    for nonsense in ["", "[]", "{}", r#"{"keys": {}}"#] {
        assert!(parse(nonsense.as_bytes()).is_err(), "{nonsense}");
    }
}

//! No bytes hold as a token but those that were signed.

use proptest::prelude::*;

use super::*;

/// A good token.
static GOOD: LazyLock<String> = LazyLock::new(|| SIGNER.sign(&good_claims()));

/// All of a token's way but for what is asked of others; whether it holds.
fn holds(authorization: &str) -> bool {
    let Ok(token) = bearer(Some(authorization)) else {
        return false;
    };
    let Ok(unverified) = insecure_decode::<Unverified>(token) else {
        return false;
    };
    let issuer = unverified.claims.iss.map(Issuer::try_from);
    if check_kind(&unverified.header).is_err() || issuer.is_none_or(|issuer| issuer.is_err()) {
        return false;
    }
    let Ok(claims) = verify(token, &SIGNER.key, &tenant()) else {
        return false;
    };
    token_id(&claims);
    if check_use(&claims).is_err() {
        return false;
    }
    Scopes::of(scopes(&claims, &tenant())).is_some() && client(&claims, &tenant()).is_ok()
}

proptest! {
    #[test]
    fn no_token_holds_but_the_one_that_was_signed(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, "[A-Za-z0-9_.=-]{0,4}"), 1..4)
    ) {
        let good = format!("Bearer {}", *GOOD);
        prop_assert!(holds(&good));
        let mut edited = good.clone();
        for (at, removed, piece) in edits {
            let at = at.index(edited.len() + 1);
            let end = (at + removed).min(edited.len());
            edited.replace_range(at..end, &piece);
        }
        let same = edited.split_once(' ').is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && token.trim() == *GOOD);
        prop_assert_eq!(holds(&edited), same, "{}", edited);
    }

    #[test]
    fn whatever_comes_as_a_token_is_refused(
        header in any_json(), claims in any_json(), signature in prop::collection::vec(any::<u8>(), 0..80)
    ) {
        let part = |bytes: &[u8]| BASE64URL.encode(bytes);
        let token = format!("Bearer {}.{}.{}", part(header.as_bytes()), part(claims.as_bytes()), part(&signature));
        prop_assert!(!holds(&token));
    }

    #[test]
    fn whatever_comes_as_a_key_set_is_read_or_refused(text in any_json()) {
        let _ = keys::parse(text.as_bytes());
    }
}

/// Objects of the members that tokens and keys have, with values that they should not.
fn any_json() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "alg",
        "kid",
        "typ",
        "crit",
        "jwk",
        "x5c",
        "zip",
        "iss",
        "aud",
        "exp",
        "nbf",
        "token_use",
        "cnf",
        "scope",
        "client_id",
        "keys",
        "kty",
        "use",
        "key_ops",
        "n",
        "e",
        "x",
        "y",
        "crv",
        "d",
    ]);
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(-1)),
        Just(json!(1e300)),
        Just(json!("")),
        "[ -~]{0,12}".prop_map(|text| json!(text)),
        prop::sample::select(vec!["ES256", "none", "HS256", "1", "EC", "RSA", "oct", "OKP", "P-256", "sig", "AQAB"])
            .prop_map(|text| json!(text)),
    ];
    let value = leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((name.clone(), inner), 0..8)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    });
    prop_oneof![8 => value.prop_map(|value| value.to_string()), 1 => ".{0,40}"]
}

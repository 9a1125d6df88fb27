//! Rules of a token's header and claims, one after the other as they are asked.

use super::*;

/// The fault, or what was found, in a word.
fn outcome<T>(found: Result<T, TokenFault>) -> String {
    found.map_or_else(|fault| format!("{fault:?}"), |_| "good".to_owned())
}

#[test]
fn a_bearer_token_has_at_most_8_kib() {
    let of = |size: usize| format!("Bearer {}", "x".repeat(size));
    let found = |header: Option<&str>| bearer(header).map(str::to_owned);
    assert_eq!(found(Some("bEARER  abc ")), Ok("abc".to_owned()));
    assert_eq!(found(Some(&of(8192))), Ok("x".repeat(8192)));
    assert_eq!(found(Some(&of(8193))), Err(TokenFault::Malformed));
    assert_eq!(found(Some(&of(9000))), Err(TokenFault::Malformed));
    for missing in [None, Some(""), Some("Bearer"), Some("Basic abc"), Some("abc")] {
        assert_eq!(found(missing), Err(TokenFault::Missing), "{missing:?}");
    }
}

#[test]
fn only_an_access_token_without_extensions_is_read_on() {
    for (header, good) in [
        (json!({}), true),
        (json!({ "typ": "JWT" }), true),
        (json!({ "typ": "at+jwt" }), true),
        (json!({ "typ": "application/AT+JWT" }), true),
        (json!({ "typ": "id+jwt" }), false),
        (json!({ "typ": "" }), false),
        (json!({ "crit": ["exp"] }), false),
        (json!({ "zip": "DEF" }), false),
        (json!({ "enc": "A128GCM" }), false),
    ] {
        let mut whole = header.clone();
        whole["alg"] = json!("ES256");
        let parsed: Header = serde_json::from_value(whole).unwrap();
        assert_eq!(check_kind(&parsed).is_ok(), good, "{header}");
    }
}

#[test]
fn a_token_that_its_issuer_made_for_something_else_is_refused() {
    for (claims, expected) in [
        (json!({}), "good"),
        (json!({ "token_use": "access", "typ": "Bearer" }), "good"),
        (json!({ "token_use": "id" }), "NotForAccess(\"token_use\")"),
        (json!({ "typ": "ID" }), "NotForAccess(\"typ\")"),
        (json!({ "typ": "Refresh" }), "NotForAccess(\"typ\")"),
        (json!({ "cnf": { "jkt": "x" } }), "Bound"),
    ] {
        assert_eq!(outcome(check_use(&claims_with(&claims))), expected, "{claims}");
    }
    let nulls = json!({ "token_use": null, "typ": null, "cnf": null });
    assert_eq!(check_use(nulls.as_object().unwrap()), Ok(()), "null says nothing");
}

#[test]
fn a_signed_token_is_refused_by_the_first_claim_that_does_not_hold() {
    let now = Timestamp::now().as_second();
    for (claims, expected) in [
        (json!({}), "good"),
        (json!({ "exp": now - 30 }), "good"),
        (json!({ "exp": now - 90 }), "Expired"),
        (json!({ "exp": null }), "Claim(\"exp\")"),
        (json!({ "exp": "tomorrow" }), "Claim(\"exp\")"),
        (json!({ "nbf": now + 30 }), "good"),
        (json!({ "nbf": now + 90 }), "NotYetValid"),
        (json!({ "iss": "https://login.other" }), "Issuer"),
        (json!({ "iss": null }), "Claim(\"iss\")"),
        (json!({ "aud": ["other", "okd"] }), "good"),
        (json!({ "aud": "other" }), "Audience"),
        (json!({ "aud": null }), "Claim(\"aud\")"),
    ] {
        let token = SIGNER.sign(&Value::Object(claims_with(&claims)));
        assert_eq!(outcome(verify(&token, &SIGNER.key, &tenant())), expected, "{claims}");
    }
    let token = SIGNER.sign(&good_claims());
    let only_rsa = Tenant { algorithms: vec!["RS256".parse().unwrap()], ..tenant() };
    assert_eq!(outcome(verify(&token, &SIGNER.key, &only_rsa)), "Signature");
    assert!(tenant().accepts(Algorithm::ES256) && !only_rsa.accepts(Algorithm::ES256));
    assert!(!tenant().accepts(Algorithm::HS256));
    let other_claims = SIGNER.sign(&json!({ "iss": "https://login.example" }));
    let (head, _) = token.rsplit_once('.').unwrap();
    let (_, other_signature) = other_claims.rsplit_once('.').unwrap();
    assert_eq!(outcome(verify(&format!("{head}.{other_signature}"), &SIGNER.key, &tenant())), "Signature");
    assert_eq!(outcome(verify("a.b", &SIGNER.key, &tenant())), "Malformed");
}

#[test]
fn a_token_without_an_audience_is_for_the_tenant_that_its_client_names_where_that_says_so() {
    let by_client =
        Tenant { client_as_audience: true, audiences: vec!["okd".to_owned(), "sis".to_owned()], ..tenant() };
    for (tenant, claims, expected) in [
        (&by_client, json!({ "aud": null }), "good"),
        (&by_client, json!({ "aud": null, "client_id": "other" }), "Audience"),
        (&by_client, json!({ "aud": null, "client_id": null }), "Audience"),
        (&by_client, json!({}), "good"),
        (&by_client, json!({ "client_id": "other" }), "good"),
        (&by_client, json!({ "aud": "other" }), "Audience"),
        (&tenant(), json!({ "aud": null }), "Claim(\"aud\")"),
    ] {
        let token = SIGNER.sign(&Value::Object(claims_with(&claims)));
        assert_eq!(outcome(verify(&token, &SIGNER.key, tenant)), expected, "{claims}");
    }
}

#[test]
fn the_tenant_of_a_token_is_the_one_whose_audience_it_has() {
    let named = |name: &str, audience: &str, client_as_audience| Tenant {
        tenant: name.to_owned().try_into().unwrap(),
        audiences: vec![audience.to_owned()],
        client_as_audience,
        ..tenant()
    };
    let two = || vec![named("one", "a", false), named("two", "b", false)];
    let cognito = || vec![named("one", "sis", true), named("two", "b", false)];
    for (tenants, claims, expected) in [
        (vec![], json!({ "aud": "a" }), "Issuer"),
        (two(), json!({ "aud": "a" }), "one"),
        (two(), json!({ "aud": ["x", "b"] }), "two"),
        (two(), json!({ "aud": "x" }), "Audience"),
        (two(), json!({ "aud": ["a", "b"] }), "SeveralTenants"),
        (two(), json!({}), "Audience"),
        (two(), json!({ "client_id": "a" }), "Audience"),
        (cognito(), json!({ "client_id": "sis" }), "one"),
        (cognito(), json!({ "client_id": "other" }), "Audience"),
        (cognito(), json!({ "client_id": "b" }), "Audience"),
        (cognito(), json!({ "aud": "b", "client_id": "sis" }), "two"),
    ] {
        let unverified: Unverified = serde_json::from_value(claims.clone()).unwrap();
        let found = super::super::tenant(&Known::of_tenants(tenants), &unverified);
        let found = found.map_or_else(|fault| format!("{fault:?}"), |tenant| tenant.tenant.to_string());
        assert_eq!(found, expected, "{claims}");
    }
}

#[test]
fn an_issuer_is_named_by_a_url() {
    for (claims, expected) in [
        (json!({ "iss": "https://login.example" }), "good"),
        (json!({}), "Claim(\"iss\")"),
        (json!({ "iss": "login" }), "Issuer"),
    ] {
        let unverified: Unverified = serde_json::from_value(claims).unwrap();
        assert_eq!(outcome(issuer(&unverified)), expected);
    }
}

#[test]
fn scopes_are_found_in_texts_and_lists_also_inside_objects_and_without_their_prefix() {
    let tenant = Tenant {
        scope_claims: ["scope", "roles", "realm_access.roles", "https://a.b/scopes"].map(str::to_owned).into(),
        ..tenant()
    };
    for (claims, expected) in [
        (json!({ "scope": "a b" }), vec!["a", "b"]),
        (json!({ "scope": "a", "roles": ["b", 1, "c"] }), vec!["a", "b", "c"]),
        (json!({ "scope": null, "realm_access": { "roles": ["a"] } }), vec!["a"]),
        (json!({ "scope": null, "realm_access.roles": ["b"] }), vec!["b"]),
        (json!({ "scope": null, "realm_access": ["b"] }), vec![]),
        (json!({ "scope": null, "https://a.b/scopes": "c" }), vec!["c"]),
        (json!({ "scope": { "a": 1 } }), vec![]),
    ] {
        assert_eq!(scopes(&claims_with(&claims), &tenant), expected, "{claims}");
    }
    let prefixed = Tenant { scope_prefix: "okd/".to_owned(), ..tenant };
    assert_eq!(scopes(&claims_with(&json!({ "scope": "okd/a b okd/c" })), &prefixed), ["a", "c"]);
}

#[test]
fn the_claims_that_name_the_client_agree() {
    let long = "x".repeat(257);
    for (claims, expected) in [
        (json!({}), Ok("sis")),
        (json!({ "azp": "sis" }), Ok("sis")),
        (json!({ "client_id": null, "appid": "app" }), Ok("app")),
        (json!({ "client_id": &long[1..] }), Ok(&long[1..])),
        (json!({ "azp": "other" }), Err(TokenFault::SeveralClients)),
        (json!({ "client_id": null }), Err(TokenFault::Claim("client_id` or `azp` or `appid".to_owned()))),
        (json!({ "client_id": 1 }), Err(TokenFault::Claim("client_id".to_owned()))),
        (json!({ "client_id": "" }), Err(TokenFault::Claim("client_id".to_owned()))),
        (json!({ "client_id": long }), Err(TokenFault::Claim("client_id".to_owned()))),
    ] {
        assert_eq!(client(&claims_with(&claims), &tenant()), expected.map(str::to_owned), "{claims}");
    }
    let with_null = json!({ "client_id": "sis", "azp": null });
    assert_eq!(client(with_null.as_object().unwrap(), &tenant()), Ok("sis".to_owned()), "null says nothing");
}

#[test]
fn a_token_s_id_is_cut_between_two_characters() {
    let long = format!("x{}", "é".repeat(200));
    for (claims, expected) in [
        (json!({}), None),
        (json!({ "jti": 1 }), None),
        (json!({ "jti": "j", "uti": "u" }), Some("j")),
        (json!({ "uti": "u" }), Some("u")),
        (json!({ "jti": "x".repeat(300) }), Some(&*"x".repeat(256))),
        (json!({ "jti": long }), Some(&long[..255])),
    ] {
        assert_eq!(token_id(&claims_with(&claims)).as_deref(), expected, "{claims}");
    }
}

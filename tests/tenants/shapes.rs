//! Access tokens as real issuers shape them, with freshly made keys: Microsoft Entra ID (v1 and v2), Keycloak, Amazon
//! Cognito and SURFconext. Names and values are as their documentation and source have them; each school is added as
//! the README says.

use okd_core::tenant::Tenant;
use serde_json::{Value, json};

use support::{
    cloud::own_cloud,
    sender::{Answer, Sender, metadata},
};

use crate::{rsa::Rsa, school::School};

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A school with this issuer, whose keys our own issuer publishes for it.
struct Shape {
    school: School,
    key: Rsa,
}

impl Shape {
    async fn new(issuer: &str, audience: &str, kid: &str, change: impl FnOnce(&mut Tenant)) -> Self {
        let key = Rsa::new(kid);
        let school = School::with(own_cloud(), |tenant| {
            tenant.jwks = Some(format!("{}/jwks", tenant.issuer).parse().unwrap());
            tenant.issuer = issuer.to_owned().try_into().unwrap();
            tenant.audiences = vec![audience.to_owned()];
            change(tenant);
        })
        .await;
        school.issuer.publish(key.jwk());
        Self { school, key }
    }

    async fn hand_in(&self, claims: &Value) -> (Sender, Answer) {
        let mut sender = Sender::to(self.school.cloud);
        sender.token = self.key.token(claims);
        let answer = sender.hand_in(&metadata(), b"x").await;
        (sender, answer)
    }

    /// Accepted, as this client's and this token's.
    async fn is_understood(&self, claims: &Value, client: &str, token: &str) {
        let (sender, answer) = self.hand_in(claims).await;
        let id = answer.ok().id();
        let items = sender.items().await;
        let item = items.iter().find(|item| item["id"] == id).unwrap();
        assert_eq!((&item["client"], &item["history"][0]["token"]), (&json!(client), &json!(token)));
    }

    /// Refused when a claim is another.
    async fn is_refused(&self, claims: &Value, claim: &str, value: Value, status: u16) {
        let mut claims = claims.clone();
        claims[claim] = value;
        let (_, answer) = self.hand_in(&claims).await;
        assert_eq!(answer.status, status, "{claims}");
    }
}

const DIRECTORY: &str = "6f3c1e2a-1111-4222-8333-444455556666";
const APP: &str = "0d2f4b6c-aaaa-4bbb-8ccc-ddddeeeeffff";

#[tokio::test]
async fn entra_id_v1() {
    let issuer = format!("https://sts.windows.net/{DIRECTORY}/");
    let shape = Shape::new(&issuer, "api://okd", "nOo3ZDrODXEK1jKWhXslHR_KXEg", |_| ()).await;
    let claims = json!({
        "aud": "api://okd", "iss": issuer, "iat": now(), "nbf": now(), "exp": now() + 3599,
        "aio": "E2ZgYFjy9Y3vgtl6+0AHAA==", "appid": APP, "appidacr": "1", "idp": issuer, "idtyp": "app",
        "oid": "7a8b9c0d-0000-4000-8000-000000000001", "rh": "0.AAAAKh48bw.", "roles": ["okd:examdocuments"],
        "sub": "7a8b9c0d-0000-4000-8000-000000000001", "tid": DIRECTORY, "uti": "QmlkZHkgSm9lIQABAA", "ver": "1.0",
    });
    shape.is_understood(&claims, APP, "QmlkZHkgSm9lIQABAA").await;
    shape.is_refused(&claims, "roles", json!(["okd:studentinfo"]), 403).await;
    shape.is_refused(&claims, "iss", json!(format!("https://sts.windows.net/{APP}/")), 401).await;
    shape.is_refused(&claims, "aud", json!("00000003-0000-0000-c000-000000000000"), 401).await;
}

#[tokio::test]
async fn entra_id_v2() {
    let issuer = format!("https://login.microsoftonline.com/{DIRECTORY}/v2.0");
    let audience = "9e8d7c6b-2222-4333-8444-555566667777";
    let shape = Shape::new(&issuer, audience, "nOo3ZDrODXEK1jKWhXslHR_KXEg", |_| ()).await;
    let claims = json!({
        "aud": audience, "iss": issuer, "iat": now(), "nbf": now(), "exp": now() + 3599,
        "aio": "ASQA2/8TAAAAn", "azp": APP, "azpacr": "1", "oid": "7a8b9c0d-0000-4000-8000-000000000001",
        "rh": "1.AAAAKh48bw.", "roles": ["okd:alldocuments", "okd:studentinfo"],
        "sub": "7a8b9c0d-0000-4000-8000-000000000001", "tid": DIRECTORY, "uti": "c2Vjb25kIHRva2VuAA", "ver": "2.0",
    });
    shape.is_understood(&claims, APP, "c2Vjb25kIHRva2VuAA").await;
    // What a person was granted stands in `scp`.
    let mut delegated = claims.clone();
    delegated.as_object_mut().unwrap().remove("roles");
    delegated["scp"] = json!("User.Read okd:examdocuments");
    shape.is_understood(&delegated, APP, "c2Vjb25kIHRva2VuAA").await;
    shape.is_refused(&claims, "roles", Value::Null, 403).await;
    shape.is_refused(&claims, "azp", Value::Null, 401).await;
}

#[tokio::test]
async fn keycloak() {
    let issuer = "https://login.school.example/realms/school";
    let shape = Shape::new(issuer, "okd", "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE", |_| ()).await;
    // It publishes a key for encryption too.
    let mut encryption = Rsa::new("enc").jwk();
    encryption["use"] = json!("enc");
    encryption["alg"] = json!("RSA-OAEP");
    shape.school.issuer.publish(encryption);
    let claims = json!({
        "exp": now() + 300, "iat": now(), "jti": "trrtcc:5d9f1f6c-6c1c-4a34-9f0b-1d2d0a3b4c5d", "iss": issuer,
        "aud": ["okd", "account"], "sub": "f4b1c1a0-5f0e-4c55-9d3f-0d6ff5f8b7aa", "typ": "Bearer", "azp": "sis",
        "acr": "1", "allowed-origins": ["/*"],
        "realm_access": { "roles": ["offline_access", "uma_authorization"] },
        "resource_access": { "okd": { "roles": ["okd:bpvdocuments"] }, "account": { "roles": ["view-profile"] } },
        "scope": "profile email okd:examdocuments", "email_verified": false, "clientHost": "10.0.0.9",
        "preferred_username": "service-account-sis", "clientAddress": "10.0.0.9", "client_id": "sis",
    });
    let token = "trrtcc:5d9f1f6c-6c1c-4a34-9f0b-1d2d0a3b4c5d";
    shape.is_understood(&claims, "sis", token).await;
    shape.is_refused(&claims, "scope", json!("profile email"), 403).await;
    shape.is_refused(&claims, "aud", json!("account"), 401).await;
    shape.is_refused(&claims, "client_id", json!("another"), 401).await;
}

#[tokio::test]
async fn keycloak_whose_scopes_are_a_clients_roles() {
    let issuer = "https://login.school.example/realms/roles";
    let shape = Shape::new(issuer, "okd", "roles", |tenant| {
        tenant.scope_claims = vec!["resource_access.okd.roles".to_owned()];
    })
    .await;
    let claims = json!({
        "exp": now() + 300, "iat": now(), "jti": "1", "iss": issuer, "aud": "okd", "azp": "sis",
        "resource_access": { "okd": { "roles": ["okd:examdocuments"] } },
    });
    shape.is_understood(&claims, "sis", "1").await;
    // Where this tenant does not have them they count for nothing.
    let elsewhere = json!({ "other": { "roles": ["okd:examdocuments"] } });
    let mut claims = claims.clone();
    claims["scope"] = json!("okd:examdocuments");
    shape.is_refused(&claims, "resource_access", elsewhere, 403).await;
}

/// A client of a Cognito user pool.
const COGNITO_CLIENT: &str = "2lr1u8k4q6f0v9e3j7n5c1m8ps";

/// A school with a Cognito user pool, and the claims of an access token of it: without `aud`, and with scopes that
/// begin with their resource server's name.
async fn cognito() -> (Shape, Value) {
    let issuer = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_aBcDeFgHi";
    let kid = "Xg3b0dTn9u1m8sLr2kqv7w5y4aZcEfHiJkLmNoPqRs0=";
    let shape = Shape::new(issuer, COGNITO_CLIENT, kid, |tenant| {
        tenant.client_as_audience = true;
        "okd/".clone_into(&mut tenant.scope_prefix);
    })
    .await;
    let claims = json!({
        "sub": COGNITO_CLIENT, "token_use": "access", "scope": "okd/okd:examdocuments other/okd:bpvdocuments",
        "auth_time": now(), "iss": issuer, "exp": now() + 3600, "iat": now(), "version": 2,
        "jti": "9d2f6a1e-5b7c-4c8d-8e9f-0a1b2c3d4e5f", "client_id": COGNITO_CLIENT,
    });
    (shape, claims)
}

#[tokio::test]
async fn cognito_whose_access_tokens_have_no_aud() {
    let (shape, claims) = cognito().await;
    let token = "9d2f6a1e-5b7c-4c8d-8e9f-0a1b2c3d4e5f";
    shape.is_understood(&claims, COGNITO_CLIENT, token).await;
    for (claim, value, status) in [
        ("client_id", json!("another-client-of-the-pool"), 401),
        ("client_id", json!(null), 401),
        ("token_use", json!("id"), 401),
        // A token that has one is judged by that alone.
        ("aud", json!("another-client-of-the-pool"), 401),
        ("aud", json!([]), 401),
        ("scope", json!("okd:examdocuments"), 403),
        ("scope", json!("other/okd:examdocuments"), 403),
    ] {
        shape.is_refused(&claims, claim, value, status).await;
    }
}

#[tokio::test]
async fn a_client_that_two_tenants_take_for_their_audience_is_nobodys() {
    for (taken, status) in [(false, 200), (true, 401)] {
        let (shape, claims) = cognito().await;
        let mut other = shape.school.tenant.clone();
        other.tenant = "school-b".to_owned().try_into().unwrap();
        other.client_as_audience = taken;
        shape.school.cloud.tenants.add(&other, None).await.unwrap();
        let (_, answer) = shape.hand_in(&claims).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if taken {
            let detail = answer.problem(401, "unauthenticated");
            assert!(detail.contains("not one that this service can accept"), "{detail}");
        }
    }
}

#[tokio::test]
async fn surfconext() {
    let issuer = "https://connect.surfconext.nl";
    let shape = Shape::new(issuer, "dms.school.example", "key_2026_11_01_00_00_00_000", |tenant| {
        tenant.client_claims = vec!["sub".to_owned()];
    })
    .await;
    // To client credentials it names the client in `sub`, and in `aud` beside those whom the token is for.
    let claims = json!({
        "aud": ["sis.school.example", "dms.school.example"], "sub": "sis.school.example", "nbf": now(),
        "iss": issuer, "exp": now() + 3600, "iat": now(), "jti": "2d3f7b54-3c5f-4a68-8f76-8b8a6f3c1f10",
        "scope": "okd:examdocuments",
    });
    shape.is_understood(&claims, "sis.school.example", "2d3f7b54-3c5f-4a68-8f76-8b8a6f3c1f10").await;
    shape.is_refused(&claims, "aud", json!(["sis.school.example"]), 401).await;
    shape.is_refused(&claims, "scope", json!("openid"), 403).await;
}

#[tokio::test]
async fn one_issuer_of_many_schools_tells_them_apart_by_audience() {
    let issuer = "https://connect.surfconext.nl";
    let shape = Shape::new(issuer, "dms-of-a", "key", |_| ()).await;
    let mut other = shape.school.tenant.clone();
    other.tenant = "school-b".to_owned().try_into().unwrap();
    other.audiences = vec!["dms-of-b".to_owned()];
    shape.school.cloud.tenants.add(&other, None).await.unwrap();
    let claims = |audience: Value| {
        json!({
            "aud": audience, "iss": issuer, "client_id": "sis", "exp": now() + 600, "scope": "okd:alldocuments",
        })
    };
    for (audience, tenant) in
        [("dms-of-a", shape.school.tenant.tenant.to_string()), ("dms-of-b", "school-b".to_owned())]
    {
        let (sender, answer) = shape.hand_in(&claims(json!(audience))).await;
        let objects = sender.s3.list_objects_v2().bucket(&sender.cloud.bucket);
        let objects = objects.prefix(format!("{tenant}/{}", answer.ok().id())).send().await.unwrap();
        assert_eq!(objects.contents().len(), 1, "{audience}");
    }
    let (_, answer) = shape.hand_in(&claims(json!(["dms-of-a", "dms-of-b"]))).await;
    let detail = answer.problem(401, "unauthenticated");
    assert!(detail.contains("not one that this service can accept"), "{detail}");
}

//! Tenants kept apart by the credentials too (the parameter `TenantSessions`), and not by our code alone.

use std::{fmt::Debug, time::Duration};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use aws_sdk_s3::{config::Credentials, error::ProvideErrorMetadata};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jiff::Timestamp;
use okd_core::ids::TenantId;
use okd_faults::{Call, Fault};
use okd_local::{
    Cloud,
    signed::{Role, Session, begin_session},
    sts::ASSUME_ROLE,
};
use serde_json::Value;

use support::{
    cloud::start,
    sender::{MIB, Sender, metadata, offer},
};

use crate::school::School;

fn cloud_with_sessions() -> &'static Cloud {
    start(|options| {
        let on = ("TenantSessions".to_owned(), "on".to_owned());
        options.parameters = [on].into();
    })
}

fn begun() -> Call {
    Call { from: "ApiFunction".to_owned(), operation: ASSUME_ROLE.to_owned() }
}

/// A session of this role, as the function begins one for a tenant.
fn session(cloud: &Cloud, role: &str, tenant: Option<&TenantId>, lifetime: Duration) -> Session {
    let tag = tenant.map(|tenant| ("tenant".to_owned(), tenant.to_string()));
    let role = Role { name: role.to_owned(), tags: tag.into_iter().collect(), until: Timestamp::now() + lifetime };
    begin_session(&cloud.access_key, &role).unwrap()
}

/// The stores, by a session's credentials.
struct Stores {
    cloud: &'static Cloud,
    s3: aws_sdk_s3::Client,
    dynamodb: aws_sdk_dynamodb::Client,
}

impl Stores {
    fn by(sender: &Sender, session: &Session) -> Self {
        let (id, secret) = (&session.key.id, &session.key.secret);
        let token = Some(session.token.clone());
        let credentials = Credentials::new(id, secret, token, None, "session");
        let s3 = sender.s3.config().to_builder();
        let dynamodb = sender.dynamodb.config().to_builder();
        let s3 = s3.credentials_provider(credentials.clone()).build();
        let dynamodb = dynamodb.credentials_provider(credentials).build();
        Self {
            cloud: sender.cloud,
            s3: aws_sdk_s3::Client::from_conf(s3),
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
        }
    }

    /// What S3 says to each thing that can be done to an object with this key.
    async fn on_object(&self, key: &str) -> [String; 4] {
        let bucket = &self.cloud.bucket;
        let get = self.s3.get_object().bucket(bucket).key(key).send().await;
        let put = self.s3.put_object().bucket(bucket).key(key).send().await;
        let open = self.s3.create_multipart_upload().bucket(bucket).key(key);
        let open = open.send().await;
        let delete = self.s3.delete_object().bucket(bucket).key(key).send();
        [said(get), said(put), said(open), said(delete.await)]
    }

    /// What DynamoDB says to each thing that can be done in this partition.
    async fn on_partition(&self, partition: &str) -> [String; 3] {
        let table = &self.cloud.table;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let get = self.dynamodb.get_item().table_name(table);
        let get = get.key("pk", text(partition)).key("sk", text("document"));
        let query = self.dynamodb.query().table_name(table);
        let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", text(partition));
        let put = Put::builder().table_name(table);
        let put = put.item("pk", text(partition)).item("sk", text("of-a-test"));
        let put = TransactWriteItem::builder().put(put.build().unwrap());
        let write = self.dynamodb.transact_write_items();
        let write = write.transact_items(put.build()).send().await;
        [said(get.send().await), said(query.send().await), said(write)]
    }
}

/// `done`, or the error's code.
fn said<T, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> String {
    let code = |error: E| error.code().unwrap_or("no code").to_owned();
    answer.map_or_else(code, |_| "done".to_owned())
}

const DENIED: &str = "AccessDenied";
const DENIED_BY_DYNAMODB: &str = "AccessDeniedException";

#[tokio::test]
async fn a_tenants_session_reaches_its_own_documents_and_no_other_tenants() {
    let cloud = cloud_with_sessions();
    let (ours, theirs) = (School::new(cloud).await, School::new(cloud).await);
    let sender = ours.client("sis");
    let (our_tenant, their_tenant) = (&ours.tenant.tenant, &theirs.tenant.tenant);
    let session = session(cloud, "TenantRole", Some(our_tenant), Duration::from_hours(1));
    let stores = Stores::by(&sender, &session);
    let ours = stores.on_object(&format!("{our_tenant}/a/b")).await;
    assert_eq!(ours, ["NoSuchKey", "done", "done", "done"]);
    let ours = stores.on_partition(&format!("{our_tenant}#a")).await;
    assert_eq!(ours, ["done"; 3]);
    for tenant in [
        their_tenant.to_string(),
        // Names that begin like ours.
        format!("{our_tenant}-2"),
        String::new(),
    ] {
        let there = stores.on_object(&format!("{tenant}/a/b")).await;
        assert_eq!(there, [DENIED; 4], "{tenant}");
        let there = stores.on_partition(&format!("{tenant}#a")).await;
        assert_eq!(there, [DENIED_BY_DYNAMODB; 3], "{tenant}");
    }
}

#[tokio::test]
async fn a_signing_session_puts_its_tenants_parts_and_does_nothing_else() {
    let cloud = cloud_with_sessions();
    let school = School::new(cloud).await;
    let tenant = &school.tenant.tenant;
    let session = session(cloud, "SigningRole", Some(tenant), Duration::from_hours(1));
    let stores = Stores::by(&school.client("sis"), &session);
    let ours = stores.on_object(&format!("{tenant}/a/b")).await;
    assert_eq!(ours, [DENIED, "done", "done", DENIED]);
    let theirs = stores.on_object("another/a/b").await;
    assert_eq!(theirs, [DENIED; 4]);
    let items = stores.on_partition(&format!("{tenant}#a")).await;
    assert_eq!(items, [DENIED_BY_DYNAMODB; 3]);
}

#[tokio::test]
async fn a_session_of_no_tenant_or_that_has_ended_reaches_nothing() {
    let cloud = cloud_with_sessions();
    let school = School::new(cloud).await;
    let (sender, tenant) = (school.client("sis"), &school.tenant.tenant);
    let hour = Duration::from_hours(1);
    let of_nobody = Stores::by(&sender, &session(cloud, "TenantRole", None, hour));
    let key = format!("{tenant}/a/b");
    assert_eq!(of_nobody.on_object(&key).await, [DENIED; 4]);
    let partition = format!("{tenant}#a");
    let items = of_nobody.on_partition(&partition).await;
    assert_eq!(items, [DENIED_BY_DYNAMODB; 3]);
    let ended = session(cloud, "TenantRole", Some(tenant), Duration::ZERO);
    let of_the_past = Stores::by(&sender, &ended);
    assert_eq!(of_the_past.on_object(&key).await, ["InvalidToken"; 4]);
    let items = of_the_past.on_partition(&partition).await;
    assert_eq!(items, ["UnrecognizedClientException"; 3]);
    // The key of one session, and the token of another.
    let whole = session(cloud, "TenantRole", Some(tenant), hour);
    let mixed = Session { token: whole.token, ..session(cloud, "TenantRole", Some(tenant), hour) };
    let mixed = Stores::by(&sender, &mixed);
    assert_eq!(mixed.on_object(&key).await, ["InvalidToken"; 4]);
}

#[tokio::test]
async fn a_process_begins_a_tenants_sessions_once_and_uses_them_for_both_forms() {
    let cloud = cloud_with_sessions();
    let (ours, theirs) = (School::new(cloud).await, School::new(cloud).await);
    for school in [&ours, &theirs, &ours] {
        let sender = school.client("sis");
        sender.hand_in(&metadata(), b"an exam").await.ok();
        let file = vec![7; 9 * MIB];
        let offered = sender.offer_and_send(&offer(file.len()), &file).await;
        sender.complete(&offered).await.ok();
    }
    let calls = cloud.faults.calls();
    let begun = calls.iter().filter(|call| **call == begun()).count();
    assert_eq!(begun, 4, "two tenants, two sessions each");
}

#[tokio::test]
async fn no_url_of_a_part_is_said_to_live_longer_than_the_session_that_signed_it() {
    let cloud = cloud_with_sessions();
    let sender = School::new(cloud).await.client("sis");
    sender.hand_in(&metadata(), b"an exam").await.ok();
    let offered = sender.offer(&offer(9 * MIB)).await.accepted();
    let part = &offered.body["upload"]["parts"][0];
    let href = part["href"].as_str().unwrap();
    let (_, token) = href.split_once("X-Amz-Security-Token=").unwrap();
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap());
    let (_, role): (String, Role) = serde_json::from_slice(&claims.unwrap()).unwrap();
    let said: Timestamp = part["expiresAt"].as_str().unwrap().parse().unwrap();
    assert_eq!((role.name.as_str(), said), ("SigningRole", role.until));
}

#[tokio::test]
async fn while_no_session_can_begin_a_sender_is_asked_to_try_again_and_nothing_is_left() {
    let cloud = cloud_with_sessions();
    let sender = School::new(cloud).await.client("sis");
    for fault in [Fault::Fail, Fault::Throttle] {
        cloud.faults.inject(begun(), 0, 6, fault);
        let refused = sender.hand_in(&metadata(), b"an exam").await;
        refused.problem(503, "try-again");
        cloud.faults.clear();
    }
    assert_eq!(sender.items().await, [] as [Value; 0]);
    sender.hand_in(&metadata(), b"an exam").await.ok();
}

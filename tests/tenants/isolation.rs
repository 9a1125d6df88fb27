//! The cross-tenant matrix: every route and method that the router has, with every way that we know of to name what is
//! another's. Made from the router's own list, so that a new route cannot be forgotten.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use support::{
    cloud::own_cloud,
    sender::{Answer, Sender, bytes, metadata, sha256, with},
};

use crate::school::School;

/// What somebody has: a stored document, and one whose upload is pending with a part of its two sent.
struct Property {
    owner: Sender,
    stored: Value,
    stored_id: String,
    pending: Value,
    offered: Answer,
}

const STUDENT: &str = "900123";
const FILE: usize = (16 << 20) + 5;

impl Property {
    async fn of(owner: Sender) -> Self {
        let mut stored = with(&metadata(), "studentNumber", json!(STUDENT));
        for neighbour in ["offering", "person"] {
            stored[neighbour] = stored["associationId"].clone();
        }
        let stored_id = owner.hand_in(&stored, b"an exam").await.ok().id();
        let pending = with(&metadata(), "documentSize", json!(FILE));
        let offered = owner.offer(&pending).await.accepted();
        owner.send_parts(&offered.body["upload"], &bytes(FILE, 1), Some(&[2])).await;
        Self { owner, stored, stored_id, pending, offered }
    }

    fn version(&self) -> String {
        let href = self.offered.body["upload"]["status"]["href"].as_str().unwrap();
        href.split_once("upload=").unwrap().1.to_owned()
    }

    /// Everything that the stores hold about it: items, versions of objects, open uploads.
    async fn state(&self) -> (Vec<Value>, Vec<String>, Vec<String>) {
        let cloud = self.owner.cloud;
        let ids = [self.stored_id.clone(), self.offered.id()];
        let about = |text: &str| ids.iter().any(|id| text.contains(id.as_str()));
        let mut items = self.owner.items().await;
        items.retain(|item| about(item["pk"].as_str().unwrap()));
        items.sort_by_key(|item| item["pk"].to_string() + &item["sk"].to_string());
        let objects = self.owner.s3.list_object_versions().bucket(&cloud.bucket);
        let objects = objects.send().await.unwrap();
        let versions = objects.versions().iter().filter(|version| about(version.key().unwrap()));
        let uploads = self.owner.s3.list_multipart_uploads().bucket(&cloud.bucket);
        let uploads = uploads.send().await.unwrap();
        let uploads = uploads.uploads().iter().filter(|upload| about(upload.key().unwrap()));
        (
            items,
            versions.map(|version| version.version_id().unwrap().to_owned()).collect(),
            uploads.map(|upload| upload.upload_id().unwrap().to_owned()).collect(),
        )
    }
}

/// Asks everything of every route, as `stranger`, in every way to name what `property` is; gives how many ways.
async fn intrude(stranger: &Sender, property: &Property) -> usize {
    let before = property.state().await;
    let mut tried = BTreeSet::new();
    for route in okd_api::ROUTES {
        if route.is_public() {
            continue;
        }
        let Some((front, rest)) = route.path.split_once('{') else {
            for method in route.methods {
                for path in lists(&format!("{}?studentNumber={STUDENT}", route.path)) {
                    finds_nothing(stranger, method, &path).await;
                    assert!(tried.insert(format!("{method} {path}")));
                }
            }
            continue;
        };
        let (parameter, back) = rest.split_once('}').unwrap();
        for method in route.methods {
            let path = |id: &str| format!("{front}{id}{back}");
            if parameter == "dmsDocumentId" {
                for path in ways(property, path) {
                    let request = stranger.request(method, &path);
                    let request = if *method == "PUT" { request.body("x") } else { request };
                    let request =
                        if *method == "PATCH" { request.json(&json!({ "documentSize": 5 })) } else { request };
                    let answer = stranger.send(request).await;
                    assert!(matches!(answer.status, 400 | 404), "{method} {path}: {answer:?}");
                    assert!(answer.body.get("upload").is_none(), "{answer:?}");
                    assert!(tried.insert(format!("{method} {path}")));
                }
            } else if back == "/documents" {
                let subject = property.stored["associationId"].as_str().unwrap();
                for path in lists(&path(subject)) {
                    finds_nothing(stranger, method, &path).await;
                    assert!(tried.insert(format!("{method} {path}")));
                }
            } else {
                // What names a document here is its sender's own key: the same key is another document.
                for (name, request) in hand_ins(stranger, method, &path, property) {
                    let answer = stranger.send(request).await;
                    if *method == "PATCH" {
                        answer.problem(422, "invalid-metadata");
                        continue;
                    }
                    // Not 200, though it declares the very bytes that are stored for the other.
                    assert_eq!(answer.status, 202, "{method} {name}: {answer:?}");
                    let theirs = [&property.stored_id, &property.offered.id()];
                    assert!(!theirs.contains(&&answer.id()), "{method} {name}: {answer:?}");
                    assert!(tried.insert(format!("{method} {} {name}", route.path)));
                }
            }
        }
    }
    assert_eq!(property.state().await, before);
    tried.len()
}

/// A list with every filter that there is.
fn lists(path: &str) -> Vec<String> {
    let more = |query: &str| format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' });
    let filters =
        ["pageSize=250", "pageNumber=1", "documentType=examination", "since=2026-01-01", "until=2999-01-01", "after=0"];
    let mut lists: Vec<_> = filters.into_iter().map(more).collect();
    lists.push(path.to_owned());
    lists
}

/// Asks for a list of what is another's.
async fn finds_nothing(stranger: &Sender, method: &str, path: &str) {
    let answer = stranger.call(method, path).await.ok();
    if method == "GET" {
        assert_eq!((&answer.body["items"], &answer.body["hasNextPage"]), (&json!([]), &json!(false)), "{path}");
        assert_eq!(answer.body["ext"]["okd"]["after"], Value::Null, "{path}");
    }
}

/// Every way to name another's document or upload in a path.
fn ways(property: &Property, path: impl Fn(&str) -> String) -> Vec<String> {
    let (stored, pending, version) = (&property.stored_id, property.offered.id(), property.version());
    let tenant = property.offered.body["upload"]["parts"][0]["href"].as_str().unwrap();
    let tenant = tenant.split('/').find(|part| part.contains("school")).unwrap();
    let sha = sha256(b"an exam").replace("sha-256:", "");
    let mut ways = Vec::new();
    for id in [stored, &pending] {
        ways.extend([
            path(id),
            path(&id.to_uppercase()),
            path(&id.replace('-', "")),
            path(&format!("%7B{id}%7D")),
            path(&format!("{tenant}%23{id}")),
            path(&format!("{tenant}%2F{id}")),
            path(&format!("..%2F{id}")),
            path(&format!("urn:uuid:{id}")),
            format!("/live{}", path(id)),
            format!("{}?upload={version}", path(id)),
            format!("{}?upload={sha}", path(id)),
            format!("{}?upload={tenant}%2F{id}%2F{version}", path(id)),
            format!("{}?upload={version}&tenant={tenant}", path(id)),
        ]);
    }
    ways.push(path(&version));
    ways.push(format!("{}?upload={version}", path(&Uuid::new_v4().to_string())));
    ways
}

/// Every way to hand in something under another's key.
fn hand_ins(
    stranger: &Sender,
    method: &str,
    path: &impl Fn(&str) -> String,
    property: &Property,
) -> Vec<(String, reqwest::RequestBuilder)> {
    let mut ways = Vec::new();
    for (name, metadata) in [("stored", &property.stored), ("pending", &property.pending)] {
        let subject = metadata["associationId"].as_str().unwrap();
        let mut metadata = metadata.clone();
        metadata["offeringId"] = json!(subject);
        metadata["offeringType"] = json!("component");
        metadata["personId"] = json!(subject);
        for (how, extra) in [
            ("as it is", json!({})),
            ("with the same bytes declared", json!({ "documentChecksum": sha256(b"an exam") })),
            (
                "with its dmsDocumentId",
                json!({ "dmsDocumentId": property.stored_id, "documentId": property.stored_id }),
            ),
            ("with its tenant and client", json!({ "tenant": "local-school", "client_id": property.owner.client })),
        ] {
            let mut offer = with(&metadata, "documentSize", json!(7));
            for (key, value) in extra.as_object().unwrap() {
                offer["consumers"][0][key] = value.clone();
                offer[key] = value.clone();
            }
            let request = stranger.request(method, &path(subject)).json(&offer);
            let request = request.header("idempotency-key", property.stored_id.clone());
            let request = request.header("x-tenant", "local-school");
            ways.push((format!("{name}, {how}"), request));
        }
    }
    ways
}

#[tokio::test]
async fn whatever_route_and_name_is_used_nobody_gets_at_what_is_another_tenants() {
    let cloud = own_cloud();
    let (ours, theirs) = (School::new(cloud).await, School::new(cloud).await);
    // The same name for the client: only the tenant tells them apart.
    let property = Property::of(ours.client("sis")).await;
    let tried = intrude(&theirs.client("sis"), &property).await;
    assert!(tried > 100, "{tried}");
    // It is all there for its owner.
    let upload = &property.offered.body["upload"];
    property.owner.send_parts(upload, &bytes(FILE, 1), Some(&[1])).await;
    property.owner.call("POST", upload["complete"]["href"].as_str().unwrap()).await.ok();
}

#[tokio::test]
async fn nor_at_what_is_another_clients_of_the_same_tenant() {
    let cloud = own_cloud();
    let school = School::new(cloud).await;
    let property = Property::of(school.client("sis")).await;
    intrude(&school.client("sis-of-another-vendor"), &property).await;
}

#[tokio::test]
async fn unless_their_tenant_lets_its_clients_see_each_others() {
    let cloud = own_cloud();
    let school = School::with(cloud, |tenant| tenant.shared = true).await;
    let stranger = School::with(cloud, |tenant| tenant.shared = true).await;
    let property = Property::of(school.client("sis")).await;
    let list = format!("/okd/v1/documents?studentNumber={STUDENT}");
    let listed = school.client("archive").call("GET", &list).await.ok();
    assert_eq!(listed.body["items"][0]["dmsDocumentId"], property.stored_id);
    assert_eq!(stranger.client("archive").call("GET", &list).await.ok().body["items"], json!([]));
    let status = property.offered.body["upload"]["status"]["href"].as_str().unwrap();
    let seen = school.client("archive").call("GET", status).await.ok();
    assert_eq!(seen.body["upload"]["partsReceived"], 1);
    stranger.client("archive").call("GET", status).await.problem(404, "no-such-document");
}

#[tokio::test]
async fn anothers_document_looks_just_like_one_that_there_is_not() {
    let cloud = own_cloud();
    let (ours, theirs) = (School::new(cloud).await, School::new(cloud).await);
    let property = Property::of(ours.client("sis")).await;
    let stranger = theirs.client("sis");
    let ask = async |id: &str| {
        let mut answer = stranger.call("GET", &format!("/okd/v1/documents/{id}/upload")).await;
        answer.body["requestId"] = Value::Null;
        answer.body["extendedRequestId"] = Value::Null;
        (answer.status, answer.body)
    };
    let nobodys = ask(&Uuid::new_v4().to_string()).await;
    assert_eq!(ask(&property.stored_id).await, nobodys);
    assert_eq!(ask(&property.offered.id()).await, nobodys);
}

#[tokio::test]
async fn a_url_of_one_upload_sends_nothing_to_another() {
    let cloud = own_cloud();
    let (ours, theirs) = (School::new(cloud).await, School::new(cloud).await);
    let mine = Property::of(ours.client("sis")).await;
    let other = Property::of(theirs.client("sis")).await;
    let href = |property: &Property| property.offered.body["upload"]["parts"][0]["href"].as_str().unwrap().to_owned();
    let (mine_href, other_href) = (href(&mine), href(&other));
    let (mine_path, mine_query) = mine_href.split_once('?').unwrap();
    let (other_path, other_query) = other_href.split_once('?').unwrap();
    for crossed in [format!("{other_path}?{mine_query}"), format!("{mine_path}?{other_query}")] {
        let part = json!({ "href": crossed, "offset": 0, "size": 16 << 20 });
        let (status, text) = mine.owner.send_part(&part, &bytes(FILE, 1)).await;
        assert_eq!(status, 403, "{text}");
    }
}

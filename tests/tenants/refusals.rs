//! The hostile table's second half: what is refused because of what is there already. Each row says what must be
//! answered; after all of them what was there is as it was.

use serde_json::{Value, json};

use support::{
    cloud::own_cloud,
    sender::{Answer, MIB, Sender, association, metadata, offer, sha256, with},
};

use crate::school::{School, serve_issuer};

const MADE_UP: &str = "?upload=4e12169d-84b9-4d21-a987-f373bbbe4e6e";

/// One request, and what it must be answered.
struct Row<'a> {
    sender: &'a Sender,
    method: &'a str,
    path: String,
    body: Option<Value>,
    status: u16,
    problem: &'a str,
}

impl Row<'_> {
    async fn check(&self) {
        let mut request = self.sender.request(self.method, &self.path);
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        let answer = self.sender.send(request).await;
        answer.problem(self.status, self.problem);
    }
}

/// A client of the school with a token that its issuer never signed, by a key that nobody knows.
async fn forger(school: &School) -> Sender {
    let issuer = serve_issuer().await;
    issuer.rotate().unwrap();
    let mut forger = school.client("sis");
    forger.token = issuer.sign(&school.claims()).unwrap();
    forger
}

/// What is there, and who asks.
struct World {
    sender: Sender,
    stranger: Sender,
    /// Comes with a token that nobody signed...
    forged: Sender,
    /// ...and this one of a school whose issuer does not answer.
    unknown: Sender,
    /// The id of a stored document.
    stored: String,
    /// The offer of a file of which nothing has come.
    pending: Answer,
    /// What was declared of bytes that are others, and that nobody has compared yet.
    declared: Value,
    /// The offer of those.
    wrong: Answer,
}

impl World {
    async fn new() -> Self {
        let cloud = own_cloud();
        let (school, silent) = (School::new(cloud).await, School::new(cloud).await);
        let sender = school.client("sis");
        silent.issuer.hang(true);
        let stored = sender.hand_in(&metadata(), b"an exam").await.ok().id();
        let pending = sender.offer(&offer(9 * MIB)).await.accepted();
        cloud.events.pause(true);
        let declared = with(&offer(5), "documentChecksum", json!(sha256(b"right")));
        let wrong = sender.offer_and_send(&declared, b"wrong").await;
        sender.call("POST", wrong.href("complete")).await.accepted();
        Self {
            stranger: school.client("another-sis"),
            forged: forger(&school).await,
            unknown: forger(&silent).await,
            sender,
            stored,
            pending,
            declared,
            wrong,
        }
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let row = |sender, method, path: &str, status, problem| Row {
            sender,
            method,
            path: path.to_owned(),
            body: None,
            status,
            problem,
        };
        let (sender, stranger) = (&self.sender, &self.stranger);
        let of_stored = |rest: &str| format!("/okd/v1/documents/{}/upload{rest}", self.stored);
        let (made_up, none) = (of_stored(MADE_UP), of_stored("?upload=x"));
        let complete_made_up = of_stored(&format!("/complete{MADE_UP}"));
        let (status, complete) = (self.pending.href("status"), self.pending.href("complete"));
        let too_large = with(&metadata(), "documentSize", json!((1_u64 << 30) + 1));
        vec![
            row(sender, "GET", &made_up, 404, "no-such-upload"),
            row(sender, "DELETE", &made_up, 404, "no-such-upload"),
            row(sender, "POST", &complete_made_up, 404, "no-such-upload"),
            row(sender, "GET", &none, 400, "invalid-id"),
            row(sender, "POST", complete, 409, "upload-incomplete"),
            row(stranger, "GET", status, 404, "no-such-document"),
            row(stranger, "DELETE", status, 404, "no-such-document"),
            row(stranger, "POST", complete, 404, "no-such-document"),
            row(&self.forged, "DELETE", status, 401, "unauthenticated"),
            row(&self.unknown, "DELETE", status, 503, "issuer-unavailable"),
            Row { body: Some(too_large), ..row(sender, "PUT", &association(), 413, "document-too-large") },
        ]
    }

    async fn items(&self) -> Vec<Value> {
        let mut items = self.sender.items().await;
        items.sort_by_key(|item| item["pk"].to_string() + &item["sk"].to_string());
        items
    }
}

#[tokio::test]
async fn whatever_is_refused_because_of_what_is_there_leaves_that_as_it_was() {
    let world = World::new().await;
    let World { sender, declared, wrong, .. } = &world;
    let before = world.items().await;
    for row in world.rows() {
        row.check().await;
    }
    // What has yet to be compared is not called stored, and not sent again either.
    let repeated = sender.offer(declared).await.accepted();
    assert_eq!(repeated.body["upload"]["state"], "verifying");
    let complete = wrong.href("complete");
    let again = sender.call("POST", complete).await.accepted();
    assert_eq!(again.body["upload"]["state"], "verifying");
    assert_eq!(world.items().await, before);
    sender.cloud.events.pause(false);
    sender.cloud.events.drained().await;
    let found = sender.call("POST", complete).await;
    found.problem(422, "checksum-mismatch");
}

//! A tenant beside the one that is there from the start: its own issuer, on a port of its own.

use std::{sync::Arc, time::Duration};

use okd_core::{
    ids::TenantId,
    tenant::{Limits, Tenant, UncheckedLimits},
    token::{Fetcher, published},
};
use okd_local::{Cloud, issuer::Issuer};
use serde_json::{Value, json};
use uuid::Uuid;

use support::sender::Sender;

/// The audience of every school's tokens here.
pub(crate) const AUDIENCE: &str = "okd";

/// A tenant, added to a cloud.
pub(crate) struct School {
    pub(crate) cloud: &'static Cloud,
    pub(crate) tenant: Tenant,
    pub(crate) issuer: Arc<Issuer>,
}

impl School {
    /// A new one, with its issuer.
    pub(crate) async fn new(cloud: &'static Cloud) -> Self {
        Self::with(cloud, |_| ()).await
    }

    /// The same, changed before it is added; its issuer's keys are known as after `tenant add`.
    pub(crate) async fn with(cloud: &'static Cloud, change: impl FnOnce(&mut Tenant)) -> Self {
        let school = Self::unchecked(cloud, change).await;
        know_keys(cloud, &school.tenant).await;
        school
    }

    /// The same, of whose issuer nobody has heard.
    pub(crate) async fn unchecked(cloud: &'static Cloud, change: impl FnOnce(&mut Tenant)) -> Self {
        let issuer = serve_issuer().await;
        let id = TenantId::try_from(format!("school-{}", Uuid::new_v4().simple())).unwrap();
        let name = issuer.url().to_owned().try_into().unwrap();
        let mut tenant = Tenant::new(id, name, vec![AUDIENCE.to_owned()]);
        change(&mut tenant);
        cloud.tenants.add(&tenant, None).await.unwrap();
        Self { cloud, tenant, issuer }
    }

    /// The claims of a token of its issuer's for the client `sis`, which may do everything.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.issuer.url(), "aud": AUDIENCE, "client_id": "sis", "scope": "okd:alldocuments",
            "exp": jiff::Timestamp::now().as_second() + 600,
        })
    }

    /// One of its clients, which may do everything.
    pub(crate) fn client(&self, client: &str) -> Sender {
        let token = self.issuer.token_for(&self.tenant.audiences[0], client, "okd:alldocuments");
        let mut sender = Sender::to(self.cloud);
        client.clone_into(&mut sender.client);
        sender.token = token.unwrap();
        sender
    }
}

/// Fetches the keys of a tenant's issuer, as `tenant add` does.
pub(crate) async fn know_keys(cloud: &Cloud, tenant: &Tenant) {
    let place = tenant.key_place();
    let fetcher = Fetcher::new(vec!["http://127.0.0.1:*".to_owned()]);
    let keys = published(&fetcher, &place).await.unwrap();
    let now = jiff::Timestamp::now();
    let noted = cloud.tenants.note_keys(&place, keys, now, Duration::from_millis(5));
    noted.await.unwrap();
}

/// An issuer on a port of its own, as long as the process lives.
pub(crate) async fn serve_issuer() -> Arc<Issuer> {
    let (started, issuer) = tokio::sync::oneshot::channel();
    // On a runtime of its own, which outlives the test's.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let issuer = Arc::new(Issuer::fresh(url).unwrap());
            assert!(started.send(Arc::clone(&issuer)).is_ok());
            axum::serve(listener, issuer.router()).await.unwrap();
        });
    });
    issuer.await.unwrap()
}

/// Limits that are the default but for what `change` makes of them.
pub(crate) fn limits(change: impl FnOnce(&mut UncheckedLimits)) -> Limits {
    let mut limits = UncheckedLimits::default();
    change(&mut limits);
    limits.try_into().unwrap()
}

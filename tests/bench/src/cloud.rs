//! What the measured functions call: S3, DynamoDB and an issuer, without and with TLS, on a runtime of their own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::mpsc,
};

use okd_cli::{DOCUMENTS, TENANTS, access_key::AccessKey, physical_name};
use okd_core::{
    ids::TenantId,
    stores::Tenants,
    tenant::{Issuer, Limits, Tenant, UncheckedLimits},
};
use okd_local::{
    Options, Result, front::Front, issuer::AUDIENCE, put_tenant, read_template, stores::Stores, template::Template,
};

use crate::{issuer::Signer, tls};

/// The stores and the issuer that the measured functions call.
pub(crate) struct Cloud {
    /// A folder for what is written, removed in the end.
    pub(crate) folder: PathBuf,
    /// The stores, by plain http.
    pub(crate) stores: Stores,
    /// A token of the plain issuer and one of that behind TLS.
    tokens: [String; 2],
    /// The issuer, S3 and DynamoDB: plain, and behind TLS.
    urls: [Urls; 2],
    front: Front,
    template: Template,
}

#[derive(Clone)]
struct Urls {
    issuer: String,
    s3: String,
    dynamodb: String,
}

/// Whether the stores are called by TLS, as AWS is, or by plain http.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Plain,
    Tls,
}

impl Wire {
    /// The tenant whose issuer is on this wire.
    pub(crate) fn tenant(self) -> &'static str {
        ["plain", "tls"][self as usize]
    }
}

/// A tenant that no limit stops in a bench.
fn tenant(name: &str, issuer: &str) -> Result<Tenant> {
    let id = TenantId::try_from(name.to_owned())?;
    let mut tenant = Tenant::new(id, Issuer::try_from(issuer.to_owned())?, vec![AUDIENCE.to_owned()]);
    tenant.limits = Limits::try_from(UncheckedLimits {
        requests_per_second: 10_000,
        document_size: 1000 * (16 << 20),
        open_uploads: 1_000_000,
        bytes_in_flight: 1 << 50,
        client_percent: 100,
        ..UncheckedLimits::default()
    })?;
    Ok(tenant)
}

impl Cloud {
    /// Starts it in `folder`, on a thread of its own. It runs until the process ends.
    pub(crate) fn start(folder: PathBuf) -> Result<Self> {
        on_own_runtime(|| Self::open(folder))
    }

    async fn open(folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let mut options = Options::throwaway(folder.clone(), PathBuf::new());
        options.template = without_stream(&folder, &options.template)?;
        let template = read_template(&options)?;
        let key = AccessKey::open(&folder, || ("bench".to_owned(), "a secret of the bench".to_owned()))?;
        let front = Front::new(&template, &options.host, key)?;
        let stores = Stores::start(&template, &options, &front).await?;

        let issuer = Signer::new()?;
        let certificates = tls::Certificates::new()?;
        tls::write_roots(&folder, &certificates.authority)?;
        let plain =
            Urls { issuer: issuer.serve().await?, s3: stores.s3_url.clone(), dynamodb: stores.dynamodb_url.clone() };
        let secure = Urls {
            issuer: certificates.front(&plain.issuer).await?,
            s3: certificates.front(&plain.s3).await?,
            dynamodb: certificates.front(&plain.dynamodb).await?,
        };
        let urls = [plain, secure];
        let tenants = Tenants::of(stores.dynamodb_client.clone(), physical_name(TENANTS));
        for (wire, Urls { issuer: url, .. }) in [Wire::Plain, Wire::Tls].into_iter().zip(&urls) {
            put_tenant(&tenants, tenant(wire.tenant(), url)?, issuer.jwks().to_string()).await?;
        }
        let tokens = [issuer.token(&urls[0].issuer)?, issuer.token(&urls[1].issuer)?];
        Ok(Self { folder, stores, tokens, urls, front, template })
    }

    /// The token for requests to a function on this wire.
    pub(crate) fn token(&self, wire: Wire) -> &str {
        &self.tokens[wire as usize]
    }

    /// What Lambda and the template would have in the environment of the function of this logical id.
    pub(crate) fn environment(&self, function: &str, wire: Wire) -> BTreeMap<String, String> {
        let Urls { issuer, s3, dynamodb } = self.urls[wire as usize].clone();
        let own = self.template.functions().find(|(name, _)| *name == function);
        let mut environment = own.map(|(_, properties)| Template::environment(properties)).unwrap_or_default();
        let folder = self.folder.display();
        let AccessKey { id, secret } = self.front.access_key.clone();
        let mut given = vec![
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_REGION", okd_cli::REGION.to_owned()),
            ("AWS_DEFAULT_REGION", okd_cli::REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "bench".to_owned()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench".to_owned()),
            ("AWS_ENDPOINT_URL_S3", s3),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb),
            // What the others' code is told by names of its own.
            ("OKD_ISSUER", issuer),
            ("OKD_AUDIENCE", AUDIENCE.to_owned()),
            ("OKD_TENANTS_TABLE", physical_name(TENANTS)),
            ("OKD_TABLE", physical_name(DOCUMENTS)),
        ];
        if wire == Wire::Tls {
            given.extend([
                ("SSL_CERT_FILE", format!("{folder}/system.pem")),
                ("AWS_CA_BUNDLE", format!("{folder}/system.pem")),
                ("NODE_EXTRA_CA_CERTS", format!("{folder}/authority.pem")),
            ]);
        }
        environment.extend(given.into_iter().map(|(name, value)| (name.to_owned(), value)));
        environment
    }

    /// Calls of the stores that have been made so far.
    pub(crate) fn calls(&self) -> usize {
        self.front.faults.calls().len()
    }

    /// The names of the calls that were made since there were `before` of them.
    pub(crate) fn calls_since(&self, before: usize) -> Vec<String> {
        self.front.faults.calls().split_off(before).into_iter().map(|call| call.operation).collect()
    }
}

/// A copy of the template whose table has no stream: nobody reads it here, and to write it is half of what a write costs the
/// stand-in.
fn without_stream(folder: &Path, template: &Path) -> Result<PathBuf> {
    let text = std::fs::read_to_string(template)?;
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("StreamSpecification:"));
    let copy = folder.join("template.yaml");
    std::fs::write(&copy, lines.collect::<Vec<_>>().join("\n"))?;
    Ok(copy)
}

/// Starts what `open` opens on a runtime of its own, which lives until the process ends.
pub(crate) fn on_own_runtime<T, F>(open: impl FnOnce() -> F + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>>,
{
    let (started, opened) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a process may start threads");
        runtime.block_on(async {
            // Who waits for it is told why it did not start.
            let _ = started.send(open().await);
            std::future::pending::<()>().await;
        });
    });
    opened.recv()?
}

//! The OKD document service's cloud on one machine: no Docker, no account, no network.
//!
//! [`Cloud::start`] is all of it: a [gateway] in front of the [functions' processes](runtime), [S3](okd_s3) on a folder,
//! [`dynamodb`] on SQLite, their [`events`] and [`stream`], the [`bus`], [`sts`] and a token [`issuer`], put together
//! as `template.yaml` says; and between functions and stores [faults](okd_faults) that tests have happen. A
//! [`guard`] keeps web pages out, modes of files and [an access key](okd_cli::access_key) keep out other users of the machine.
//! It cannot be mistaken for AWS: it listens on loopback only, its names and keys say `local`, and it neither reads nor
//! passes on real credentials.

pub mod announced;
pub mod answers;
pub mod aws_json;
pub mod bus;
mod caller;
mod console;
pub mod contract_page;
mod delivery;
pub mod demo;
pub mod dynamodb;
pub mod events;
pub mod front;
mod functions;
pub mod gateway;
pub mod guard;
mod index_lag;
pub mod invariants;
pub mod issuer;
mod listen;
mod named;
pub mod policies;
pub mod runtime;
pub mod runtime_api;
mod s3_port;
pub mod sample;
pub mod scanner;
pub mod setup;
pub mod signed;
pub mod soak;
pub mod stores;
pub mod stream;
pub mod sts;
pub mod template;
pub mod welcome;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use aws_json::Port;
use bus::{Bus, Webhook};
use dynamodb::Tables;
use events::Events;
use front::Front;
use functions::{environments, functions};
use issuer::Issuer;
use listen::{Host, make_private, serve};
use okd_cli::{DOCUMENTS, TENANTS, access_key::AccessKey, physical_name, private_issuers};
use okd_core::{
    ids::TenantId,
    tenant::{Issuer as IssuerName, Limits, Tenant, UncheckedLimits},
};
use okd_faults::Faults;
use policies::Policies;
use runtime::Function;
use runtime_api::Failed;
use scanner::Scanner;
use stores::Stores;
use stream::Stream;
use template::Template;

pub use okd_cli::{Error, Result};
pub use okd_client as sender;

/// The functions' logs in the data folder, a JSON object a line.
pub const FUNCTIONS_LOG: &str = "functions.log";
/// The template's parameter that has new files screened.
pub const SCREENING: &str = "Screening";
/// The template's parameter that names the pages which may upload.
pub const UPLOAD_ORIGINS: &str = "UploadOrigins";
/// The tenant that is there from the start.
pub const OWN_TENANT: &str = "local-school";

/// Options for the start of a [`Cloud`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder in which everything is kept.
    pub data: PathBuf,
    /// The gateway's port; the issuer, S3, DynamoDB, the bus and STS have the next five. With 0 all are chosen freely.
    pub port: u16,
    /// The host in every URL. Everything listens on it where it is an address, and on loopback where it is a name.
    pub host: String,
    /// True if an answer waits until what it says is on the disk, and not only in the system's memory.
    pub durable: bool,
    /// True if the template's schedules run by themselves; if not, only [`Cloud::tick`] invokes them.
    pub clock: bool,
    /// The template to read.
    pub template: PathBuf,
    /// Values for its parameters, over those that the local cloud gives them.
    pub parameters: BTreeMap<String, String>,
    /// The executable that runs a function when called with `function NAME`.
    pub executable: PathBuf,
    /// Another S3 to use instead of ours.
    pub s3_endpoint: Option<String>,
    /// Another DynamoDB to use instead of ours. It feeds no function with its stream.
    pub dynamodb_endpoint: Option<String>,
    /// The key to these other stores. Without it: the data folder's own.
    pub access_key: Option<AccessKey>,
    /// Where to send announcements to, besides to the file.
    pub webhook: Option<Webhook>,
    /// True if the gateway has the page of the console at `/`, which may then upload.
    pub console: bool,
}

impl Options {
    /// A cloud to be thrown away: in this folder, on free ports, its clock standing still.
    pub fn throwaway(data: PathBuf, executable: PathBuf) -> Self {
        Self {
            data,
            port: 0,
            host: okd_cli::LOOPBACK.to_owned(),
            durable: false,
            clock: false,
            template: default_template(),
            parameters: BTreeMap::new(),
            executable,
            s3_endpoint: None,
            dynamodb_endpoint: None,
            access_key: None,
            webhook: None,
            console: false,
        }
    }

    /// Lets a page of the gateway put parts into the bucket, which is at another port.
    fn let_page_upload(&mut self, url: &str) {
        let origins = self.parameters.entry(UPLOAD_ORIGINS.to_owned()).or_default();
        let pages = [url.to_owned(), url.replace(&self.host, "localhost")];
        let known = origins.split(',').filter(|origin| !origin.is_empty()).map(str::to_owned);
        *origins = known.chain(pages).collect::<Vec<_>>().join(",");
    }
}

/// The template of this repository.
pub fn default_template() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/template.yaml"))
}

/// The running cloud. It runs until the process ends.
pub struct Cloud {
    /// The gateway's base URL.
    pub url: String,
    /// The issuer's base URL.
    pub issuer_url: String,
    /// The issuer itself, for tokens.
    pub issuer: Arc<Issuer>,
    /// The functions by their logical ids.
    pub functions: BTreeMap<String, Arc<Function>>,
    /// The bucket's name.
    pub bucket: String,
    /// The name of the table of documents.
    pub table: String,
    /// The table of tenants.
    pub tenants: okd_core::stores::Tenants,
    /// The base URL of the S3 in use.
    pub s3_url: String,
    /// The base URL of the DynamoDB in use.
    pub dynamodb_url: String,
    /// The key that the stores want.
    pub access_key: AccessKey,
    /// A client of the S3 in use.
    pub s3_client: aws_sdk_s3::Client,
    /// Our own S3, unless another is used.
    pub s3: Option<okd_s3::S3>,
    /// The folder in which everything is kept.
    pub data: PathBuf,
    /// Our own DynamoDB, or the way to another.
    pub tables: Tables,
    /// Between the functions and their stores.
    pub faults: Arc<Faults>,
    /// The rights of the functions, and those that they asked for.
    pub policies: Arc<Policies>,
    /// Between S3 and the functions.
    pub events: Arc<Events>,
    /// The scanner, where the template has one.
    pub scanner: Option<Arc<Scanner>>,
    /// Between our own DynamoDB and the functions.
    pub stream: Option<Arc<Stream>>,
    /// The functions' environments.
    pub environments: BTreeMap<String, BTreeMap<String, String>>,
}

impl Cloud {
    /// Starts everything and returns when it answers.
    pub async fn start(mut options: Options) -> Result<Self> {
        make_private(&options.data)?;
        let given = options.access_key.clone().map(Ok);
        let access_key = given.unwrap_or_else(|| AccessKey::open(&options.data, || (random_word(), random_word())))?;
        let (gateway, url) = Host { name: &options.host, port: options.port }.bind(0).await?;
        let feed = options.console.then(Arc::default);
        if feed.is_some() {
            options.let_page_upload(&url);
        }
        let template = read_template(&options)?;
        let front = Front::new(&template, &options.host, access_key.clone())?;
        let Front { guard, policies, faults, .. } = front.clone();
        let host = Host { name: &options.host, port: options.port };
        let (issuer_listener, issuer_url) = host.bind(1).await?;
        let issuer = Arc::new(Issuer::open(&options.data, issuer_url.clone())?);
        serve(issuer_listener, issuer.clone().router(), &guard);

        let Stores { s3_url, dynamodb_url, s3_client, dynamodb_client, s3, tables, written } =
            Stores::start(&template, &options, &front).await?;
        let bus = Bus::open(&options.data, options.durable, options.webhook.clone(), feed.clone())?;
        let (listener, bus_url) = host.bind(4).await?;
        tokio::spawn(bus.serve(Port::json(listener, &front)));

        let (listener, sts_url) = host.bind(5).await?;
        tokio::spawn(sts::serve(sts::port(listener, front), sts::roles(&template)));

        let endpoints = [
            ("AWS_ENDPOINT_URL_STS", sts_url.as_str()),
            ("AWS_ENDPOINT_URL_S3", s3_url.as_str()),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url.as_str()),
            ("AWS_ENDPOINT_URL_EVENTBRIDGE", bus_url.as_str()),
        ];
        let environments = environments(&template, &endpoints.into());
        let functions = functions(&template, &options, &environments, &access_key, &faults);
        let tenants = okd_core::stores::Tenants::of(dynamodb_client, physical_name(TENANTS));
        put_tenant(&tenants, own_tenant(&issuer_url)?, issuer.jwks().to_string()).await?;

        let function = |name: &str| functions.get(name).cloned();
        let only = |kind| template.resources(kind).next().map(|(name, _)| physical_name(name));
        let bucket = only("AWS::S3::Bucket").ok_or("the template has no bucket")?;
        let scanner = Scanner::start(&template, function, faults.clone(), s3_client.clone(), bucket.clone()).await?;
        let events = Events::start(&template, function, faults.clone(), (s3.clone(), scanner.clone()), &options.data);
        let stream = match options.dynamodb_endpoint {
            Some(_) => None,
            None => Stream::start(&template, function, &dynamodb::file(&options.data), written, &policies).await?,
        };
        if options.clock {
            events::schedule(&template, function)?;
        }
        let cloud = Self {
            url,
            issuer_url,
            issuer,
            bucket,
            table: physical_name(DOCUMENTS),
            tenants,
            access_key,
            s3_client,
            s3_url,
            dynamodb_url,
            s3,
            data: options.data.clone(),
            tables,
            faults,
            policies,
            events,
            scanner,
            stream,
            environments,
            functions,
        };
        let api = gateway::Gateway::new(&template, &cloud.functions, feed.clone())?.router();
        let pages = feed.map(|feed| console::routes(feed, cloud.issuer.clone())).unwrap_or_default();
        serve(gateway, api.merge(contract_page::routes()).merge(pages), &guard);
        Ok(cloud)
    }

    /// Strikes the clock of the reconcile function, which then says `time`, and waits until it has swept.
    pub async fn tick(&self, time: jiff::Timestamp) -> Result<(), Failed> {
        self.reconcile(events::clock(time)).await
    }

    /// Has the reconcile function look through the bucket, as if it were `time`, and waits until it has.
    pub async fn look_through(&self, time: jiff::Timestamp) -> Result<(), Failed> {
        self.reconcile(events::look_through(time)).await
    }

    async fn reconcile(&self, event: bytes::Bytes) -> Result<(), Failed> {
        let function = self.functions.get("ReconcileFunction");
        let function = function.ok_or(Failed::Error)?;
        function.invoke(event).await.map(drop)
    }
}

/// Reads the template with the parameters that it has here. (What an account may ask of AWS's gateway, and not what one
/// service lets through: measure what you like.)
pub fn read_template(options: &Options) -> Result<Template> {
    let ours = [
        ("PrivateIssuers", private_issuers(&options.host)),
        ("RequestsPerSecond", "10000".to_owned()),
        ("RequestBurst", "5000".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let mut parameters = BTreeMap::from(ours);
    parameters.extend(options.parameters.clone());
    Template::read(&options.template, &parameters)
}

/// Puts a tenant into the table, with the keys of its issuer.
pub async fn put_tenant(tenants: &okd_core::stores::Tenants, tenant: Tenant, keys: String) -> Result<()> {
    let place = tenant.key_place();
    okd_cli::tenant::put(tenants, tenant).await?;
    tenants.note_keys(&place, keys, jiff::Timestamp::now(), Duration::ZERO).await?;
    Ok(())
}

/// The tenant whose issuer is our own. It may ask as much as it likes.
fn own_tenant(issuer_url: &str) -> Result<Tenant> {
    let id = TenantId::try_from(OWN_TENANT.to_owned())?;
    let issuer = IssuerName::try_from(issuer_url.to_owned())?;
    let mut tenant = Tenant::new(id, issuer, vec![issuer::AUDIENCE.to_owned()]);
    tenant.limits = Limits::try_from(UncheckedLimits { requests_per_second: 10_000, ..UncheckedLimits::default() })?;
    Ok(tenant)
}

/// A word that cannot be guessed.
fn random_word() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

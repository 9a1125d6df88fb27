//! `cargo run -- tenant`: adds, changes, lists, shows and removes tenants, of the cloud that runs on this machine or, with
//! `--table`, of a deployed one, by the usual `AWS_*` settings.

use std::{fmt, io::Write, path::PathBuf, str::FromStr, time::Instant};

use jiff::Timestamp;
use okd_core::{
    Stores,
    document::Document,
    ids::TenantId,
    stores::{self, Changed, Documents, Files, Tenants},
    tenant::{Issuer, KeyUrl, Limits, Signature, Tenant, UncheckedLimits},
    token::{self, Fetcher, KeyCount, count_keys},
    use_cases,
};

use crate::{
    DATA, DOCUMENTS, FILES, LOOPBACK, Result, TENANTS, access_key::AccessKey, private_issuers, setup,
    template::physical_name,
};

/// `tenant`'s arguments.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: Place,
}

/// The cloud whose tenants are meant.
#[derive(clap::Args)]
struct Place {
    /// The table of tenants of a deployed stack (its output `Tenants`). Without it: the cloud on this machine.
    #[arg(long, global = true, env = "OKD_TENANTS_TABLE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    table: Option<String>,
    /// Its table of documents (its output `Documents`), for what a tenant has open.
    #[arg(long, global = true)]
    documents: Option<String>,
    /// Its bucket (its output `Files`), to end uploads.
    #[arg(long, global = true)]
    files: Option<String>,
    /// The data folder of the cloud on this machine, which has the key to its stores.
    #[arg(long, global = true, default_value = DATA)]
    data: PathBuf,
    /// The host of the cloud on this machine: of `cargo run -- stores` another.
    #[arg(long, global = true, default_value = LOOPBACK)]
    host: String,
    /// The port of the cloud on this machine.
    #[arg(long, global = true, default_value_t = 7080, value_parser = clap::value_parser!(u16).range(..=65532))]
    port: u16,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Add a tenant, or with --replace change one. It counts for everybody within a minute.
    Add(Box<Add>),
    /// List all tenants.
    List,
    /// Show a tenant, and with --documents what it has open.
    Show { tenant: Id },
    /// List the uploads that a tenant has open (with --documents): document, client, bytes, when each ends.
    Uploads {
        tenant: Id,
        /// Only those of this client.
        #[arg(long)]
        client: Option<String>,
        /// End them (with --files too): their senders may begin again, and what was stored before stays.
        #[arg(long)]
        abort: bool,
    },
    /// Remove a tenant: its tokens are refused within a minute. Its documents stay, and its name is theirs.
    Remove {
        tenant: Id,
        /// End the uploads that it has open, with --documents and --files. Without this it must have none.
        #[arg(long)]
        abort_uploads: bool,
    },
}

#[derive(clap::Args)]
struct Add {
    /// Its name: 1 to 40 of a-z, 0-9 and '-'. Its documents are kept under this name.
    tenant: Id,
    /// The issuer of its tokens: their iss, letter for letter.
    #[arg(long, required_unless_present = "replace")]
    issuer: Option<String>,
    /// An aud that its tokens may have; may be repeated.
    #[arg(long, required_unless_present = "replace", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    audience: Vec<String>,
    /// Take the `client_id` of a token that has no aud for its audience, as Amazon Cognito's access tokens have none:
    /// --audience then names each client that may come.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    client_as_audience: Option<bool>,
    /// The URL at which the issuer publishes its keys; without it, the one that its discovery document names.
    #[arg(long)]
    jwks: Option<KeyUrl>,
    /// A signature that is accepted, such as RS256; may be repeated. Without it: every asymmetric one.
    #[arg(long)]
    algorithm: Vec<Signature>,
    /// A claim that scopes are found in, such as roles or `realm_access.roles`; may be repeated. Without it: scope,
    /// scp and roles.
    #[arg(long)]
    scope_claim: Vec<String>,
    /// Text that the issuer puts in front of each scope, such as okd/ where Amazon Cognito's resource server is called okd.
    /// Scopes without it then count for nothing.
    #[arg(long)]
    scope_prefix: Option<String>,
    /// A claim that names the client; may be repeated. Without it: `client_id`, azp and appid.
    #[arg(long)]
    client_claim: Vec<String>,
    /// Let its clients see each other's documents, and go on with each other's uploads or abort them.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    shared: Option<bool>,
    /// Tell its clients that a document is stored before its bytes were compared with a SHA-256 that they declared. Without it
    /// they are told so when that is done, seconds later.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    trust_unverified: Option<bool>,
    #[arg(long, help = limit("Bytes in a document, at most", UncheckedLimits::default().document_size))]
    document_size: Option<u64>,
    #[arg(long, help = limit("Bytes of metadata, at most", UncheckedLimits::default().metadata_size))]
    metadata_size: Option<usize>,
    #[arg(long, help = limit("Uploads open at once, at most", UncheckedLimits::default().open_uploads))]
    open_uploads: Option<u64>,
    #[arg(long, help = limit("Bytes on their way at once, at most", UncheckedLimits::default().bytes_in_flight))]
    bytes_in_flight: Option<u64>,
    #[arg(long, help = limit("How much of both one client may have, in percent", UncheckedLimits::default().client_percent))]
    client_percent: Option<u64>,
    #[arg(long, help = limit("Seconds that a part's URL lives", UncheckedLimits::default().part_url_seconds))]
    part_url_seconds: Option<u64>,
    #[arg(long, help = limit("Requests a second that one process of the service sees to", UncheckedLimits::default().requests_per_second))]
    requests_per_second: Option<u32>,
    /// Change a tenant that is there already; what is not given here stays as it is. Another issuer gets at its documents
    /// by that.
    #[arg(long)]
    replace: bool,
    /// Give the tenant the documents of one of this name that was removed.
    #[arg(long)]
    take_over_documents: bool,
    /// The origins of issuers that the stack may fetch keys from although they are private (its parameter `PrivateIssuers`).
    #[arg(long, env = "OKD_PRIVATE_ISSUERS", default_value = "none", hide_default_value = true)]
    private_issuers: String,
    /// Add it although its issuer's keys cannot be fetched from here.
    #[arg(long)]
    unchecked: bool,
}

/// The help on a limit.
fn limit(what: &str, default: impl fmt::Display) -> String {
    format!("{what}. Without it: {default}")
}

/// A tenant's id on the command line.
#[derive(Clone)]
struct Id(TenantId);

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.to_owned().try_into().map(Self)
    }
}

/// The stores that the command works on.
struct Clients {
    tenants: Tenants,
    /// The table of documents, where it is known.
    documents: Option<Documents>,
    /// The bucket, where it is known.
    files: Option<Files>,
    /// On this machine, the origins of issuers that are on it too.
    private_issuers: Option<String>,
}

impl Clients {
    async fn of(place: Place) -> Result<Self> {
        let Place { table, documents, files, data, host, port } = place;
        let is_local = table.is_none();
        let local = |offset: u16| format!("http://{host}:{}", port + offset);
        let (dynamodb, s3) = if is_local {
            let key = AccessKey::read(&data).map_err(|error| format!("{error}. {WHICH_CLOUD}"))?;
            (setup::dynamodb_client(&local(3), &key), setup::s3_client(&local(2), &key))
        } else {
            let sdk = stores::connect().await;
            (aws_sdk_dynamodb::Client::new(&sdk), aws_sdk_s3::Client::new(&sdk))
        };
        let named = |given: Option<String>, id| given.or_else(|| is_local.then(|| physical_name(id)));
        let documents = named(documents, DOCUMENTS);
        let files = named(files, FILES);
        Ok(Self {
            tenants: Tenants::of(dynamodb.clone(), table.unwrap_or_else(|| physical_name(TENANTS))),
            documents: documents.map(|table| Documents::of(dynamodb, table)),
            files: files.map(|bucket| Files::of(s3, bucket)),
            private_issuers: is_local.then(|| private_issuers(&host)),
        })
    }

    /// Both stores of the documents.
    fn stores(self) -> Result<Stores> {
        match (self.documents, self.files) {
            (Some(documents), Some(files)) => Ok(Stores { documents, files }),
            _ => {
                Err("say where the documents are: --documents and --files, the stack's outputs Documents and Files"
                    .into())
            }
        }
    }
}

/// Does what is asked, and says so.
pub async fn run(arguments: Arguments) -> Result<()> {
    let clients = Clients::of(arguments.place).await?;
    let said = match arguments.command {
        Command::Add(add) => add_one(&clients, *add).await?,
        Command::List => list(all(&clients.tenants).await?),
        Command::Show { tenant } => {
            let tenant = find(&clients.tenants, &tenant.0).await?;
            show(&tenant, clients.documents.as_ref()).await?
        }
        Command::Uploads { tenant, client, abort } => {
            let tenant = tenant.0;
            find_ever(&clients.tenants, &tenant).await?;
            let client = client.as_deref();
            let stores = clients.stores()?;
            let open = use_cases::open_uploads(&stores, &tenant, client).await?;
            if abort { end(&stores, open).await? } else { list_uploads(&open) }
        }
        Command::Remove { tenant, abort_uploads } => remove(clients, &tenant.0, abort_uploads).await?,
    };
    writeln!(std::io::stdout(), "{said}")?;
    Ok(())
}

/// The hint to give when no table can be read.
const WHICH_CLOUD: &str = "For the cloud on this machine: is it running (`cargo run`), with the --data and at the --port \
                           given here? For a deployed stack: is --table its output Tenants, and do AWS_PROFILE and \
                           AWS_REGION say where it is?";

async fn all(tenants: &Tenants) -> Result<Vec<Tenant>> {
    let mut all = ever(tenants).await?;
    all.retain(|tenant| tenant.removed.is_none());
    Ok(all)
}

/// Every tenant, and those that were removed.
async fn ever(tenants: &Tenants) -> Result<Vec<Tenant>> {
    tenants.ever().await.map_err(|error| {
        let cause = error.to_string();
        format!("{cause}. {WHICH_CLOUD}").into()
    })
}

async fn find(tenants: &Tenants, id: &TenantId) -> Result<Tenant> {
    let found = all(tenants).await?;
    let found = found.into_iter().find(|tenant| tenant.tenant == *id);
    found.ok_or_else(|| no_tenant(id))
}

/// The same, be it removed.
async fn find_ever(tenants: &Tenants, id: &TenantId) -> Result<Tenant> {
    let found = ever(tenants).await?;
    let found = found.into_iter().find(|tenant| tenant.tenant == *id);
    found.ok_or_else(|| no_tenant(id))
}

fn no_tenant(id: &TenantId) -> crate::Error {
    format!("there is no tenant {id}; `tenant list` lists them").into()
}

/// The tenant goes first, so that nothing new is begun under it; then what it has open.
async fn remove(clients: Clients, id: &TenantId, abort_uploads: bool) -> Result<String> {
    let tenant = find(&clients.tenants, id).await?;
    if let Some(documents) = clients.documents.as_ref().filter(|_| !abort_uploads) {
        let open = documents.usage(id).await?.uploads;
        if open > 0 {
            return Err(format!(
                "{id} has {open} uploads open: end them with --abort-uploads, or wait until `tenant show {id}` tells of none"
            )
            .into());
        }
    }
    let removed = clients.tenants.remove(&tenant, Timestamp::now()).await?;
    certain(removed)?;
    let removed = format!("{id} is removed; its tokens are refused within a minute, its documents stay");
    if !abort_uploads {
        return Ok(removed);
    }
    let stores = clients.stores()?;
    let open = use_cases::open_uploads(&stores, id, None).await?;
    Ok(format!("{removed}; {}", end(&stores, open).await?))
}

async fn end(stores: &Stores, open: Vec<Document>) -> Result<String> {
    let count = open.len();
    for document in open {
        use_cases::end_upload(stores, document, Timestamp::now()).await?;
    }
    Ok(format!("{count} uploads have ended"))
}

fn list_uploads(open: &[Document]) -> String {
    if open.is_empty() {
        return "no upload is open".to_owned();
    }
    let line = |document: &Document| {
        let upload = document.upload.as_ref()?;
        let (id, client) = (document.id, &document.client);
        let (bytes, ends) = (upload.plan.size.bytes(), upload.expires_at);
        Some(format!("{id}  {client}  {bytes} bytes  until {ends}"))
    };
    let lines: Vec<String> = open.iter().filter_map(line).collect();
    lines.join("\n")
}

async fn add_one(clients: &Clients, add: Add) -> Result<String> {
    let known = ever(&clients.tenants).await?;
    let id = &add.tenant.0;
    let before = known.iter().find(|known| known.tenant == *id);
    check_name(&add, before)?;
    let (replace, unchecked) = (add.replace, add.unchecked);
    let private = match &clients.private_issuers {
        Some(local) => local.clone(),
        None => add.private_issuers.clone(),
    };
    let tenant = described(add, before)?;
    let id = &tenant.tenant;
    let same = |other: &&Tenant| {
        let mut names = other.audiences.iter();
        other.tenant != tenant.tenant
            && other.removed.is_none()
            && other.issuer == tenant.issuer
            && names.any(|name| tenant.audiences.contains(name))
    };
    if let Some(other) = known.iter().find(same) {
        let other = &other.tenant;
        return Err(
            format!("{other} has this issuer and audience already: nobody could tell whose token is whose").into()
        );
    }
    let (began, clock) = (Timestamp::now(), Instant::now());
    let keys = if unchecked { None } else { Some(fetch_keys(&tenant, &private).await?) };
    certain(clients.tenants.add(&tenant, before).await?)?;
    if let Some(keys) = keys {
        let (tenants, place) = (&clients.tenants, tenant.key_place());
        tenants.note_keys(&place, keys, began, clock.elapsed()).await?;
    }
    let done = if replace { "changed" } else { "added" };
    Ok(format!("{id} is {done}, for every request within a minute; its documents are those under the name {id}"))
}

/// Refuses a name that is taken, or that is to be changed and is no tenant's.
fn check_name(add: &Add, before: Option<&Tenant>) -> Result<()> {
    let id = &add.tenant.0;
    let problem = match before {
        Some(before) if before.removed.is_some() && !add.take_over_documents => format!(
            "there was a tenant {id}, and its documents are there still: take another name, or give them to this one with \
             --take-over-documents"
        ),
        Some(before) if before.removed.is_none() && !add.replace => {
            format!("there is a tenant {id} already; change it with --replace")
        }
        None if add.replace => {
            format!("there is no tenant {id} to replace; `tenant list` lists them")
        }
        _ => return Ok(()),
    };
    Err(problem.into())
}

fn certain(changed: Changed) -> Result<()> {
    match changed {
        Changed::Done => Ok(()),
        Changed::Conflict => Err("somebody else has changed this tenant meanwhile; look again".into()),
    }
}

/// The tenant that these arguments describe: what they do not name is as it was `before`, or the default where it was
/// removed or never there.
fn described(add: Add, before: Option<&Tenant>) -> Result<Tenant> {
    let edited = before.filter(|before| before.removed.is_none());
    let issuer = add.issuer.map(Issuer::try_from).transpose()?;
    let mut tenant = match (edited, issuer) {
        // Another issuer has other keys.
        (Some(edited), Some(issuer)) if issuer != edited.issuer => Tenant { issuer, jwks: None, ..edited.clone() },
        (Some(edited), _) => edited.clone(),
        (None, Some(issuer)) => Tenant::new(add.tenant.0, issuer, Vec::new()),
        (None, None) => return Err("a new tenant has an --issuer".into()),
    };
    if let Some(before) = before {
        tenant.salt = before.salt.clone();
    }
    let limits = UncheckedLimits::from(tenant.limits);
    tenant.limits = Limits::try_from(UncheckedLimits {
        document_size: add.document_size.unwrap_or(limits.document_size),
        metadata_size: add.metadata_size.unwrap_or(limits.metadata_size),
        open_uploads: add.open_uploads.unwrap_or(limits.open_uploads),
        bytes_in_flight: add.bytes_in_flight.unwrap_or(limits.bytes_in_flight),
        client_percent: add.client_percent.unwrap_or(limits.client_percent),
        part_url_seconds: add.part_url_seconds.unwrap_or(limits.part_url_seconds),
        requests_per_second: add.requests_per_second.unwrap_or(limits.requests_per_second),
    })?;
    set(&mut tenant.client_as_audience, add.client_as_audience);
    set(&mut tenant.shared, add.shared);
    set(&mut tenant.trust_unverified, add.trust_unverified);
    set(&mut tenant.scope_prefix, add.scope_prefix);
    set_list(&mut tenant.audiences, add.audience);
    set_list(&mut tenant.algorithms, add.algorithm);
    set_list(&mut tenant.scope_claims, add.scope_claim);
    set_list(&mut tenant.client_claims, add.client_claim);
    tenant.jwks = add.jwks.or(tenant.jwks);
    Ok(tenant)
}

fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

fn set_list<T>(value: &mut Vec<T>, given: Vec<T>) {
    if !given.is_empty() {
        *value = given;
    }
}

/// Fetches the issuer's keys, as the service will, and asks for one that can check a token.
async fn fetch_keys(tenant: &Tenant, private: &str) -> Result<String> {
    let private = private.split_whitespace().map(str::to_owned);
    let fetcher = Fetcher::new(private.collect());
    let keys = token::published(&fetcher, &tenant.key_place()).await;
    let keys = keys.map_err(|error| {
        format!("the issuer's keys are out of reach: {error}. Check --issuer and --jwks, or add it --unchecked")
    })?;
    match count_keys(tenant, &keys)? {
        KeyCount { usable: 1.., .. } => Ok(keys),
        KeyCount { without_id: 1.., .. } => Err(
            "the issuer's keys have no kid, so no token can name the one that signed it: have its administrator publish \
             each key with a kid"
                .into(),
        ),
        KeyCount { .. } => Err(
            "the issuer publishes no key for a signature that this tenant accepts: a public RSA key of 2048 to 8192 bits, \
             or a point on P-256, P-384 or Ed25519, whose use and alg are for such signatures"
                .into(),
        ),
    }
}

fn list(tenants: Vec<Tenant>) -> String {
    if tenants.is_empty() {
        return "there is no tenant yet; `tenant add` adds one".to_owned();
    }
    let line = |tenant: Tenant| {
        let audiences = tenant.audiences.join(" ");
        format!("{}  {}  {audiences}", tenant.tenant, tenant.issuer)
    };
    tenants.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

async fn show(tenant: &Tenant, documents: Option<&Documents>) -> Result<String> {
    let mut shown = serde_json::to_value(tenant)?;
    if let Some(documents) = documents {
        let usage = documents.usage(&tenant.tenant).await?;
        shown["usage"] = serde_json::json!({
            "openUploads": usage.uploads,
            "bytesInFlight": usage.bytes,
        });
    }
    Ok(serde_json::to_string_pretty(&shown)?)
}

/// Adds a tenant, or puts it in the place of what it was, unless it is that still. What its document ids are made with stays.
pub(crate) async fn put(tenants: &Tenants, tenant: Tenant) -> Result<()> {
    let known = tenants.ever().await?;
    let before = known.into_iter().find(|known| known.tenant == tenant.tenant);
    let Some(before) = before else {
        return certain(tenants.add(&tenant, None).await?);
    };
    let tenant = Tenant { salt: before.salt.clone(), revision: before.revision, ..tenant };
    if tenant == before {
        return Ok(());
    }
    certain(tenants.add(&tenant, Some(&before)).await?)
}

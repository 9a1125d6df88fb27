//! `cargo run -- tenant`: adds, lists, shows and removes tenants, of the cloud that runs on this machine or, with
//! `--table`, of a deployed one, by the usual `AWS_*` settings.

use std::{io::Write, str::FromStr};

use okd_core::{
    stores::{self, Changed, Documents, Tenants},
    tenant::{Issuer, KeyUrl, Limits, Signature, Tenant, TenantId, UncheckedLimits},
    token::{Fetcher, count_keys},
};

use crate::{DOCUMENTS, LOOPBACK, PRIVATE_HOSTS, Result, TENANTS, setup, template::physical_name};

/// `tenant`'s arguments.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The table of tenants of a deployed stack (its output `Tenants`). Without it: the cloud on this machine.
    #[arg(long, global = true, env = "OKD_TENANTS_TABLE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    table: Option<String>,
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
    Show {
        tenant: Id,
        /// The table of documents of a deployed stack (its output `Documents`).
        #[arg(long)]
        documents: Option<String>,
    },
    /// Remove a tenant: its tokens are refused within a minute. Its documents stay.
    Remove { tenant: Id },
}

#[derive(clap::Args)]
struct Add {
    /// What to call it: 1 to 40 of a-z, 0-9 and '-'. Its documents are kept under this name.
    tenant: Id,
    /// Who issues its tokens: their iss, letter for letter.
    #[arg(long)]
    issuer: String,
    /// An aud that its tokens may have; may be repeated.
    #[arg(long, required = true, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    audience: Vec<String>,
    /// Where the issuer publishes its keys; without it, where its discovery document says.
    #[arg(long)]
    jwks: Option<KeyUrl>,
    /// A signature that is accepted, such as RS256; may be repeated. Without it: every asymmetric one.
    #[arg(long)]
    algorithm: Vec<Signature>,
    /// A claim that scopes are found in, such as roles or `realm_access.roles`; may be repeated. Without it: scope,
    /// scp and roles.
    #[arg(long)]
    scope_claim: Vec<String>,
    /// A claim that names the client; may be repeated. Without it: `client_id`, azp and appid.
    #[arg(long)]
    client_claim: Vec<String>,
    /// Let its clients see each other's documents, and go on with each other's uploads or abort them.
    #[arg(long)]
    shared: bool,
    /// Bytes in a document, at most.
    #[arg(long, default_value_t = UncheckedLimits::default().document_size)]
    document_size: u64,
    /// Bytes of metadata, at most.
    #[arg(long, default_value_t = UncheckedLimits::default().metadata_size)]
    metadata_size: usize,
    /// Uploads open at once, at most.
    #[arg(long, default_value_t = UncheckedLimits::default().open_uploads)]
    open_uploads: u64,
    /// Bytes on their way at once, at most.
    #[arg(long, default_value_t = UncheckedLimits::default().bytes_in_flight)]
    bytes_in_flight: u64,
    /// Seconds that a part's URL lives.
    #[arg(long, default_value_t = UncheckedLimits::default().part_url_seconds)]
    part_url_seconds: u64,
    /// Change a tenant that is there already; what is not given here becomes the default. Another issuer gets at its
    /// documents by that.
    #[arg(long)]
    replace: bool,
    /// Add it although its issuer's keys cannot be fetched from here.
    #[arg(long)]
    unchecked: bool,
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

/// Does what is asked, and says so.
pub async fn run(arguments: Arguments) -> Result<()> {
    let local = arguments.table.is_none();
    let dynamodb = if local {
        setup::dynamodb_client(&format!("http://{}:{}", arguments.host, arguments.port + 3))
    } else {
        aws_sdk_dynamodb::Client::new(&stores::connect().await)
    };
    let table = arguments.table.unwrap_or_else(|| physical_name(TENANTS));
    let tenants = Tenants::of(dynamodb.clone(), table);
    let said = match arguments.command {
        Command::Add(add) => add_one(&tenants, *add, local).await?,
        Command::List => list(all(&tenants).await?),
        Command::Show { tenant, documents } => {
            let documents = documents.or_else(|| local.then(|| physical_name(DOCUMENTS)));
            let documents = documents.map(|table| Documents::of(dynamodb, table));
            show(&find(&tenants, &tenant.0).await?, documents).await?
        }
        Command::Remove { tenant } => {
            let found = find(&tenants, &tenant.0).await?;
            certain(tenants.remove(&found).await?)?;
            format!(
                "{} is removed; its tokens are refused within a minute, its documents stay",
                tenant.0
            )
        }
    };
    writeln!(std::io::stdout(), "{said}")?;
    Ok(())
}

async fn all(tenants: &Tenants) -> Result<Vec<Tenant>> {
    let all = tenants.all().await;
    all.map_err(|error| {
        let cause = error.for_the_log();
        format!(
            "{cause}. For the cloud on this machine: is it running (`cargo run`), and at the --port given here? For a \
             deployed stack: is --table its output Tenants, and do AWS_PROFILE and AWS_REGION say where it is?"
        )
        .into()
    })
}

async fn find(tenants: &Tenants, id: &TenantId) -> Result<Tenant> {
    let found = all(tenants).await?;
    let found = found.into_iter().find(|tenant| tenant.tenant == *id);
    found.ok_or_else(|| format!("there is no tenant {id}; `tenant list` lists them").into())
}

async fn add_one(tenants: &Tenants, add: Add, local: bool) -> Result<String> {
    let (replace, unchecked) = (add.replace, add.unchecked);
    let tenant = described(add)?;
    let known = all(tenants).await?;
    let before = known.iter().find(|known| known.tenant == tenant.tenant);
    if before.is_some() && !replace {
        return Err(format!(
            "there is a tenant {} already; change it with --replace",
            tenant.tenant
        )
        .into());
    }
    if before.is_none() && replace {
        let id = &tenant.tenant;
        return Err(format!("there is no tenant {id} to replace; `tenant list` lists them").into());
    }
    let same = |other: &&Tenant| {
        let mut names = other.audiences.iter();
        other.tenant != tenant.tenant
            && other.issuer == tenant.issuer
            && names.any(|name| tenant.audiences.contains(name))
    };
    if let Some(other) = known.iter().find(same) {
        let other = &other.tenant;
        return Err(format!(
            "{other} has this issuer and audience already: nobody could tell whose token is whose"
        )
        .into());
    }
    if !unchecked {
        check(&tenant, local).await?;
    }
    certain(tenants.add(&tenant, before).await?)?;
    let done = if before.is_some() { "changed" } else { "added" };
    let id = &tenant.tenant;
    Ok(format!(
        "{id} is {done}, for every request within a minute; its documents are those under the name {id}"
    ))
}

fn certain(changed: Changed) -> Result<()> {
    match changed {
        Changed::Done => Ok(()),
        Changed::Conflict => {
            Err("somebody else has changed this tenant meanwhile; look again".into())
        }
    }
}

/// The tenant that these arguments describe.
fn described(add: Add) -> Result<Tenant> {
    let limits = UncheckedLimits {
        document_size: add.document_size,
        metadata_size: add.metadata_size,
        open_uploads: add.open_uploads,
        bytes_in_flight: add.bytes_in_flight,
        part_url_seconds: add.part_url_seconds,
    };
    let mut tenant = Tenant::new(add.tenant.0, Issuer::try_from(add.issuer)?, add.audience);
    tenant.jwks = add.jwks;
    tenant.shared = add.shared;
    tenant.limits = Limits::try_from(limits)?;
    if !add.algorithm.is_empty() {
        tenant.algorithms = add.algorithm;
    }
    if !add.scope_claim.is_empty() {
        tenant.scope_claims = add.scope_claim;
    }
    if !add.client_claim.is_empty() {
        tenant.client_claims = add.client_claim;
    }
    Ok(tenant)
}

/// Fetches the issuer's keys, as the service will.
async fn check(tenant: &Tenant, local: bool) -> Result<()> {
    let private = PRIVATE_HOSTS.into_iter().filter(|_| local);
    let fetcher = Fetcher::new(private.map(str::to_owned).collect());
    match count_keys(tenant, &fetcher).await {
        Ok(0) => Err("the issuer publishes no key for a signature that this tenant accepts".into()),
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "the issuer's keys are out of reach: {error}. Check --issuer and --jwks, or add it --unchecked"
        )
        .into()),
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

async fn show(tenant: &Tenant, documents: Option<Documents>) -> Result<String> {
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

/// Adds a tenant, or puts it in the place of what it was, unless it is that still.
pub(crate) async fn put(tenants: &Tenants, tenant: &Tenant) -> Result<()> {
    let known = tenants.all().await?;
    let before = known.iter().find(|known| known.tenant == tenant.tenant);
    let differs = |before: &Tenant| {
        let revision = before.revision;
        let tenant = tenant.clone();
        *before != Tenant { revision, ..tenant }
    };
    if before.is_none_or(differs) {
        certain(tenants.add(tenant, before).await?)?;
    }
    Ok(())
}

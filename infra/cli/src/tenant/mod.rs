//! `cargo run -- tenant`: adds, changes, lists, shows and removes tenants, of the cloud that runs on this machine or,
//! with `--table`, of a deployed one, by the usual `AWS_*` settings.

mod add;
mod documents;
mod retention;
mod show;

use std::{io::Write, path::PathBuf, str::FromStr};

use jiff::Timestamp;

use okd_core::{
    Stores,
    document::Document,
    ids::TenantId,
    stores::{Documents, Files, Tenants},
    tenant::Tenant,
    use_cases,
};

use crate::{
    DATA, DOCUMENTS, FILES, LOOPBACK, Result, TENANTS, access_key::AccessKey, physical_name, private_issuers, stores,
};

use add::{Add, add_one, certain};
use documents::OfDocument;
use show::{list, list_uploads, show};

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
    /// Bring back a document that a client of the tenant deleted (with --documents and --files): what was current before is
    /// so again.
    Undelete(OfDocument),
    /// Destroy a document, whatever its retention (with --documents and --files): its bytes and all that was said of it.
    Destroy(OfDocument),
    /// Put a legal hold on a document (with --documents and --files): nobody replaces its bytes.
    Hold {
        #[command(flatten)]
        document: OfDocument,
        /// The reason, for who looks later.
        #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
        reason: String,
    },
    /// End the hold on a document.
    Release(OfDocument),
    /// Show for how long a tenant's documents are kept, by type and subtype.
    Retention {
        tenant: Id,
        /// Put the rules in this JSON file into their place; see docs/operating/retention.md.
        #[arg(long, value_name = "FILE")]
        set: Option<PathBuf>,
    },
    /// Remove a tenant: its tokens are refused within a minute. Its documents stay, and its name is theirs.
    Remove {
        tenant: Id,
        /// End the uploads that it has open, with --documents and --files. Without this it must have none.
        #[arg(long)]
        abort_uploads: bool,
    },
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
            (stores::dynamodb_client(&local(3), &key), stores::s3_client(&local(2), &key))
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

    /// Both stores of the documents, to change none of the contents.
    fn stores(self) -> Result<Stores> {
        match (self.documents, self.files) {
            (Some(documents), Some(files)) => Ok(Stores { documents, files, screens: false }),
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
        Command::Undelete(document) => documents::undelete(&clients.stores()?, &document.key()?).await?,
        Command::Destroy(document) => documents::destroy(&clients.stores()?, &document.key()?).await?,
        Command::Hold { document, reason } => {
            documents::hold(&clients.stores()?, &document.key()?, Some(&reason)).await?
        }
        Command::Release(document) => documents::hold(&clients.stores()?, &document.key()?, None).await?,
        Command::Retention { tenant, set } => retention::retention(&clients.tenants, &tenant.0, set.as_deref()).await?,
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

/// Adds a tenant, or puts it in the place of what it was, unless it is that still. What its document ids are made with
/// stays.
pub async fn put(tenants: &Tenants, tenant: Tenant) -> Result<()> {
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

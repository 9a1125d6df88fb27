//! Where the service is and who calls it: said by flags, by the environment, or by a file, in this order.

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use okd_client::{Client, Credential, Error, Result, Sender, Tokens};
use serde::Deserialize;

/// Where the service is and who calls it.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Service")]
pub(crate) struct Settings {
    /// The base URL of the service, such as <https://dms.example/live>.
    #[arg(long, env = "OKD_URL", global = true)]
    url: Option<String>,
    /// A file with a bearer token; - is the standard input.
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// A bearer token. Others on this machine may read a command line: better set `OKD_TOKEN`, or use --token-file.
    #[arg(long, env = "OKD_TOKEN", hide_env_values = true, global = true)]
    token: Option<String>,
    /// The issuer of tokens, or its token endpoint.
    #[arg(long, env = "OKD_ISSUER", global = true)]
    issuer: Option<String>,
    /// The id of this client at the issuer.
    #[arg(long, env = "OKD_CLIENT_ID", global = true)]
    client_id: Option<String>,
    /// A file with the client's secret; - is the standard input. In the environment it is `OKD_CLIENT_SECRET`.
    #[arg(long, value_name = "FILE", global = true)]
    client_secret_file: Option<PathBuf>,
    /// A file with the client's private key (PEM), where it proves itself by one instead of a secret (`private_key_jwt`).
    #[arg(long, env = "OKD_CLIENT_KEY_FILE", value_name = "FILE", global = true)]
    client_key_file: Option<PathBuf>,
    /// The id of that key at the issuer.
    #[arg(long, env = "OKD_CLIENT_KEY_ID", global = true)]
    client_key_id: Option<String>,
    /// The scopes to ask the issuer for.
    #[arg(long, env = "OKD_SCOPE", global = true)]
    scope: Option<String>,
    /// The audience to ask the issuer for.
    #[arg(long, env = "OKD_AUDIENCE", global = true)]
    audience: Option<String>,
    /// A file with these settings (TOML); ~/.config/okd.toml, if it is there.
    #[arg(long, env = "OKD_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Parts, or files of a batch, sent at once.
    #[arg(long, global = true)]
    parallel: Option<usize>,
    /// Seconds for which to go on asking where there is no answer.
    #[arg(long, global = true)]
    patience: Option<u64>,
    /// Allow tokens to be sent by plain http to another machine.
    #[arg(long, global = true)]
    allow_http: bool,
    /// Show no progress.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Print JSON for machines.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The same in a file.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct InFile {
    url: Option<String>,
    token_file: Option<PathBuf>,
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    client_key_file: Option<PathBuf>,
    client_key_id: Option<String>,
    scope: Option<String>,
    audience: Option<String>,
    parallel: Option<usize>,
    patience: Option<u64>,
}

impl Settings {
    /// A sender as they say.
    pub(crate) fn sender(&self) -> Result<Sender> {
        let file = self.file()?;
        let url = self.url_or(&file)?;
        self.check_scheme(&url)?;
        let mut sender = Sender::with_tokens(&url, self.tokens(&file)?);
        if let Some(parallel) = self.parallel.or(file.parallel) {
            sender.parallel = parallel;
        }
        sender.set_patience(Duration::from_secs(self.patience.or(file.patience).unwrap_or(300)));
        sender.set_longest_pause(Duration::from_secs(30));
        Ok(sender)
    }

    /// The base URL of the service.
    pub(crate) fn url(&self) -> Result<String> {
        self.url_or(&self.file()?)
    }

    fn url_or(&self, file: &InFile) -> Result<String> {
        let url = self.url.as_ref().or(file.url.as_ref()).ok_or_else(|| missing("--url"))?;
        Ok(url.trim_end_matches('/').to_owned())
    }

    /// Refuses a URL to which a token or a secret would go in the open.
    fn check_scheme(&self, url: &str) -> Result<()> {
        if self.allow_http || is_private_enough(url) {
            return Ok(());
        }
        Err(Error::Usage(format!("{url} is no https: a token would be read on the way; --allow-http allows it")))
    }

    /// Files of a batch sent at once.
    pub(crate) fn files_at_once(&self) -> Result<usize> {
        Ok(self.parallel.or(self.file()?.parallel).unwrap_or(8).max(1))
    }

    fn tokens(&self, file: &InFile) -> Result<Tokens> {
        if let Some(path) = &self.token_file {
            return Ok(Tokens::fixed(secret(path)?));
        }
        if let Some(token) = &self.token {
            return Ok(Tokens::fixed(token.trim().to_owned()));
        }
        let or = |flag: &Option<String>, file: &Option<String>| flag.clone().or_else(|| file.clone());
        let Some(id) = or(&self.client_id, &file.client_id) else {
            let path = file.token_file.as_deref().ok_or_else(|| missing("--token-file or --client-id"))?;
            return Ok(Tokens::fixed(secret(path)?));
        };
        let issuer = or(&self.issuer, &file.issuer).ok_or_else(|| missing("--issuer"))?;
        self.check_scheme(&issuer)?;
        Ok(Tokens::of_client(Client {
            issuer,
            id,
            credential: self.credential(file)?,
            scope: or(&self.scope, &file.scope),
            audience: or(&self.audience, &file.audience),
        }))
    }

    fn credential(&self, file: &InFile) -> Result<Credential> {
        if let Some(path) = self.client_key_file.as_ref().or(file.client_key_file.as_ref()) {
            let id = self.client_key_id.clone().or_else(|| file.client_key_id.clone());
            return Ok(Credential::Key { pem: secret(path)?, id });
        }
        let in_environment = std::env::var("OKD_CLIENT_SECRET").ok();
        let secret = match (&self.client_secret_file, in_environment, &file.client_secret_file) {
            (Some(path), _, _) | (None, None, Some(path)) => secret(path)?,
            (None, Some(secret), _) => secret,
            (None, None, None) => return Err(missing("--client-secret-file or --client-key-file")),
        };
        Ok(Credential::Secret(secret))
    }

    fn file(&self) -> Result<InFile> {
        let (path, must_be_there) = match &self.config {
            Some(path) => (path.clone(), true),
            None => (default_file().unwrap_or_default(), false),
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if must_be_there => return Err(Error::File(path.display().to_string(), error)),
            Err(_) => return Ok(InFile::default()),
        };
        toml::from_str(&text).map_err(|error| Error::Usage(format!("{}: {error}", path.display())))
    }
}

/// Where the file is, if nothing else is said (XDG Base Directory Specification).
fn default_file() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")))?;
    Some(config.join("okd.toml"))
}

fn missing(flag: &str) -> Error {
    Error::Usage(format!("{flag} is missing; okd --help says where it can stand"))
}

/// A secret from a file, or from the standard input.
fn secret(path: &Path) -> Result<String> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = read.map_err(|error| Error::File(path.display().to_string(), error))?;
    Ok(text.trim().to_owned())
}

/// True of https, and of http on this machine.
pub(crate) fn is_private_enough(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else {
        return true; // Refused elsewhere.
    };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    here || url.scheme_str() == Some("https")
}

//! The access key of the local stores and its secret: made at random for each data folder and kept in it, as lines that a
//! shell can read.

use std::{fmt, fs, path::Path};

use crate::Result;

/// The file in the data folder.
pub const ACCESS_KEY_FILE: &str = "access-key.sh";
const ID: &str = "export AWS_ACCESS_KEY_ID=";
const SECRET: &str = "export AWS_SECRET_ACCESS_KEY=";

/// An access key and its secret.
#[derive(Clone)]
pub struct AccessKey {
    /// The key's id.
    pub id: String,
    /// The secret that signs.
    pub secret: String,
}

impl fmt::Debug for AccessKey {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the access key {}", self.id)
    }
}

impl AccessKey {
    /// Reads the key of a data folder, and makes one of `random` words first if there is none.
    pub fn open(folder: &Path, random: impl FnOnce() -> (String, String)) -> Result<Self> {
        let file = folder.join(ACCESS_KEY_FILE);
        if !file.exists() {
            let (id, secret) = random();
            // The id says that it is no key of AWS.
            fs::write(&file, format!("{ID}local-{id}\n{SECRET}{secret}\n"))?;
        }
        Self::read(folder)
    }

    /// Reads the key of a data folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let file = folder.join(ACCESS_KEY_FILE);
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let value = |name: &str| {
            let mut lines = text.lines();
            let value = lines.find_map(|line| line.strip_prefix(name));
            value.map(str::to_owned).ok_or_else(|| format!("{} holds no key; delete it", file.display()))
        };
        Ok(Self { id: value(ID)?, secret: value(SECRET)? })
    }
}

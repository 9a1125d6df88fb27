//! The stores, each a concrete type over its AWS SDK: [`Documents`] (DynamoDB, the truth), [`Files`] (S3, the
//! bytes) and [`Tenants`] (DynamoDB, whose they are). The seam for tests is the wire: `AWS_ENDPOINT_URL_DYNAMODB` and
//! `AWS_ENDPOINT_URL_S3` point them at any server of those protocols.

#[cfg(test)]
pub(crate) mod answers;
mod associations;
mod documents;
mod downloads;
mod files;
mod issuer_keys;
mod lists;
mod multipart;
mod part_signer;
mod pending;
mod sdk;
mod sessions;
mod stored_keys;
mod table;
mod tenants;
mod write;

pub use aws_types::SdkConfig;
pub use documents::{Documents, Usage};
pub use downloads::{DownloadLink, FileStream};
pub(crate) use files::time_to_read;
pub use files::{File, Files, Listed, Put, StoredObject, VERDICT_TAG};
pub use issuer_keys::Claim;
pub use lists::By;
pub use multipart::{Completion, PartLink, ReceivedPart};
pub use pending::{Page, Work, WorkItem};
pub use sdk::{connect_in_lambda, tuned};
pub use sessions::{TENANT_TAG, TenantStores};
pub use stored_keys::StoredKeys;
pub use table::{ItemKey, ORPHAN, Place, QUEUES, Record, counts_of_client};
pub use tenants::{Changed, OfIssuer, Tenants};
pub use write::Written;

use crate::{config::StoreConfig, document::Screening, metrics::TimesCalls};

/// Both stores of a deployment.
pub struct Stores {
    /// The documents' items.
    pub documents: Documents,
    /// The documents' bytes.
    pub files: Files,
    /// True where a scanner judges each new object.
    pub screens: bool,
}

impl Stores {
    /// The stores that `config` names.
    pub fn new(sdk: &SdkConfig, config: &StoreConfig) -> Self {
        Self {
            documents: Documents::new(sdk, config.table.clone()),
            files: Files::new(sdk, config.bucket.clone()),
            screens: config.screening,
        }
    }

    /// The screening that a new content begins with.
    pub(crate) fn screening(&self) -> Option<Screening> {
        self.screens.then_some(Screening::Pending)
    }
}

fn dynamodb(sdk: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(sdk);
    aws_sdk_dynamodb::Client::from_conf(config.interceptor(TimesCalls).build())
}

//! The keys of issuers, beside their tenants in the table of these: what one process fetched all others have.
//!
//! The command that adds a tenant writes them, the reconcile function every few minutes, and the api function where a
//! token has a key that is not known. The latter two need `dynamodb:UpdateItem` for these attributes only, which are
//! none of a tenant's.
//!
//! | `issuer` | `tenant` | what |
//! |-|-|-|
//! | the issuer's URL | `#keys`, or `#keys` and the URL that its tenant names | the [`StoredKeys`] |

#[cfg(test)]
mod tests;

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use jiff::Timestamp;

use super::{
    stored_keys::{StoredKeys, sort_key},
    table::{read, text},
    tenants::Tenants,
};
use crate::{Error, Result, tenant::KeyPlace};

/// The right to ask an issuer for a key that is not known.
#[derive(Debug)]
pub enum Claim {
    /// We may, and everybody else waits; this is what was known before.
    Ours(StoredKeys),
    /// Another process does or just did; this is what is known now.
    Others(StoredKeys),
}

impl Tenants {
    /// Reads what is known of the keys at a place.
    pub async fn keys(&self, place: &KeyPlace) -> Result<StoredKeys> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("issuer", text(place.issuer.to_string()))
            .key("tenant", text(sort_key(place)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Error::unavailable("reading an issuer's keys", error))?;
        answer.item.map_or_else(|| Ok(StoredKeys::default()), read)
    }

    /// Takes the right to ask an issuer for a key that is not known, unless it was taken less than `pause` ago.
    pub(crate) async fn claim_keys(&self, place: &KeyPlace, now: Timestamp, pause: Duration) -> Result<Claim> {
        let sent = self
            .update_keys(place)
            .update_expression("SET askedAt = :now")
            .condition_expression("attribute_not_exists(askedAt) OR askedAt <= :before")
            .expression_attribute_values(":now", milliseconds(now))
            .expression_attribute_values(":before", milliseconds(now - pause))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent.map_err(SdkError::into_service_error) {
            Ok(answer) => Ok(Claim::Ours(read(answer.attributes.unwrap_or_default())?)),
            Err(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Claim::Others(read(failed.item.unwrap_or_default())?))
            }
            Err(error) => Err(Error::unavailable("claiming an issuer's keys", error)),
        }
    }

    /// Writes down the keys that a fetch found which began at `began`. Says what is known then: newer ones stay.
    pub async fn note_keys(
        &self,
        place: &KeyPlace,
        jwks: String,
        began: Timestamp,
        took: Duration,
    ) -> Result<StoredKeys> {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let sent = self
            .update_keys(place)
            .update_expression("SET jwks = :jwks, fetchedAt = :began, took = :took REMOVE failedAt")
            .condition_expression("attribute_not_exists(fetchedAt) OR fetchedAt <= :began")
            .expression_attribute_values(":jwks", text(jwks))
            .expression_attribute_values(":began", milliseconds(began))
            .expression_attribute_values(":took", AttributeValue::N(took.to_string()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent.map_err(SdkError::into_service_error) {
            Ok(answer) => read(answer.attributes.unwrap_or_default()),
            Err(UpdateItemError::ConditionalCheckFailedException(failed)) => read(failed.item.unwrap_or_default()),
            Err(error) => Err(Error::unavailable("writing an issuer's keys", error)),
        }
    }

    /// Writes down that a fetch failed which began at `began`.
    pub(crate) async fn note_failure(&self, place: &KeyPlace, began: Timestamp) -> Result<StoredKeys> {
        let sent = self
            .update_keys(place)
            .update_expression("SET failedAt = :began")
            .expression_attribute_values(":began", milliseconds(began))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let answer = sent.map_err(|error| Error::unavailable("writing an issuer's keys", error))?;
        read(answer.attributes.unwrap_or_default())
    }

    fn update_keys(&self, place: &KeyPlace) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("issuer", text(place.issuer.to_string()))
            .key("tenant", text(sort_key(place)))
    }
}

fn milliseconds(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.as_millisecond().to_string())
}

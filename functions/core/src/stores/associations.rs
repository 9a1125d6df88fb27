//! The associations' items in the table of documents.
//!
//! Needs `dynamodb:GetItem` and `dynamodb:PutItem` on the table.

use aws_sdk_dynamodb::{operation::put_item::PutItemError, types::ReturnValuesOnConditionCheckFailure};
use uuid::Uuid;

use super::{
    documents::Documents,
    table::{ItemKey, association_item, number, read},
    write::over_the_one_before,
};
use crate::{Error, Result, association::Association, ids::TenantId};

impl Documents {
    /// The association as it was last reported (a consistent read); `None` where it never was.
    pub(crate) async fn association(&self, tenant: &TenantId, id: Uuid) -> Result<Option<Association>> {
        let item = self.item_at(ItemKey::association(tenant, id), "reading an association").await?;
        item.map(read).transpose()
    }

    /// Writes an association over the revision before it. `false` where another report was first.
    pub(crate) async fn write_association(&self, next: &Association) -> Result<bool> {
        let (condition, values) = over_the_one_before(next.revision);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(association_item(next)?))
            .condition_expression(condition)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else {
            return Ok(true);
        };
        match error.into_service_error() {
            // A document is being linked to it at this very moment.
            PutItemError::TransactionConflictException(_) => Ok(false),
            // The SDK tries again by itself: our own write may stand in our way.
            PutItemError::ConditionalCheckFailedException(failed) => {
                let there = failed.item.map(read::<Association>).transpose()?;
                Ok(there.as_ref() == Some(next))
            }
            error => Err(Error::unavailable("writing an association", error)),
        }
    }

    /// Notes that the documents of an association know of its last report, unless there is another by now.
    pub(crate) async fn note_told(&self, association: &Association) -> Result<bool> {
        let told = Association { untold: false, ..association.clone() };
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(association_item(&told)?))
            .condition_expression("revision = :revision")
            .expression_attribute_values(":revision", number(association.revision.cast_signed()));
        let Err(error) = put.send().await else {
            return Ok(true);
        };
        match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(_) | PutItemError::TransactionConflictException(_) => {
                Ok(false)
            }
            error => Err(Error::unavailable("writing an association", error)),
        }
    }
}

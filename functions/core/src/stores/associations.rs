//! The associations' items in the table of documents.
//!
//! Needs `dynamodb:GetItem` and `dynamodb:PutItem` on the table.

use aws_sdk_dynamodb::{operation::put_item::PutItemError, types::ReturnValuesOnConditionCheckFailure};
use uuid::Uuid;

use super::{
    documents::Documents,
    table::{ItemKey, association_item, read},
    write::at_revision,
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
        self.put_association(next, next.revision - 1).await
    }

    /// Notes that the documents of an association know of its last report. `false` where there is another by now.
    pub(crate) async fn note_told(&self, association: &Association) -> Result<bool> {
        let told = Association { untold: false, ..association.clone() };
        self.put_association(&told, association.revision).await
    }

    /// Writes an association over this revision of it. `false` where it is not at that.
    async fn put_association(&self, association: &Association, over: u64) -> Result<bool> {
        let (condition, values) = at_revision(over);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(association_item(association)?))
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
                Ok(there.as_ref() == Some(association))
            }
            error => Err(Error::unavailable("writing an association", error)),
        }
    }
}

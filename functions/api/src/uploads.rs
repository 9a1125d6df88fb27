//! A document's upload: its status, completion and end.

use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Response};
use okd_core::{
    Stores,
    caller::Caller,
    ids::{ContentId, DocumentId},
    use_cases::{self, Completed, UploadStatus},
};
use serde_json::json;

use crate::{
    links::Paths,
    refusal::Refusal,
    response::{OfUpload, answer, no_content, open_upload, still_completing, still_verifying, stored, verifying_json},
};

/// `GET`: state, progress and fresh URLs.
pub(crate) async fn status(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    upload: Option<&ContentId>,
    now: Timestamp,
    paths: &Paths,
) -> Result<Response<Body>, Refusal> {
    let upload = match use_cases::status(stores, caller, id, upload, now).await? {
        UploadStatus::Open(view) => {
            let upload = open_upload(id, &view, paths);
            return Ok(answer(StatusCode::OK, &OfUpload { dms_document_id: id, upload }));
        }
        UploadStatus::Verifying(content) => verifying_json(id, &content, paths),
        UploadStatus::Stored(size) => json!({ "state": "stored", "documentSize": size }),
        UploadStatus::Ended(reason) => json!({ "state": reason }),
    };
    Ok(answer(StatusCode::OK, &OfUpload { dms_document_id: id, upload }))
}

/// `POST …/complete`: 200 when stored, and the same on every repeat; 202 while S3 works or the bytes have yet to be
/// compared with what was declared.
pub(crate) async fn complete(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    upload: Option<&ContentId>,
    now: Timestamp,
    paths: &Paths,
) -> Result<Response<Body>, Refusal> {
    match use_cases::complete(stores, caller, id, upload, now).await? {
        Completed::Stored => Ok(stored(id)),
        Completed::Verifying(content) => Ok(still_verifying(id, &content, paths)),
        Completed::Joining => Ok(still_completing(id)),
        Completed::Missing(view) => Err(Refusal::Incomplete {
            missing: view.missing.len(),
            parts: view.plan.parts().count(),
            upload: json!(open_upload(id, &view, paths)),
        }),
        Completed::Gone(reason) => Err(Refusal::UploadGone(reason)),
    }
}

/// `DELETE`: 204, also when there was nothing left to abort.
pub(crate) async fn abort(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    upload: Option<&ContentId>,
    now: Timestamp,
) -> Result<Response<Body>, Refusal> {
    use_cases::abort(stores, caller, id, upload, now).await?;
    Ok(no_content())
}

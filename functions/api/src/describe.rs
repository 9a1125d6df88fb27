//! What is known of a document, without its bytes (flow x).

use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Response};
use okd_core::{
    Stores,
    caller::Caller,
    document::{Content, Document, UploadState},
    ids::{ContentId, DocumentId},
    retention::Keeping,
    use_cases,
};
use serde_json::{Value, json};

use crate::{
    download::find,
    links::Paths,
    refusal::Refusal,
    response::{answer, link_to_upload},
};

/// `GET …/metadata`: OKD's `DocumentMetadata`. What is ours is under `ext`.
pub(crate) async fn describe(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    version: Option<&ContentId>,
    now: Timestamp,
    paths: &Paths,
) -> Result<Response<Body>, Refusal> {
    let (document, content) = find(stores, caller, id, version, paths).await?;
    let link = use_cases::link(stores, &document, &content, now).await?;
    let keeping = use_cases::keeping(stores, &document, &content).await?;
    let okd = &content.metadata.okd;
    // The pages of the standard and its OpenAPI spell two names differently, so that both are there.
    let body = json!({
        "dmsDocumentId": id,
        "title": okd.file_name.stem(),
        "documentTempDownloadUrl": link.href,
        "creationdate": content.stored_at,
        "format": content.metadata.media_type.essence(),
        "documentName": okd.document_name,
        "documentname": okd.document_name,
        "documentSize": content.size,
        "documentsize": content.size,
        "ext": { "documentTempDownloadUrlExpiresAt": link.expires_at, "okd": ours(&document, &content, keeping, paths) },
    });
    Ok(answer(StatusCode::OK, &body))
}

/// The facts that the standard has no names for.
fn ours(document: &Document, content: &Content, keeping: Option<Keeping>, paths: &Paths) -> Value {
    let okd = &content.metadata.okd;
    let subject = content.metadata.subject;
    let mut ours = json!({
        "version": content.content_id,
        "revision": document.revision,
        "documentType": okd.document_type.as_str(),
        "documentId": okd.document_id,
        "on": { "type": subject.kind.as_str(), "id": subject.id },
        "checksums": content.checksums,
        "verification": content.verification,
        "verifiedAt": content.verified_at,
        "versions": document.contents,
        "retention": keeping,
    });
    // A newer content that is on its way.
    if let Some(upload) = document.upload.as_ref().filter(|upload| upload.state == UploadState::Uploading) {
        ours["upload"] =
            json!({ "state": upload.state, "status": link_to_upload(document.id, &upload.content_id, paths) });
    }
    ours
}

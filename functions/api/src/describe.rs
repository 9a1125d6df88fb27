//! What is known of a document, without its bytes (flow x).

use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Response};
use okd_core::{
    Stores,
    caller::Caller,
    document::{Content, Document, UploadState},
    ids::{ContentId, DocumentId},
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
    let mut body = described(&document, &content);
    body["documentTempDownloadUrl"] = json!(link.href);
    body["ext"]["documentTempDownloadUrlExpiresAt"] = json!(link.expires_at);
    // As it is at this moment: the document itself is told of its enrolment within a minute.
    body["ext"]["okd"]["retention"] = json!(keeping);
    // A newer content that is on its way.
    if let Some(upload) = document.upload.as_ref().filter(|upload| upload.state == UploadState::Uploading) {
        body["ext"]["okd"]["upload"] =
            json!({ "state": upload.state, "status": link_to_upload(document.id, &upload.content_id, paths) });
    }
    Ok(answer(StatusCode::OK, &body))
}

/// A document with one of its contents, on our wire: what needs no further call to know.
pub(crate) fn described(document: &Document, content: &Content) -> Value {
    let okd = &content.metadata.okd;
    // The pages of the standard and its OpenAPI spell two names differently, so that both are there.
    json!({
        "dmsDocumentId": document.id,
        "title": okd.file_name.stem(),
        "creationdate": content.stored_at,
        "format": content.metadata.media_type.essence(),
        "documentName": okd.document_name,
        "documentname": okd.document_name,
        "documentSize": content.size,
        "documentsize": content.size,
        "ext": { "okd": ours(document, content) },
    })
}

/// The facts that the standard has no names for.
fn ours(document: &Document, content: &Content) -> Value {
    let okd = &content.metadata.okd;
    let subject = content.metadata.subject;
    json!({
        "version": content.content_id,
        "revision": document.revision,
        "documentType": okd.document_type.as_str(),
        "documentId": okd.document_id,
        "on": { "type": subject.kind.as_str(), "id": subject.id },
        "checksums": content.checksums,
        "verification": content.verification,
        "verifiedAt": content.verified_at,
        "screening": content.screening,
        "versions": document.contents,
        "retention": document.keeping(),
        "held": document.hold.is_some(),
    })
}

//! A stored document changed: its bytes replaced (flow y), or the whole deleted (flow z).

use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use okd_core::{
    Stores,
    caller::Caller,
    ids::DocumentId,
    metadata::{MediaType, Replacement},
    parts::MAX_INLINE_FILE,
    use_cases::{self, Replaced},
};
use okd_form::parameters::essence;

use crate::{
    body,
    documents::begun,
    download::not_stored,
    form::FormFault,
    links::Paths,
    refusal::{BodyFault, Refusal},
    response::no_content,
};

/// `PATCH` and `PUT` of a document: 204 where the body is the new bytes; 202 (send the bytes) where it is JSON that says how
/// many there are.
pub(crate) async fn replace(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    request: Request,
    now: Timestamp,
    paths: &Paths,
) -> Result<Response<Body>, Refusal> {
    let (headers, body) = body::read(request)?;
    let content_type = body::content_type(&headers);
    match essence(content_type.unwrap_or_default()).as_str() {
        "multipart/form-data" => Err(BodyFault::FormForBytes.into()),
        "application/json" => {
            caller.check_metadata_size(body.len())?;
            let replacement = Replacement::parse(&body)?;
            match use_cases::replace_by_parts(stores, caller, id, replacement, now).await? {
                Replaced::Done(upload) => Ok(begun(upload, paths)),
                Replaced::NotStored(standing) => Err(not_stored(id, standing, paths)),
            }
        }
        _ if body.is_empty() => Err(FormFault::EmptyFile.into()),
        _ if body.len() > MAX_INLINE_FILE => Err(BodyFault::BytesTooLarge { size: body.len() }.into()),
        _ => {
            let media_type = content_type.and_then(|text| MediaType::try_from(text).ok());
            match use_cases::replace(stores, caller, id, media_type, body, now).await? {
                Replaced::Done(()) => Ok(no_content()),
                Replaced::NotStored(standing) => Err(not_stored(id, standing, paths)),
            }
        }
    }
}

/// `DELETE` of a document: 204, also on every repeat.
pub(crate) async fn delete(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    now: Timestamp,
) -> Result<Response<Body>, Refusal> {
    use_cases::delete(stores, caller, id, now).await?;
    Ok(no_content())
}

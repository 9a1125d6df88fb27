//! The whole API as one table and one match.
//!
//! Paths are matched from `/okd/v1` on, wherever that begins: a REST API's own URL carries its stage in
//! front, a custom domain the base path that it was mapped to. That part is kept for the
//! links in answers.

use std::time::Instant;

use http::Method;
use jiff::Timestamp;
use lambda_http::{Body, Request, RequestExt, Response};
use okd_core::{
    Stores,
    caller::Caller,
    class::SubjectKind,
    ids::{ContentId, DocumentId},
    metadata::{Subject, parse_uuid},
};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::{
    app::App,
    associations, change, contract, describe, documents, download,
    links::{BASE, Paths},
    lists,
    refusal::Refusal,
    reply::ReplyBody,
    response::still_completing,
    service, uploads,
};

/// A path of the API, as `template.yaml` spells it, and what it answers to.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// The path, with its one parameter in braces, if it has one.
    pub path: &'static str,
    /// The methods that it answers to.
    pub methods: &'static [&'static str],
    action: Action,
}

impl Route {
    /// Returns whether it is for everybody, and asks for no token.
    pub fn is_public(&self) -> bool {
        matches!(self.action, Action::Public(_))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Public(Public),
    Search,
    OfOne(OfOne),
}

/// What is served to everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Public {
    Service,
    Contract,
}

/// What is done with the one thing whose id is in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfOne {
    HandIn(SubjectKind),
    List(SubjectKind),
    Document,
    Metadata,
    Upload,
    Complete,
}

/// Every route there is.
pub const ROUTES: &[Route] = &[
    Route { path: BASE, methods: &["GET", "HEAD"], action: Action::Public(Public::Service) },
    Route { path: "/okd/v1/openapi.json", methods: &["GET", "HEAD"], action: Action::Public(Public::Contract) },
    Route {
        path: "/okd/v1/associations/{associationId}",
        methods: &["PUT", "POST", "PATCH"],
        action: Action::OfOne(OfOne::HandIn(SubjectKind::Association)),
    },
    Route {
        path: "/okd/v1/offering/{offeringId}",
        methods: &["PUT", "POST"],
        action: Action::OfOne(OfOne::HandIn(SubjectKind::Offering)),
    },
    Route {
        path: "/okd/v1/offerings/{offeringId}",
        methods: &["PUT", "POST"],
        action: Action::OfOne(OfOne::HandIn(SubjectKind::Offering)),
    },
    Route {
        path: "/okd/v1/persons/{personId}",
        methods: &["PUT", "POST"],
        action: Action::OfOne(OfOne::HandIn(SubjectKind::Person)),
    },
    Route {
        path: "/okd/v1/associations/{associationId}/documents",
        methods: &["GET", "HEAD"],
        action: Action::OfOne(OfOne::List(SubjectKind::Association)),
    },
    Route {
        path: "/okd/v1/offerings/{offeringId}/documents",
        methods: &["GET", "HEAD"],
        action: Action::OfOne(OfOne::List(SubjectKind::Offering)),
    },
    Route {
        path: "/okd/v1/persons/{personId}/documents",
        methods: &["GET", "HEAD"],
        action: Action::OfOne(OfOne::List(SubjectKind::Person)),
    },
    Route { path: "/okd/v1/documents", methods: &["GET", "HEAD"], action: Action::Search },
    Route {
        path: "/okd/v1/documents/{dmsDocumentId}",
        methods: &["GET", "HEAD", "PUT", "PATCH", "DELETE"],
        action: Action::OfOne(OfOne::Document),
    },
    Route {
        path: "/okd/v1/documents/{dmsDocumentId}/metadata",
        methods: &["GET", "HEAD"],
        action: Action::OfOne(OfOne::Metadata),
    },
    Route {
        path: "/okd/v1/documents/{dmsDocumentId}/upload",
        methods: &["GET", "DELETE"],
        action: Action::OfOne(OfOne::Upload),
    },
    Route {
        path: "/okd/v1/documents/{dmsDocumentId}/upload/complete",
        methods: &["POST"],
        action: Action::OfOne(OfOne::Complete),
    },
];

/// A path of a route, with the text that stands where its id should, if it has one.
pub(crate) struct At<'a> {
    pub(crate) route: &'static Route,
    id: Option<&'a str>,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked {
    Public(Public),
    Search,
    OfOne(OfOne, Uuid),
}

/// The route of a path, or why there is none.
pub(crate) fn at(path: &str) -> Result<At<'_>, Refusal> {
    let start = path.find(BASE).ok_or(Refusal::NoSuchRoute)?;
    // The standard writes the base itself with a slash; nothing else has one at its end.
    let path = Some(&path[start..]).filter(|path| path.strip_suffix('/') != Some(BASE)).unwrap_or(BASE);
    ROUTES.iter().find_map(|route| matching(route, path)).ok_or(Refusal::NoSuchRoute)
}

/// What a request asks for at this path, or why it does not answer to that.
pub(crate) fn find(method: &Method, at: &At<'_>) -> Result<Asked, Refusal> {
    let At { route, id } = *at;
    if !route.methods.contains(&method.as_str()) {
        return Err(Refusal::MethodNotAllowed { allowed: route.methods });
    }
    match route.action {
        Action::Public(public) => Ok(Asked::Public(public)),
        Action::Search => Ok(Asked::Search),
        Action::OfOne(action) => {
            let id = percent_decode_str(id.unwrap_or_default()).decode_utf8();
            let id = id.ok().and_then(|id| parse_uuid(&id));
            Ok(Asked::OfOne(action, id.ok_or(Refusal::InvalidId)?))
        }
    }
}

/// The route at this path, if it is its.
fn matching<'a>(route: &'static Route, path: &'a str) -> Option<At<'a>> {
    let Some((before, rest)) = route.path.split_once('{') else {
        return (route.path == path).then_some(At { route, id: None });
    };
    let (_, after) = rest.split_once('}')?;
    let id = path.strip_prefix(before)?.strip_suffix(after)?;
    (!id.contains('/')).then_some(At { route, id: Some(id) })
}

/// Authenticates, leaving word of who it is for the log, then calls the route's use case.
pub(crate) async fn call(
    app: &App,
    asked: Asked,
    request: Request,
    who: &mut Option<Caller>,
) -> Result<Response<ReplyBody>, Refusal> {
    let of_one = match asked {
        Asked::Public(Public::Service) => return Ok(service::describe(&app.service, &request).map(Into::into)),
        Asked::Public(Public::Contract) => return Ok(contract::contract().map(Into::into)),
        Asked::Search => None,
        Asked::OfOne(action, id) => Some((action, id)),
    };
    // `lambda_http` keeps the last one only of repeated headers.
    let authorization = request.headers().get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let caller = &*who.insert(app.verifier.caller(authorization).await?);
    let (tenant, rate) = (&caller.tenant, caller.limits.requests_per_second());
    if !app.throttle.admits(tenant, rate, Instant::now()) {
        return Err(Refusal::TooManyRequests);
    }
    let stores = app.stores.of(tenant).await?;
    let (stores, now) = (&*stores, (app.clock)());
    let answered = match of_one {
        Some((OfOne::Document, id)) if matches!(*request.method(), Method::GET | Method::HEAD) => {
            let version = content_id_in(&request, "version")?;
            let asked = download::Asked { id: id.into(), version: version.as_ref(), streams: app.streams };
            return download::download(stores, caller, asked, &request, now).await;
        }
        Some((action, id)) => call_of_one(stores, caller, action, id, request, now).await,
        None => lists::search(stores, caller, &request).await,
    };
    answered.map(|answer| answer.map(Into::into))
}

/// Calls the use case of a route with an id in its path.
async fn call_of_one(
    stores: &Stores,
    caller: &Caller,
    action: OfOne,
    id: Uuid,
    request: Request,
    now: Timestamp,
) -> Result<Response<Body>, Refusal> {
    let paths = Paths::of(&request);
    let document = DocumentId::from(id);
    let upload = content_id_in(&request, "upload")?;
    let upload = upload.as_ref();
    let version = content_id_in(&request, "version")?;
    let version = version.as_ref();
    match (action, request.method()) {
        (OfOne::HandIn(kind), &Method::PATCH) => {
            associations::patch(stores, caller, Subject { kind, id }, request, now).await
        }
        (OfOne::HandIn(kind), _) => {
            let subject = Subject { kind, id };
            documents::hand_in(stores, caller, subject, request, now, &paths).await
        }
        (OfOne::List(kind), _) => lists::list(stores, caller, Subject { kind, id }, &request).await,
        (OfOne::Document, &Method::DELETE) => change::delete(stores, caller, document, now).await,
        (OfOne::Document, _) => change::replace(stores, caller, document, request, now, &paths).await,
        (OfOne::Metadata, _) => describe::describe(stores, caller, document, version, now, &paths).await,
        (OfOne::Upload, &Method::DELETE) => uploads::abort(stores, caller, document, upload, now).await,
        (OfOne::Upload, _) => uploads::status(stores, caller, document, upload, now, &paths).await,
        (OfOne::Complete, _) => uploads::complete(stores, caller, document, upload, now, &paths).await,
    }
}

/// The answer when there is no time left to do what was asked.
pub(crate) fn out_of_time(asked: Asked) -> Result<Response<Body>, Refusal> {
    match asked {
        Asked::OfOne(OfOne::Complete, id) => Ok(still_completing(id.into())),
        _ => Err(Refusal::OutOfTime),
    }
}

/// The upload or version of the document that a link means, from the query of this name.
fn content_id_in(request: &Request, name: &str) -> Result<Option<ContentId>, Refusal> {
    let query = request.query_string_parameters_ref();
    let text = query.and_then(|query| query.first(name));
    let content_id = |text| ContentId::parse(text).ok_or(Refusal::InvalidContentId);
    text.map(content_id).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path of the route, and what is asked for there.
    fn find(method: &Method, path: &str) -> Result<(&'static str, Asked), Refusal> {
        let at = at(path)?;
        Ok((at.route.path, super::find(method, &at)?))
    }

    const ID: &str = "123e4567-e89b-12d3-a456-426614174000";

    #[test]
    fn a_stage_or_base_path_in_front_changes_nothing() {
        for front in ["", "/Prod", "/dms/school"] {
            let (found, _) = find(&Method::PUT, &format!("{front}/okd/v1/offering/{ID}")).unwrap_or_else(|_| panic!());
            assert_eq!(found, "/okd/v1/offering/{offeringId}");
            for base in ["/okd/v1", "/okd/v1/"] {
                let (found, _) = find(&Method::GET, &format!("{front}{base}")).unwrap_or_else(|_| panic!());
                assert_eq!(found, BASE);
            }
        }
    }

    #[test]
    fn an_id_is_the_same_however_its_characters_are_encoded() {
        let id = ID.replace('-', "%2D").replacen('1', "%31", 1);
        let (_, asked) = find(&Method::PUT, &format!("/okd/v1/persons/{id}")).unwrap_or_else(|_| panic!());
        let Asked::OfOne(_, id) = asked else { panic!("{asked:?}") };
        assert_eq!(id.to_string(), ID);
    }

    #[test]
    fn no_part_of_a_path_is_guessed() {
        let refused = |path: &str| matches!(find(&Method::GET, path), Err(Refusal::NoSuchRoute));
        for path in
            ["/", "/okd/v1//", "/okd/v1x", "/okd/v2/offering/x", "/okd/v1/offering", "/okd/v1/documents/a/b/upload"]
        {
            assert!(refused(path), "{path}");
        }
        assert!(refused(&format!("/okd/v1/offering/{ID}/")));
    }
}

//! Keeps web pages out: every port of the local cloud asks here first whether it may answer.
//!
//! A page of another site that is open in a browser on this machine can reach loopback in two ways. It can send a
//! request (a form, a `fetch`): the browser then adds an `Origin` or `Sec-Fetch-Site` header. Or it can point its own
//! name at loopback (DNS rebinding): the `Host` is then that name.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use okd_s3::cors;

use crate::template::Template;

const ANOTHER_HOST: &str = "The Host header names another machine. The local cloud answers to localhost, to loopback \
                            addresses and to the name that --host gives.\n";
const ANOTHER_SITE: &str = "A web page of another site sent this request. Pages on this machine may call the local cloud, \
                            and pages of the origins that --upload-origin gives.\n";

/// The names and pages that may reach a port. By default loopback's alone.
#[derive(Debug, Default)]
pub struct Guard {
    /// The name of this machine besides those of loopback.
    host: Option<String>,
    /// Origins of pages besides those on loopback; one `*` stands for any characters.
    origins: Vec<String>,
}

impl Guard {
    /// Lets this host's name pass, and the pages that may put parts into the template's buckets.
    pub fn new(host: &str, template: &Template) -> Self {
        let buckets = template.resources("AWS::S3::Bucket");
        let rules = buckets.filter_map(|(_, bucket)| bucket["CorsConfiguration"]["CorsRules"].as_array());
        let origins = rules.flatten().filter_map(|rule| rule["AllowedOrigins"].as_array());
        let origins = origins.flatten().filter_map(|origin| origin.as_str());
        Self { host: Some(host.to_owned()), origins: origins.map(str::to_owned).collect() }
    }

    /// Returns the answer to a request that may not pass.
    pub(crate) fn refusal<B, A: From<String>>(&self, request: &http::Request<B>) -> Option<Response<A>> {
        let headers = request.headers();
        let why = if !self.is_for_this_machine(headers) {
            ANOTHER_HOST
        } else if self.is_from_another_site(headers) {
            ANOTHER_SITE
        } else {
            return None;
        };
        let mut response = Response::new(why.to_owned().into());
        *response.status_mut() = StatusCode::FORBIDDEN;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        Some(response)
    }

    fn is_for_this_machine(&self, headers: &HeaderMap) -> bool {
        let own = self.host.as_deref();
        let known = |host: &str| is_loopback(host) || own.is_some_and(|own| own.eq_ignore_ascii_case(host));
        headers.contains_key(header::HOST) && texts(headers, &header::HOST).all(|host| known(without_port(host)))
    }

    /// The origin decides where there is one: a page that may call is mostly of another site.
    fn is_from_another_site(&self, headers: &HeaderMap) -> bool {
        if headers.contains_key(header::ORIGIN) {
            return !texts(headers, &header::ORIGIN).all(|origin| self.may_call(origin));
        }
        texts(headers, &HeaderName::from_static("sec-fetch-site")).any(|site| site == "cross-site")
    }

    fn may_call(&self, origin: &str) -> bool {
        let host = origin.split_once("://").map(|(_, host)| without_port(host));
        host.is_some_and(is_loopback) || self.origins.iter().any(|known| cors::matches(known, origin))
    }
}

/// Asks the guard about a request to a router.
pub(crate) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> axum::response::Response {
    match guard.refusal(&request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// The header's values. One that is no text becomes one that nothing allows.
fn texts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default())
}

/// The host in `host:port`; an IPv6 address keeps its brackets.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => authority,
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&name);
    name == "localhost"
        || name.ends_with(".localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

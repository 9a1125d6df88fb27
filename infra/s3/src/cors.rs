//! Cross-origin requests: what a bucket's rules let a browser do.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use s3s::dto::{CORSConfiguration, CORSRule};
use s3s::{S3Error, S3Result, s3_error};

use crate::store::Store;
use crate::{malformed_xml, refusal};

const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// The configurations that S3 refuses to store.
pub(crate) fn check(configuration: &CORSConfiguration) -> S3Result {
    let rules = &configuration.cors_rules;
    if rules.is_empty() || rules.len() > 100 {
        return Err(malformed_xml());
    }
    for rule in rules {
        if let Some(method) = rule.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            return Err(s3_error!(
                InvalidRequest,
                "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            ));
        }
        if let Some(origin) = rule.allowed_origins.iter().find(|origin| origin.matches('*').count() > 1) {
            return Err(s3_error!(InvalidRequest, "AllowedOrigin \"{origin}\" can not have more than one wildcard."));
        }
    }
    Ok(())
}

/// The headers of the answer to an OPTIONS request.
///
/// # Errors
/// `BadRequest` (400) without `Origin` or `Access-Control-Request-Method`, `AccessForbidden` (403)
/// if no rule allows the request.
pub(crate) fn preflight(store: &Store, bucket: &str, request: &HeaderMap) -> S3Result<HeaderMap> {
    let bad = |message| refusal("BadRequest", StatusCode::BAD_REQUEST, message);
    let forbidden = |message| refusal("AccessForbidden", StatusCode::FORBIDDEN, message);
    let origin =
        text(request, &header::ORIGIN).ok_or_else(|| bad("Insufficient information. Origin request header needed."))?;
    let method = text(request, &header::ACCESS_CONTROL_REQUEST_METHOD)
        .ok_or_else(|| bad("Invalid Access-Control-Request-Method: null"))?;
    let asked = text(request, &header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let state = store.lock();
    let cors = state.bucket(bucket)?.settings.cors.as_ref();
    let cors = cors.ok_or_else(|| forbidden("CORSResponse: CORS is not enabled for this bucket."))?;
    let rule = cors
        .cors_rules
        .iter()
        .find(|rule| allows(rule, origin, method) && allows_headers(rule, asked))
        .ok_or_else(|| {
            // The spelling is S3's.
            forbidden("CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.")
        })?;
    let mut headers = answer_headers(rule, origin);
    if !asked.is_empty() {
        set(&mut headers, header::ACCESS_CONTROL_ALLOW_HEADERS, &asked.to_ascii_lowercase());
    }
    Ok(headers)
}

/// The headers a rule adds to the answer to any other request; none if no rule matches.
pub(crate) fn headers(store: &Store, bucket: &str, method: &str, origin: &str) -> HeaderMap {
    let state = store.lock();
    let cors = state.bucket(bucket).ok().and_then(|bucket| bucket.settings.cors.as_ref());
    let rule = cors.and_then(|cors| cors.cors_rules.iter().find(|rule| allows(rule, origin, method)));
    rule.map(|rule| answer_headers(rule, origin)).unwrap_or_default()
}

fn answer_headers(rule: &CORSRule, origin: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let matched = rule.allowed_origins.iter().find(|pattern| matches(pattern, origin));
    if matched.is_some_and(|pattern| pattern == "*") {
        set(&mut headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    } else {
        set(&mut headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        set(&mut headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    set(&mut headers, header::ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
    if let Some(expose) = rule.expose_headers.as_ref().filter(|expose| !expose.is_empty()) {
        set(&mut headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &expose.join(", "));
    }
    if let Some(seconds) = rule.max_age_seconds {
        set(&mut headers, header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
    }
    let vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
    set(&mut headers, header::VARY, vary);
    headers
}

fn allows(rule: &CORSRule, origin: &str, method: &str) -> bool {
    rule.allowed_methods.iter().any(|allowed| allowed == method)
        && rule.allowed_origins.iter().any(|pattern| matches(pattern, origin))
}

fn allows_headers(rule: &CORSRule, asked: &str) -> bool {
    let patterns = rule.allowed_headers.as_deref().unwrap_or_default();
    let asked = asked.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
    asked.into_iter().all(|name| patterns.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), &name)))
}

/// In a pattern each `*` stands for any characters.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, pattern)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let (middle, end) = pattern.rsplit_once('*').unwrap_or(("", pattern));
    let after = |rest: &mut &str, word: &str| {
        let found = rest.split_once(word).map(|(_, after)| *rest = after);
        found.is_some()
    };
    let Some(mut rest) = text.strip_prefix(start) else {
        return false;
    };
    middle.split('*').all(|word| after(&mut rest, word)) && rest.ends_with(end)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // A text that cannot be a header value is left out: a browser then denies, which is the safe side.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// S3's answer if a bucket has no rules.
pub(crate) fn not_configured() -> S3Error {
    s3_error!(NoSuchCORSConfiguration, "The CORS configuration does not exist")
}

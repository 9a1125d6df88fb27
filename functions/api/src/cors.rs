//! CORS (the Fetch standard): lets pages of the origins that the deployment names call this API from a browser.
//!
//! A browser first asks for permission (a preflight), without the token, and hides every answer that does not name the
//! page's origin. This protects users of browsers only; access is decided by the token.

use http::{HeaderMap, HeaderValue, header};

/// Seconds that a browser may remember what it may ask.
const MAX_AGE: &str = "3600";
/// Headers that a page may send, besides those that every page may.
const REQUEST_HEADERS: &str = "authorization, content-type, idempotency-key";
/// Headers that a page may read, besides those that every page may. The gateway renames `WWW-Authenticate`.
const ANSWER_HEADERS: &str = "allow, location, retry-after, www-authenticate, x-amzn-remapped-www-authenticate, x-amzn-requestid, x-amz-apigw-id";

/// The page that a request comes from, where the deployment names origins.
pub(crate) struct Page {
    /// Its origin, if it is one of those named.
    origin: Option<HeaderValue>,
    /// True if its browser asks for permission (a preflight).
    asks: bool,
}

impl Page {
    /// Reads the page of a request; `None` where no origin is named.
    pub(crate) fn of(origins: &[String], request: &HeaderMap) -> Option<Self> {
        let origin = request.get(header::ORIGIN);
        (!origins.is_empty()).then(|| Self {
            origin: origin.filter(|origin| is_one_of(origins, origin)).cloned(),
            asks: request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD),
        })
    }

    /// Allows the page to read the answer; and to send, if the answer is one to `OPTIONS`, the methods that it names.
    pub(crate) fn allow(self, answer: &mut HeaderMap) {
        // A cache must not hand one origin's answer to another.
        answer.append(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = self.origin else { return };
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
        if self.asks
            && let Some(methods) = answer.get(header::ALLOW).cloned()
        {
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        }
    }
}

/// Returns whether `origin` matches one of `origins`. One `*` in them stands for any characters, as in the bucket's
/// CORS rule.
fn is_one_of(origins: &[String], origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    origins.iter().any(|known| match known.split_once('*') {
        None => known == origin,
        Some((start, end)) => {
            origin.len() >= start.len() + end.len() && origin.starts_with(start) && origin.ends_with(end)
        }
    })
}

//! The headers of two connections, one behind the other.

use axum::http::{HeaderMap, HeaderName, header};

/// Headers of one connection, which end at it (RFC 9110, section 7.6.1), and those that the next connection sets itself.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
    header::EXPECT,
];

/// The headers that go on to the other side.
pub(super) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    // What `Connection` names is of the connection too.
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    let of_connection =
        |name: &HeaderName| OF_THE_CONNECTION.contains(name) || named.iter().any(|other| other == name.as_str());
    headers.iter().filter(|(name, _)| !of_connection(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

//! Odd paths, methods and headers.

#![expect(clippy::too_many_lines, reason = "it is a table")]

use super::{Row, World};
use support::sender::{ASSOCIATION, OFFERING, association, offer};

/// Paths and headers.
pub(super) fn rows(world: &World) -> Vec<Row> {
    let row = |name: &str, status: u16, problem: &'static str, method: &'static str, path: String| {
        Row::new(format!("path: {name}"), status, problem)
            .bearer(&world.token)
            .json(offer(5).to_string())
            .at(method, path)
    };
    let nowhere = |name: &str, method: &'static str, path: String| row(name, 404, "no-such-route", method, path);
    let no_id = |name: &str, id: &str| row(name, 400, "invalid-id", "PUT", format!("/okd/v1/associations/{id}"));
    let header = |name: &str, status: u16, problem: &'static str| {
        Row::new(format!("header: {name}"), status, problem).bearer(&world.token)
    };
    let good = offer(5).to_string();
    let keyless = support::sender::without(&offer(5), "documentId").to_string();
    let upload = format!("/okd/v1/documents/{OFFERING}/upload");
    // What proxies add and what is for the next hop only: whatever it says, the service answers.
    let of_the_way = [
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-proto", "a b"),
        ("x-forwarded-proto", ""),
        ("x-forwarded-host", "http://["),
        ("x-forwarded-port", "99999, -1"),
        ("x-forwarded-for", "[::1, unknown"),
        ("forwarded", "for=\"[::1\";proto=a b;host="),
        ("via", "1.1 \u{e9}"),
        ("te", "trailers, x"),
        ("trailer", "content-length"),
        ("proxy-authorization", "Basic x"),
        ("keep-alive", "timeout=-1"),
        ("x-amzn-trace-id", "Root=\u{e9};;="),
        ("x-amz-cf-id", "\""),
    ];
    let of_the_way = of_the_way.map(|(name, value)| {
        header(&format!("{name}: {value}"), 415, "unsupported-media-type")
            .header(name, value)
            .body("text/plain", good.clone())
    });
    vec![
        header("a second host", 403, "").header("host", "evil.example"),
        nowhere("nothing", "PUT", "/".to_owned()),
        nowhere("another version", "PUT", format!("/okd/v2/associations/{ASSOCIATION}")),
        nowhere("in upper case", "PUT", format!("/OKD/v1/associations/{ASSOCIATION}")),
        nowhere("dot segments", "PUT", format!("/okd/v1/../v1/associations/{ASSOCIATION}")),
        nowhere("encoded dot segments", "PUT", format!("/okd/v1/%2e%2e/v1/associations/{ASSOCIATION}")),
        nowhere("a slash twice", "PUT", format!("/okd/v1//associations/{ASSOCIATION}")),
        nowhere("a slash at the end", "PUT", format!("/okd/v1/associations/{ASSOCIATION}/")),
        nowhere("no id", "PUT", "/okd/v1/associations/".to_owned()),
        nowhere("a parameter in the path", "PUT", format!("/okd/v1;x=y/associations/{ASSOCIATION}")),
        row("a PATCH of a document's metadata", 422, "invalid-metadata", "PATCH", association()),
        row("GET where it is PUT", 405, "method-not-allowed", "GET", association()),
        row("DELETE where it is PUT", 405, "method-not-allowed", "DELETE", association()),
        row("PUT where it is POST", 405, "method-not-allowed", "PUT", format!("{upload}/complete")),
        nowhere("TRACE", "TRACE", association()),
        nowhere("a method of ours", "OKD", association()),
        no_id("an encoded slash", &format!("{ASSOCIATION}%2F..")),
        no_id("an encoded NUL", &format!("{ASSOCIATION}%00")),
        no_id("an encoded line feed", &format!("{ASSOCIATION}%0d%0ax-y:z")),
        no_id("a UUID in braces", &format!("%7B{ASSOCIATION}%7D")),
        no_id("a UUID as a URN", &format!("urn:uuid:{ASSOCIATION}")),
        no_id("a UUID without hyphens", &ASSOCIATION.replace('-', "")),
        no_id("a UUID of other digits", "%EF%BC%91%EF%BC%92%EF%BC%93e4567-e89b-12d3-a456-426614174000"),
        no_id("an encoded slash for a hyphen", &ASSOCIATION.replace('-', "%2F")),
        no_id("a hyphen encoded twice", &ASSOCIATION.replace('-', "%252D")),
        no_id("a UUID and a blank", &format!("{ASSOCIATION}%20")),
        no_id("a wildcard", "*"),
        no_id("a long id", &"a".repeat(4000)),
        row("an upload that is a path", 400, "invalid-id", "GET", format!("{upload}?upload=../../x")),
        row("an upload that is empty", 400, "invalid-id", "GET", format!("{upload}?upload=")),
        row("nobody's document", 404, "no-such-document", "GET", upload.clone()),
        row(
            "nobody's document, in upper case",
            404,
            "no-such-document",
            "GET",
            upload.to_uppercase().replace("/OKD/V1/DOCUMENTS/", "/okd/v1/documents/").replace("/UPLOAD", "/upload"),
        ),
        row("nobody's document, completed", 404, "no-such-document", "POST", format!("{upload}/complete")),
        row("nobody's document, aborted", 404, "no-such-document", "DELETE", upload),
        header("no Content-Type", 415, "unsupported-media-type").header("x", "y"),
        header("text/plain", 415, "unsupported-media-type").body("text/plain", good.clone()),
        header("a type that begins like JSON", 415, "unsupported-media-type").body("application/jsonx", good.clone()),
        header("a body in gzip, it says", 415, "unsupported-media-type")
            .header("content-encoding", "gzip")
            .json(good.clone()),
        header("a body in identity and gzip", 415, "unsupported-media-type")
            .header("content-encoding", "identity")
            .header("content-encoding", "gzip")
            .json(good.clone()),
        header("form fields", 415, "unsupported-media-type").body("application/x-www-form-urlencoded", "a=b"),
        header("a Content-Type that is no ASCII", 415, "unsupported-media-type")
            .body("application/js\u{f6}n", good.clone()),
        header("an Idempotency-Key of nothing", 400, "invalid-idempotency-key")
            .header("idempotency-key", "")
            .json(keyless.clone()),
        header("a long Idempotency-Key", 400, "invalid-idempotency-key")
            .header("idempotency-key", "x".repeat(256))
            .json(keyless.clone()),
        header("an Idempotency-Key that is no ASCII", 400, "invalid-idempotency-key")
            .header("idempotency-key", "\u{f6}")
            .json(keyless),
        header("another method, it says", 405, "method-not-allowed")
            .at("GET", association())
            .header("x-http-method-override", "PUT")
            .json(good.clone()),
        header("20 KB of headers", 431, "").header("x", "y".repeat(20_000)).json(good.clone()),
        header("a length twice", 400, "").header("content-length", "3").json(good.clone()),
        header("chunked and with a length", 400, "").header("transfer-encoding", "chunked").json(good),
    ]
    .into_iter()
    .chain(of_the_way)
    .collect()
}

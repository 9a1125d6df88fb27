//! Ids, uploads and checksums of others.

use super::{Row, World};
use serde_json::{Value, json};
use support::sender::{ASSOCIATION, OFFERING, metadata, offer, with};

/// Metadata, in form B.
pub(super) fn rows(world: &World) -> Vec<Row> {
    let text = offer(5).to_string();
    let row = |name: &str, status: u16, problem: &'static str, body: Vec<u8>| {
        Row::new(format!("JSON: {name}"), status, problem).bearer(&world.token).json(body)
    };
    let malformed = |name: &str, body: &[u8]| row(name, 400, "malformed-json", body.to_vec());
    let invalid = |name: &str, body: String| row(name, 422, "invalid-metadata", body.into_bytes());
    let sized = |size: &str| text.replace("\"documentSize\":5", &format!("\"documentSize\":{size}"));
    let named = |name: &str| text.replace("\"beoordeling-100245.pdf\"", name);
    let sum = |sum: Value| with(&offer(5), "documentChecksum", sum).to_string();
    let raw = |field: &str| text.replacen('{', &format!("{{{field},"), 1);
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16_be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let utf32: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    vec![
        malformed("nothing", b""),
        malformed("a blank", b" "),
        malformed("a word", b"hello"),
        malformed("cut short", &text.as_bytes()[..text.len() - 1]),
        malformed("more behind it", format!("{text}{text}").as_bytes()),
        malformed("a comma at the end", text.replace("}]}", "},]}").as_bytes()),
        malformed("a comment", format!("/* x */{text}").as_bytes()),
        malformed("single quotes", text.replace('"', "'").as_bytes()),
        malformed("NaN", sized("NaN").as_bytes()),
        malformed("Infinity", sized("Infinity").as_bytes()),
        malformed("a number with a plus", sized("+5").as_bytes()),
        malformed("a number with a zero in front", sized("05").as_bytes()),
        malformed("a hexadecimal number", sized("0x5").as_bytes()),
        malformed("a lone surrogate", named("\"\\ud800.pdf\"").as_bytes()),
        malformed("surrogates the wrong way round", named("\"\\udc00\\ud800.pdf\"").as_bytes()),
        malformed("a line feed in a text", named("\"a\nb.pdf\"").as_bytes()),
        malformed("a NUL in a text", named("\"a\0b.pdf\"").as_bytes()),
        malformed("a byte that is not UTF-8", &[text.as_bytes(), b"\xff"].concat()),
        malformed("an overlong slash", named("\"a\u{1}b\"").replace('\u{1}', "\\xc0\\xaf").as_bytes()),
        malformed("UTF-16", &utf16),
        malformed("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0"),
        row("100,000 levels", 413, "metadata-too-large", vec![b'['; 100_000]),
        row("60,000 levels", 422, "invalid-metadata", vec![b'['; 60_000]),
        invalid("33 levels", raw(&format!("\"x\":{}1{}", "[".repeat(33), "]".repeat(33)))),
        row("65 KiB", 413, "metadata-too-large", raw(&format!("\"x\":\"{}\"", "y".repeat(65 << 10))).into_bytes()),
        invalid("a list", format!("[{text}]")),
        invalid("null", "null".to_owned()),
        invalid("a key twice", raw(&format!("\"associationId\":\"{OFFERING}\""))),
        invalid("a consumer's key twice", text.replace("\"documentSize\":5", "\"documentSize\":5,\"documentSize\":6")),
        invalid("a key twice, once escaped", raw(&format!("\"associationI\\u0064\":\"{OFFERING}\""))),
        invalid("another association", text.replace(ASSOCIATION, OFFERING)),
        invalid("an association that is a number", text.replace(&format!("\"{ASSOCIATION}\""), "5")),
        malformed("UTF-16, big end first", &utf16_be),
        malformed("UTF-32", &utf32),
        malformed("two byte order marks", format!("\u{feff}\u{feff}{text}").as_bytes()),
        invalid("two nl-okd consumers", text.replace("\"consumers\":[", "\"consumers\":[{\"consumerKey\":\"nl-okd\",\"documentType\":\"bpv\",\"documentName\":\"a\"},")),
        invalid("a person that is a number", raw("\"person\":5")),
        invalid("no documentSize", metadata().to_string()),
        invalid("size 0", sized("0")),
        invalid("size -1", sized("-1")),
        invalid("size -0", sized("-0.0")),
        invalid("size 1.5", sized("1.5")),
        invalid("size \"10\"", sized("\"10\"")),
        invalid("size null", sized("null")),
        invalid("size true", sized("true")),
        invalid("size [5]", sized("[5]")),
        invalid("size -1e400", sized("-1e400")),
        row("size 2^64", 413, "document-too-large", sized("18446744073709551616").into_bytes()),
        row("size 1e400", 413, "document-too-large", sized("1e400").into_bytes()),
        row("size 1073741825.0", 413, "document-too-large", sized("1073741825.0").into_bytes()),
        row("size 2^63", 413, "document-too-large", sized("9223372036854775808").into_bytes()),
        row("size 1 GiB + 1", 413, "document-too-large", sized("1073741825").into_bytes()),
        invalid("a checksum that is a number", sum(json!(5))),
        invalid("a checksum without its algorithm", sum(json!("827ccb0eea8a706c4c34a16891f84e7b"))),
        invalid("an MD5", sum(json!("md5:827ccb0eea8a706c4c34a16891f84e7b"))),
        invalid("a SHA-256 too short", sum(json!("sha-256:00"))),
        invalid("a SHA-256 too long", sum(json!(format!("sha-256:{}", "0".repeat(65))))),
        invalid("a SHA-256 of other digits", sum(json!(format!("sha-256:{}", "g".repeat(64))))),
        invalid("an empty type", with(&offer(5), "documentType", json!("")).to_string()),
        invalid("a format that is none", with(&offer(5), "format", json!("pdf")).to_string()),
        invalid("a format that breaks a header", with(&offer(5), "format", json!("a/b\r\nx: y")).to_string()),
        invalid("consumers that contradict each other", text.replace("\"consumers\":[", "\"consumers\":[{\"consumerKey\":\"nl-okd\",\"examCode\":\"1\"},{\"consumerKey\":\"nl-okd\",\"examCode\":\"2\"},")),
        invalid("a consumer that is a second document", raw("\"consumer\":{\"consumerKey\":\"nl-okd\",\"documentId\":\"other\"}")),
        invalid("a person beside another's id", raw("\"person\":\"p1\",\"personId\":\"p2\"")),
        invalid("an expanded person beside another's id", raw("\"person\":{\"personId\":\"p1\"},\"personId\":\"p2\"")),
        invalid("an offering beside another's id", raw("\"offering\":\"o1\",\"offeringId\":\"o2\"")),
        invalid(
            "a person with another student's number",
            raw("\"person\":{\"personId\":\"p1\",\"primaryCode\":{\"codeType\":\"studentNumber\",\"code\":\"1\"}}")
                .replace("\"documentSize\":5", "\"documentSize\":5,\"studentNumber\":\"2\""),
        ),
        invalid(
            "another association around a wrapped one",
            format!("{{\"associationId\":\"{OFFERING}\",\"association\":{text}}}"),
        ),
        invalid("another association inside", raw(&format!("\"association\":\"{OFFERING}\""))),
        invalid("another expanded association inside", raw(&format!("\"association\":{{\"associationId\":\"{OFFERING}\"}}"))),
        invalid("a person around a wrapped association", format!("{{\"personId\":\"p1\",\"association\":{text}}}")),
        invalid("a range of media types", text.replace("\"documentSize\":5", "\"documentSize\":5,\"format\":\"*/*\"")),
        invalid("an offering, it says", text.replace("associationId", "x").replace("associationType", "offeringType")),
        invalid("a name that is a number", named("5")),
        invalid("a name of 5,000 letters", named(&format!("\"{}\"", "a".repeat(5000)))),
        invalid("a documentId of 5,000 letters", with(&offer(5), "documentId", json!("a".repeat(5000))).to_string()),
        invalid("an unheard-of type", with(&offer(5), "documentType", json!("diploma")).to_string()),
        invalid("a date that is none", with(&offer(5), "examDate", json!("2026-02-30")).to_string()),
    ]
}

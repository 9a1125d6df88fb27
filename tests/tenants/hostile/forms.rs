//! Broken forms and JSON.

#![expect(clippy::too_many_lines, reason = "it is a table")]

use super::{Row, World};
use support::sender::metadata;

/// Forms.
pub(super) fn rows(world: &World) -> Vec<Row> {
    const MEDIA: &str = "multipart/form-data; boundary=X";
    let meta = metadata().to_string();
    let part = |head: &str, body: &str| format!("--X\r\n{head}\r\n\r\n{body}\r\n");
    let disposition = |name: &str| format!("content-disposition: form-data; name=\"{name}\"");
    let good = part(&disposition("metadata"), &meta) + &part(&disposition("file"), "bytes");
    let end = "--X--\r\n";
    let row = |name: &str, status: u16, problem: &'static str, media: &str, body: String| {
        Row::new(format!("form: {name}"), status, problem).bearer(&world.token).body(media, body)
    };
    let m = part(&disposition("metadata"), &meta);
    let latin1 = format!("{}\r\ncontent-type: application/json; charset=iso-8859-1", disposition("metadata"));
    let latin1 =
        part(&latin1, &meta.replace("beoordeling", "beoordelinge\u{1}n")) + &part(&disposition("file"), "bytes") + end;
    let latin1: Vec<u8> = latin1.bytes().map(|byte| if byte == 1 { 0xeb } else { byte }).collect();
    let f = part(&disposition("file"), "bytes");
    let headers: String = (0..2000).map(|number| format!("x-{number}: y\r\n")).collect();
    let broken = |name: &str, body: String| row(name, 400, "malformed-form", MEDIA, body);
    let wrong = |name: &str, body: String| row(name, 422, "invalid-form", MEDIA, body);
    vec![
        row("no boundary", 400, "malformed-form", "multipart/form-data", good.clone() + end),
        row("an empty boundary", 400, "malformed-form", "multipart/form-data; boundary=", good.clone() + end),
        row("another boundary", 400, "malformed-form", "multipart/form-data; boundary=Y", good.clone() + end),
        row("another multipart", 415, "unsupported-media-type", "multipart/mixed; boundary=X", good.clone() + end),
        broken("no end", good.clone()),
        broken(
            "an end within a part",
            part(&disposition("metadata"), &meta) + "--X\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nbyt",
        ),
        broken("nothing", String::new()),
        broken("no part's head ends", format!("--X\r\n{}", disposition("metadata"))),
        broken("line feeds alone", (good.clone() + end).replace("\r\n", "\n")),
        broken("a head of 2,000 headers", part(&format!("{headers}{}", disposition("metadata")), &meta) + &f + end),
        broken(
            "a header of 1 MB",
            part(&format!("x: {}\r\n{}", "y".repeat(1 << 20), disposition("metadata")), &meta) + &f + end,
        ),
        wrong("no part", end.to_owned()),
        wrong("no metadata", f.clone() + end),
        wrong("no file", m.clone() + end),
        wrong("two metadata", m.clone() + &m + &f + end),
        wrong("two files", m.clone() + &f + &f + end),
        wrong("a third part", good.clone() + &part(&disposition("tenant"), "other") + end),
        wrong("1,000 parts", good.clone() + &part(&disposition("x"), "").repeat(1000) + end),
        wrong("1,000 metadata", m.repeat(1000) + end),
        wrong("a part without a name", part("content-disposition: form-data", "x") + end),
        wrong("a part without a disposition", part("content-type: text/plain", "x") + end),
        wrong(
            "names in upper case",
            part(&disposition("METADATA"), &meta) + &part(&disposition("FILE"), "bytes") + end,
        ),
        Row::new("form: metadata in Latin-1", 400, "malformed-json").bearer(&world.token).body(MEDIA, latin1),
        broken(
            "a name twice",
            m.clone() + &part("content-disposition: form-data; name=\"file\"; name=\"metadata\"", "bytes") + end,
        ),
        broken(
            "a name twice, in two cases",
            m.clone() + &part("content-disposition: form-data; name=file; NAME=metadata", "bytes") + end,
        ),
        broken(
            "a name and an extended name",
            m.clone() + &part("content-disposition: form-data; name=\"file\"; name*=utf-8''metadata", "bytes") + end,
        ),
        broken(
            "a name and a name in pieces",
            m.clone()
                + &part("content-disposition: form-data; name=\"file\"; name*0=\"meta\"; name*1=\"data\"", "bytes")
                + end,
        ),
        broken(
            "a type with a parameter twice",
            m.clone()
                + &part(&format!("{}\r\ncontent-type: text/plain; charset=a; charset=b", disposition("file")), "bytes")
                + end,
        ),
        broken(
            "quotes in a file name as they are",
            m.clone()
                + &part("content-disposition: form-data; name=\"file\"; filename=\"een \"a\".pdf\"", "bytes")
                + end,
        ),
        // The empty line's CRLF is the delimiter's too (RFC 2046, section 5.1.1): the next part is not this one's body.
        row(
            "a file without a body before the metadata",
            422,
            "empty-file",
            MEDIA,
            format!("--X\r\n{}\r\n\r\n", disposition("file")) + &m + end,
        ),
        broken("a file that begins with the boundary", m.clone() + &part(&disposition("file"), "--X\r\nbytes") + end),
        broken(
            "two dispositions",
            m.clone() + &part(&format!("{}\r\n{}", disposition("file"), disposition("metadata")), "bytes") + end,
        ),
        broken(
            "two types",
            m.clone()
                + &part(&format!("{}\r\ncontent-type: a/b\r\ncontent-type: c/d", disposition("file")), "bytes")
                + end,
        ),
        broken(
            "a quoted name that does not end",
            m.clone() + &part("content-disposition: form-data; name=\"file", "bytes") + end,
        ),
        broken(
            "a header that is none",
            m.clone() + &part(&format!("{}\r\nnonsense", disposition("file")), "bytes") + end,
        ),
        broken("a NUL in a head", m.clone() + &part(&format!("{}\r\nx: a\0b", disposition("file")), "bytes") + end),
        broken(
            "a line feed alone in a head",
            m.clone() + &part(&format!("{}\nx: y", disposition("file")), "bytes") + end,
        ),
        wrong(
            "a name that is a file's",
            m.clone() + &part("content-disposition: form-data; filename=\"x; name=file\"", "bytes") + end,
        ),
        wrong(
            "a part that is an attachment",
            m.clone() + &part("content-disposition: attachment; name=\"file\"", "bytes") + end,
        ),
        row(
            "a boundary twice",
            400,
            "malformed-form",
            "multipart/form-data; boundary=X; boundary=Y",
            good.clone() + end,
        ),
        row(
            "a boundary in quotes that do not end",
            400,
            "malformed-form",
            "multipart/form-data; boundary=\"X",
            good.clone() + end,
        ),
        row("the boundary in the preamble alone", 400, "malformed-form", MEDIA, "a form of --X parts\r\n".to_owned()),
        wrong(
            "a file in base64",
            m.clone()
                + &part(&format!("{}\r\ncontent-transfer-encoding: base64", disposition("file")), "Ynl0ZXM=")
                + end,
        ),
        wrong(
            "a file quoted-printable",
            m.clone()
                + &part(&format!("{}\r\ncontent-transfer-encoding: quoted-printable", disposition("file")), "=00")
                + end,
        ),
        row("an empty file", 422, "empty-file", MEDIA, m.clone() + &part(&disposition("file"), "") + end),
        row(
            "a form as metadata",
            400,
            "malformed-json",
            MEDIA,
            part(&disposition("metadata"), "--Y\r\n\r\n{}\r\n--Y--") + &f + end,
        ),
        row(
            "metadata that is no JSON",
            400,
            "malformed-json",
            MEDIA,
            part(&disposition("metadata"), "associationId=1") + &f + end,
        ),
        row(
            "the boundary inside the file",
            400,
            "malformed-form",
            MEDIA,
            m.clone() + &part(&disposition("file"), "bytes\r\n--X\r\nmore") + end,
        ),
        row(
            "the end inside the metadata",
            422,
            "invalid-form",
            MEDIA,
            part(&disposition("metadata"), "{\r\n--X--\r\n}") + &f + end,
        ),
        row(
            "a file over the limit",
            413,
            "file-too-large-inline",
            MEDIA,
            m.clone() + &part(&disposition("file"), &"x".repeat((4 << 20) + 1)) + end,
        ),
        row(
            "a body over the gateway's limit",
            413,
            "",
            MEDIA,
            m + &part(&disposition("file"), &"x".repeat(11 << 20)) + end,
        ),
    ]
}

//! Forms as no library makes them, but as some client will.

use serde_json::Value;

use support::sender::{Answer, BOUNDARY, Sender, association, form, metadata};

const METADATA: &str = "Content-Disposition: form-data; name=\"metadata\"\r\nContent-Type: application/json";
const FILE: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf";

async fn send(parts: &[(&str, &[u8])]) -> Answer {
    send_from(&Sender::new(), parts).await
}

async fn send_from(sender: &Sender, parts: &[(&str, &[u8])]) -> Answer {
    sender.send_form(&association(), form(parts)).await
}

fn json() -> Vec<u8> {
    metadata().to_string().into_bytes()
}

#[tokio::test]
async fn the_file_may_come_before_the_metadata() {
    send(&[(FILE, b"x"), (METADATA, &json())]).await.ok();
}

#[tokio::test]
async fn a_preamble_an_epilogue_and_padding_after_the_boundary_are_allowed() {
    let sender = Sender::new();
    let mut body = b"This is a message in MIME format.\r\n".to_vec();
    body.extend(form(&[(METADATA, &json()), (FILE, b"bytes")]));
    let text = format!("--{BOUNDARY}\r\n");
    let padded = format!("--{BOUNDARY} \t\r\n");
    let at = body.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    body.splice(at..at + text.len(), padded.into_bytes());
    body.extend_from_slice(b"epilogue");
    let id = sender.send_form(&association(), body).await.ok().id();
    assert_eq!(sender.stored_bytes(&id).await, b"bytes");
}

#[tokio::test]
async fn an_odd_boundary_in_quotes_is_understood() {
    let sender = Sender::new();
    let body = form(&[(METADATA, &json()), (FILE, b"x")]);
    let odd = "'()+_,-./:=?aZ0";
    let body = String::from_utf8(body).unwrap().replace(BOUNDARY, odd);
    let request = sender.request("PUT", &association());
    let request = request.header("content-type", format!("Multipart/Form-Data; charset=utf-8; BOUNDARY=\"{odd}\""));
    sender.send(request.body(body)).await.ok();
}

#[tokio::test]
async fn an_extended_file_name_and_header_names_in_any_case_are_understood() {
    let file = "CONTENT-DISPOSITION: form-data; name=file; filename*=UTF-8''na%C3%AFef.pdf\r\ncontent-TYPE: application/binary";
    send(&[(METADATA, &json()), (file, b"x")]).await.ok();
}

#[tokio::test]
async fn a_file_full_of_things_that_look_like_boundaries_is_stored_byte_for_byte() {
    let sender = Sender::new();
    let file = format!("--{BOUNDARY}\n\r\n-----{BOUNDARY}--\n--{BOUNDARY}\n\r\r\n--\r\n");
    let id = sender.send_form(&association(), form(&[(METADATA, &json()), (FILE, file.as_bytes())])).await.ok().id();
    assert_eq!(sender.stored_bytes(&id).await, file.as_bytes());
}

/// Reads a form whose file part has this head; gives the metadata of the document that it became.
async fn read(head: &str) -> Value {
    let sender = Sender::new();
    let body = form(&[(METADATA, &json()), (head, b"x")]);
    let id = sender.send_form(&association(), body).await.ok().id();
    sender.metadata_of(&id).await
}

#[tokio::test]
async fn a_parts_head_is_read_as_the_rfcs_and_the_mail_libraries_write_it() {
    for (head, name) in [
        // javax.mail and Python's email fold.
        ("Content-Disposition: form-data;\r\n name=\"file\";\r\n\tfilename=\"a.pdf\"", "a.pdf"),
        ("Content-Disposition: form-data ; name=\"file\" ; filename=\"a.pdf\" ;", "a.pdf"),
        ("Content-Disposition:form-data;Name=file;FileName=a.pdf", "a.pdf"),
        ("Content-Disposition: form-data; filename=\"exam; name=jan.pdf\"; name=\"file\"", "exam; name=jan.pdf"),
        ("Content-Disposition: form-data; filename=\"een \\\"a\\\".pdf\"; name=\"file\"", "een \"a\".pdf"),
        ("Content-Disposition: form-data; filename=\"C:\\scans\\a.pdf\"; name=\"file\"", "C:\\scans\\a.pdf"),
        ("Content-Disposition: form-data; name=file; filename=\"x.pdf\"; filename*=UTF-8''na%C3%AFef.pdf", "naïef.pdf"),
        ("Content-Disposition: form-data; name=file; filename*0=\"een \"; filename*1=\"naam.pdf\"", "een naam.pdf"),
        ("Content-Disposition: form-data; name=\"file\"; filename=\"één.pdf\"", "één.pdf"),
    ] {
        assert_eq!(read(head).await["sentFileName"], name, "{head}");
    }
}

#[tokio::test]
async fn a_parts_head_that_two_readers_could_read_differently_is_refused() {
    for head in [
        "Content-Disposition: form-data; name=\"file\"; name=\"metadata\"",
        "Content-Disposition: form-data; name=\"file\"; filename=\"a\"; FILENAME=\"b\"",
        "Content-Disposition: form-data; name=\"file\"\r\nContent-Disposition: form-data; name=\"other\"",
        "Content-Disposition: form-data; name=\"file\"\r\nContent-Type: a/b\r\nContent-Type: c/d",
        "Content-Disposition: form-data; name=\"file\"x",
        "Content-Disposition: form-data; name=\"file",
        "Content-Disposition form-data; name=\"file\"",
    ] {
        send(&[(METADATA, &json()), (head, b"x")]).await.problem(400, "malformed-form");
    }
}

#[tokio::test]
async fn a_boundary_may_hold_quoted_pairs_and_a_preamble_may_name_it() {
    let sender = Sender::new();
    let body = form(&[(METADATA, &json()), (FILE, b"bytes")]);
    let body = [format!("a form of parts between --{BOUNDARY} lines\r\n").as_bytes(), &body[..]].concat();
    let quoted: String = BOUNDARY.chars().map(|c| format!("\\{c}")).collect();
    let request = sender.request("PUT", &association());
    let request = request.header("content-type", format!("multipart/form-data; boundary = \"{quoted}\""));
    let id = sender.send(request.body(body)).await.ok().id();
    assert_eq!(sender.stored_bytes(&id).await, b"bytes");
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_told_why() {
    let sender = Sender::new();
    let body = form(&[(METADATA, &json()), (FILE, b"x")]);
    let text = String::from_utf8(body.clone()).unwrap();
    let media = format!("multipart/form-data; boundary={BOUNDARY}");
    let line = format!("--{BOUNDARY}");
    for (media, body, why) in [
        ("multipart/form-data; boundary=other", text.clone(), "no line of it is the boundary"),
        ("multipart/form-data; boundary=a; boundary=b", text.clone(), "gives a parameter twice"),
        (&*media, text.replace("\r\n", "\n"), "CRLF"),
        (&*media, text.replace("\r\n\r\n", "\n\n"), "CRLF"),
        (&*media, text.replace("form-data;", "form-data;\n"), "CRLF"),
        (&*media, text.replace(BOUNDARY, &format!("{BOUNDARY}X")), "no line of it is the boundary"),
        (&*media, text.replace(&line, &format!("x{line}")), "no line of it is the boundary"),
        (&*media, String::new(), "it is empty"),
        (&*media, line.clone(), "ends before its last boundary"),
        (&*media, text[..text.len() - 8].to_owned(), "ends before its last boundary"),
        (&*media, text.replace("name=\"file\"", "name*=utf-8''file"), "send name=\"file\""),
    ] {
        let request = sender.request("PUT", &association()).header("content-type", media);
        let detail = sender.send(request.body(body)).await.problem(400, "malformed-form");
        assert!(detail.contains(why), "{detail}");
    }
    let unnamed = "Content-Disposition: form-data; filename=\"a.pdf\"";
    let detail = send(&[(METADATA, &json()), (unnamed, b"x")]).await.problem(422, "invalid-form");
    assert!(detail.contains("a part without a name"), "{detail}");
}

#[tokio::test]
async fn a_body_that_is_compressed_is_refused_before_it_is_read() {
    let sender = Sender::new();
    for encoding in ["gzip", "br", "identity, deflate", "x"] {
        let request = sender.request("PUT", &association()).header("content-encoding", encoding);
        let answer = sender.send(request.json(&metadata())).await;
        answer.problem(415, "unsupported-media-type");
        assert_eq!(answer.headers["accept-encoding"], "identity");
    }
    let request = sender.request("PUT", &association()).header("content-encoding", "Identity");
    sender.send(request.json(&support::sender::offer(5))).await.accepted();
}

#[tokio::test]
async fn a_form_without_a_file_is_a_broken_call_and_never_an_offer() {
    let answer = send(&[(METADATA, support::sender::offer(5).to_string().as_bytes())]).await;
    let detail = answer.problem(422, "invalid-form");
    assert!(detail.contains("no part named file"), "{detail}");
}

#[tokio::test]
async fn a_form_without_metadata_is_refused() {
    send(&[(FILE, b"x")]).await.problem(422, "invalid-form");
}

#[tokio::test]
async fn two_files_or_two_metadata_are_refused() {
    send(&[(METADATA, &json()), (FILE, b"x"), (FILE, b"y")]).await.problem(422, "invalid-form");
    send(&[(METADATA, &json()), (METADATA, &json()), (FILE, b"x")]).await.problem(422, "invalid-form");
}

#[tokio::test]
async fn a_part_that_nobody_asked_for_is_refused_rather_than_dropped() {
    let other = "Content-Disposition: form-data; name=\"attachment\"";
    let detail = send(&[(METADATA, &json()), (FILE, b"x"), (other, b"y")]).await.problem(422, "invalid-form");
    assert!(detail.contains("attachment"), "{detail}");
}

#[tokio::test]
async fn a_part_in_base64_is_refused_rather_than_stored_as_it_stands() {
    let encoded = format!("{FILE}\r\nContent-Transfer-Encoding: base64");
    send(&[(METADATA, &json()), (&encoded, b"eA==")]).await.problem(422, "invalid-form");
    let binary = format!("{FILE}\r\nContent-Transfer-Encoding: binary");
    send(&[(METADATA, &json()), (&binary, b"x")]).await.ok();
}

#[tokio::test]
async fn a_charset_label_says_nothing_and_the_bytes_must_be_utf_8() {
    let labelled = |charset: &str| format!("{METADATA}; charset={charset}");
    for charset in ["iso-8859-1", "US-ASCII", "\"utf-8\"", "windows-1252", "UTF-16LE", ""] {
        send(&[(&labelled(charset), &json()), (FILE, b"x")]).await.ok();
    }
    let mut bytes = json();
    let at = bytes.windows(4).position(|window| window == b"beoo").unwrap();
    bytes[at] = 0xe9;
    for head in [METADATA, &labelled("iso-8859-1")] {
        let answer = send(&[(head, &bytes), (FILE, b"x")]).await;
        assert!(answer.problem(400, "malformed-json").contains("not UTF-8"));
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped_and_utf_16_is_refused_by_its_name() {
    let sender = Sender::new();
    let marked = [b"\xef\xbb\xbf", &json()[..]].concat();
    let id = send_from(&sender, &[(METADATA, &marked), (FILE, b"x")]).await.ok().id();
    assert_eq!(sender.metadata_of(&id).await["asSent"].as_str().unwrap().as_bytes(), &marked[3..]);
    let text = String::from_utf8(json()).unwrap();
    for wide in [
        text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
        text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
        text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
    ] {
        let detail = send(&[(METADATA, &wide), (FILE, b"x")]).await.problem(400, "malformed-json");
        assert!(detail.contains("UTF-16"), "{detail}");
    }
}

#[tokio::test]
async fn what_senders_write_around_the_grammar_is_read() {
    let sender = Sender::new();
    let good = form(&[(METADATA, &json()), (FILE, b"x")]);
    let text = String::from_utf8(good.clone()).unwrap();
    let empty_name = text.replace("filename=\"a.pdf\"", "filename=");
    for body in [text.trim_end().to_owned() + "\n", text.trim_end().to_owned(), empty_name] {
        sender.send_form(&association(), body.into_bytes()).await.ok();
    }
    let media = format!("multipart/form-data; charset=; boundary={BOUNDARY}");
    let request = sender.request("PUT", &association());
    let request = request.header("content-type", media).body(good.clone());
    sender.send(request).await.ok();
    // Old Windows programs write the euro sign and typographic quotes as bytes that ISO-8859-1 has no characters for.
    let head = b"Content-Disposition: form-data; name=\"file\"; filename=\"\x80 \x93\xe9\x94.pdf\"\r\n\r\nx\r\n";
    let metadata = form(&[(METADATA, &json())]);
    let start = &metadata[..metadata.len() - "--\r\n".len()];
    let body = [start, b"\r\n", head, format!("--{BOUNDARY}--\r\n").as_bytes()].concat();
    let id = sender.send_form(&association(), body).await.ok().id();
    assert_eq!(sender.metadata_of(&id).await["sentFileName"], "\u{20ac} \u{201c}é\u{201d}.pdf");
}

#[tokio::test]
async fn a_form_cut_short_is_refused() {
    let sender = Sender::new();
    let body = form(&[(METADATA, &json()), (FILE, b"the whole file")]);
    for cut in [10, BOUNDARY.len() + 6, BOUNDARY.len() + 20] {
        sender.send_form(&association(), body[..body.len() - cut].to_vec()).await.problem(400, "malformed-form");
    }
}

#[tokio::test]
async fn a_form_whose_content_type_names_no_boundary_is_refused() {
    let sender = Sender::new();
    let request = sender.request("PUT", &association()).header("content-type", "multipart/form-data");
    sender.send(request.body(form(&[]))).await.problem(400, "malformed-form");
}

#[tokio::test]
async fn a_body_that_is_neither_a_form_nor_json_is_refused() {
    let sender = Sender::new();
    for media in ["application/pdf", "text/plain", "application/x-www-form-urlencoded"] {
        let request = sender.request("PUT", &association()).header("content-type", media).body("x");
        sender.send(request).await.problem(415, "unsupported-media-type");
    }
    sender.call("PUT", &association()).await.problem(415, "unsupported-media-type");
}

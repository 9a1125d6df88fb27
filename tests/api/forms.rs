//! Forms as no library makes them, but as some client will.

use crate::sender::{Answer, BOUNDARY, Sender, association, form, metadata};

const METADATA: &str =
    "Content-Disposition: form-data; name=\"metadata\"\r\nContent-Type: application/json";
const FILE: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf";

async fn send(parts: &[(&str, &[u8])]) -> Answer {
    Sender::new().send_form(&association(), form(parts)).await
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
    let at = body
        .windows(text.len())
        .position(|window| window == text.as_bytes())
        .unwrap();
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
    let request = request.header(
        "content-type",
        format!("Multipart/Form-Data; charset=utf-8; BOUNDARY=\"{odd}\""),
    );
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
    let file = format!("--{BOUNDARY}\r\n\r\n-----{BOUNDARY}--\n--{BOUNDARY}\n\r\r\n--\r\n");
    let id = sender
        .send_form(
            &association(),
            form(&[(METADATA, &json()), (FILE, file.as_bytes())]),
        )
        .await
        .ok()
        .id();
    assert_eq!(sender.stored_bytes(&id).await, file.as_bytes());
}

#[tokio::test]
async fn folded_part_headers_are_refused_as_unreadable() {
    let folded = "Content-Disposition: form-data;\r\n name=\"file\"";
    send(&[(METADATA, &json()), (folded, b"x")])
        .await
        .problem(400, "malformed-form");
}

#[tokio::test]
async fn a_form_without_a_file_is_a_broken_call_and_never_an_offer() {
    let answer = send(&[(METADATA, crate::sender::offer(5).to_string().as_bytes())]).await;
    let detail = answer.problem(422, "invalid-form");
    assert!(detail.contains("no part named file"), "{detail}");
}

#[tokio::test]
async fn a_form_without_metadata_is_refused() {
    send(&[(FILE, b"x")]).await.problem(422, "invalid-form");
}

#[tokio::test]
async fn two_files_or_two_metadata_are_refused() {
    send(&[(METADATA, &json()), (FILE, b"x"), (FILE, b"y")])
        .await
        .problem(422, "invalid-form");
    send(&[(METADATA, &json()), (METADATA, &json()), (FILE, b"x")])
        .await
        .problem(422, "invalid-form");
}

#[tokio::test]
async fn a_part_that_nobody_asked_for_is_refused_rather_than_dropped() {
    let other = "Content-Disposition: form-data; name=\"attachment\"";
    let detail = send(&[(METADATA, &json()), (FILE, b"x"), (other, b"y")])
        .await
        .problem(422, "invalid-form");
    assert!(detail.contains("attachment"), "{detail}");
}

#[tokio::test]
async fn a_part_in_base64_is_refused_rather_than_stored_as_it_stands() {
    let encoded = format!("{FILE}\r\nContent-Transfer-Encoding: base64");
    send(&[(METADATA, &json()), (&encoded, b"eA==")])
        .await
        .problem(422, "invalid-form");
    let binary = format!("{FILE}\r\nContent-Transfer-Encoding: binary");
    send(&[(METADATA, &json()), (&binary, b"x")]).await.ok();
}

#[tokio::test]
async fn metadata_in_another_charset_is_refused() {
    let latin = "Content-Disposition: form-data; name=\"metadata\"\r\nContent-Type: application/json; charset=iso-8859-1";
    send(&[(latin, &json()), (FILE, b"x")])
        .await
        .problem(422, "invalid-form");
    let mut bytes = json();
    let at = bytes
        .windows(4)
        .position(|window| window == b"beoo")
        .unwrap();
    bytes[at] = 0xe9;
    let answer = send(&[(METADATA, &bytes), (FILE, b"x")]).await;
    assert!(answer.problem(400, "malformed-json").contains("not UTF-8"));
}

#[tokio::test]
async fn a_form_cut_short_is_refused() {
    let sender = Sender::new();
    let body = form(&[(METADATA, &json()), (FILE, b"the whole file")]);
    for cut in [10, BOUNDARY.len() + 6, BOUNDARY.len() + 20] {
        sender
            .send_form(&association(), body[..body.len() - cut].to_vec())
            .await
            .problem(400, "malformed-form");
    }
}

#[tokio::test]
async fn a_form_whose_content_type_names_no_boundary_is_refused() {
    let sender = Sender::new();
    let request = sender
        .request("PUT", &association())
        .header("content-type", "multipart/form-data");
    sender
        .send(request.body(form(&[])))
        .await
        .problem(400, "malformed-form");
}

#[tokio::test]
async fn a_body_that_is_neither_a_form_nor_json_is_refused() {
    let sender = Sender::new();
    for media in [
        "application/pdf",
        "text/plain",
        "application/x-www-form-urlencoded",
    ] {
        let request = sender
            .request("PUT", &association())
            .header("content-type", media)
            .body("x");
        sender
            .send(request)
            .await
            .problem(415, "unsupported-media-type");
    }
    sender
        .call("PUT", &association())
        .await
        .problem(415, "unsupported-media-type");
}

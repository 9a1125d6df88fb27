//! The greeting of `cargo run`: the URLs, a token, and curl lines to paste.

use okd_cli::{REGION, access_key::ACCESS_KEY_FILE};

use crate::{Cloud, FUNCTIONS_LOG, Result, bus::ANNOUNCED, contract_page, sample};

/// The text of `cargo run -- stores` beside the environment that it prints.
pub fn to_sam_local(cloud: &Cloud) -> String {
    let key = cloud.data.join(ACCESS_KEY_FILE).display().to_string();
    let issuer = &cloud.issuer_url;
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    format!(
        "\
Stores, issuer and bus for sam local (Ctrl-C stops them). In another shell, with what is printed here in env.json:

sam build --parameter-overrides Architecture={architecture}
. {key}   # the key to the stores, which no others have
AWS_REGION={REGION} sam local start-api --env-vars env.json --parameter-overrides Architecture={architecture} --warm-containers LAZY

{issuer}/token gives tokens (grant_type=client_credentials&client_id=me); the API is then at http://127.0.0.1:3000.
"
    )
}

/// The text of `cargo run`: the URLs, and lines to paste.
pub fn text(cloud: &Cloud) -> Result<String> {
    let token = cloud.issuer.token("local-sis", "okd:examdocuments")?;
    let (url, issuer) = (&cloud.url, &cloud.issuer_url);
    let association = "123e4567-e89b-12d3-a456-426614174000";
    let metadata = |extra: &str| {
        format!(
            r#"{{"associationId":"{association}","associationType":"programOfferingAssociation","role":"student","state":"associated","consumers":[{{"consumerKey":"nl-okd","documentType":"examinering","documentSubtype":"examenbeoordeling","documentId":"dbd3e12a-ed8b-4488-ac34-26fd4f64f40b","documentName":"beoordeling-100245.pdf","bewaartermijnsuggestie":"3Y"{extra}}}]}}"#
        )
    };
    let log = cloud.data.join(FUNCTIONS_LOG).display().to_string();
    let announced = cloud.data.join(ANNOUNCED).display().to_string();
    let pdf = cloud.data.join("beoordeling-100245.pdf");
    std::fs::write(&pdf, sample::exam_pdf())?;
    let pdf = pdf.display();
    let docs = contract_page::PATH;
    let (inline, follows) = (metadata(""), metadata(r#","documentSize":104857600"#));
    Ok(format!(
        "\
The OKD document service runs at {url} (Ctrl-C stops it; documents stay in the data folder).
What happens in it, to have open beside your work: {url}/
Its contract, to read and to try: {url}{docs}
Its logs go to {log}, what is announced of documents to {announced}.

A token, good for an hour; {issuer}/token gives others (grant_type=client_credentials&client_id=me):
TOKEN={token}

It is the tenant local-school's; `cargo run -- tenant add` adds others.

Form A, the file inside (up to 4 MiB); 200 means stored:
curl -X PUT {url}/okd/v1/associations/{association} -H \"Authorization: Bearer $TOKEN\" \\
  -F 'metadata={inline};type=application/json' -F 'file=@{pdf};type=application/pdf'

Form B, the file follows (up to 1 GiB); 202 tells where to send its parts:
curl -X PUT {url}/okd/v1/associations/{association} -H \"Authorization: Bearer $TOKEN\" \\
  -H 'Content-Type: application/json' -d '{follows}'
"
    ))
}

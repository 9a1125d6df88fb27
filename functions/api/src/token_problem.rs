//! The problems of a token: 401 and 403, with their challenges (RFC 6750).

use http::header;
use okd_core::{caller::scopes_for, class::DocumentClass, error::TokenFault};

use crate::{kinds::Kind, problem::Problem};

/// Words that there is no token, or one that does not hold.
pub(crate) fn unauthenticated(fault: &TokenFault) -> Problem {
    Problem::new(Kind::Unauthenticated, token_detail(fault))
        .header(header::WWW_AUTHENTICATE, challenge(fault))
        // These texts are ours, and name claims at most.
        .because(fault.to_string())
}

/// Words that a token has no scope for this class of document, or for any.
pub(crate) fn missing_scope(class: Option<DocumentClass>) -> Problem {
    let scopes = scopes_for(class);
    let what = match class {
        Some(class) => format!("a document of the type {}", class.document_type.as_str()),
        None => "any document".to_owned(),
    };
    let detail = format!(
        "The access token lacks a scope for {what}. Ask the token endpoint for one of {}; where the issuer grants \
         scopes by role, have an administrator assign it.",
        scopes.join(", ")
    );
    let challenge = format!("Bearer realm=\"okd\", error=\"insufficient_scope\", scope=\"{}\"", scopes.join(" "));
    Problem::new(Kind::MissingScope, detail).header(header::WWW_AUTHENTICATE, challenge)
}

/// Makes the challenge of a 401 (RFC 6750, section 3: no error code where no token was sent).
fn challenge(fault: &TokenFault) -> String {
    match fault {
        TokenFault::Missing => "Bearer realm=\"okd\"".to_owned(),
        _ => format!(
            "Bearer realm=\"okd\", error=\"invalid_token\", error_description=\"{}\"",
            token_detail(fault).replace(['"', '\\'], "'")
        ),
    }
}

/// Says to the sender what is wrong with its token. Before a signature was checked any stranger may have sent the
/// token, so one text stands for every fault that would tell who is a customer here.
fn token_detail(fault: &TokenFault) -> String {
    let text = match fault {
        TokenFault::Signature
        | TokenFault::KeysWithoutIds
        | TokenFault::Issuer
        | TokenFault::Audience
        | TokenFault::SeveralTenants => {
            "The access token is not one that this service can accept: its iss and aud have to be, letter for letter, \
             those that were agreed with the service's operator, and its kid that of a key which its issuer publishes. \
             Get a fresh token; if that is refused too, ask the operator, whose log says why."
        }
        TokenFault::Missing => "This request has no bearer token. Send `Authorization: Bearer <access token>`.",
        TokenFault::Malformed => {
            "The bearer token is not a JWT access token of at most 8 KiB, with typ at+jwt or JWT, a signature that is \
             not symmetric, and no critical extension."
        }
        TokenFault::NoKeyId => {
            "The access token's header has no kid, so there is no telling which of the issuer's keys signed it. Have \
             the issuer's administrator make it name the key; an access token that comes from the issuer's token \
             endpoint usually does."
        }
        TokenFault::NotForAccess(claim) => {
            return format!(
                "The bearer token is not an access token: its `{claim}` says that it is an ID token, a refresh token \
                 or another kind. Send the access_token of the token endpoint's answer."
            );
        }
        TokenFault::Bound => {
            "The access token is bound to a key or a certificate (cnf), and this service cannot check the proof of it. \
             Request a plain bearer token: without DPoP, and without certificate-bound access tokens."
        }
        TokenFault::Expired => "The access token has expired. Get a fresh token and repeat the request.",
        TokenFault::NotYetValid => {
            "The access token is not valid yet (nbf). Check the clocks of the issuer and the sender."
        }
        TokenFault::Claim(claim) => {
            return format!("The access token's claim `{claim}` is missing or malformed.");
        }
        TokenFault::SeveralClients => "The access token names different clients in different claims.",
    };
    text.to_owned()
}

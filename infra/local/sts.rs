//! The stand-in for STS: begins sessions of the template's roles for the functions that the roles trust. What a session
//! may do [`policies`](crate::policies) says, and the stores ask; nothing is kept of it (see
//! [`access_key`](okd_cli::access_key)).

use std::{collections::BTreeMap, time::Duration};

use http::StatusCode;
use jiff::Timestamp;
use tokio::net::TcpListener;
use uuid::Uuid;

use okd_cli::{access_key::AccessKey, physical_name};
use okd_faults::Wording;

use okd_s3::percent;

use crate::{
    Result,
    aws_json::{self, Answer, Call, Described, Port},
    front::Front,
    policies::Need,
    signed::{Role, Session, begin_session},
    template::{Template, arn},
};

/// The name by which a session's begin passes the fault layer: a process makes one in a while, for any request.
pub const ASSUME_ROLE: &str = "AssumeRole";
/// The message of an answer that is not STS's own.
const NOT_OWN: &str = "Not the service's own answer.";
/// The time that a session lives at least and, where a role begins it, at most.
const LIFETIMES: std::ops::RangeInclusive<u64> = 900..=3600;

/// The logical ids of roles, by their ARNs.
pub type Roles = BTreeMap<String, String>;

/// The roles of a template that functions assume.
pub fn roles(template: &Template) -> Roles {
    let roles = template.roles_of_functions();
    roles.map(|(name, _)| (arn(&physical_name(name)), name.to_owned())).collect()
}

/// The port of STS, with answers in its protocol.
pub(crate) fn port(listener: TcpListener, front: Front) -> Port {
    Port { listener, front, word, denied }
}

/// Answers `AssumeRole` until the process ends.
pub async fn serve(port: Port, roles: Roles) {
    let key = port.front.access_key.clone();
    let effect = move |call: Call| {
        let (roles, key) = (roles.clone(), key.clone());
        async move { answer(&form(&call), &roles, &key) }
    };
    aws_json::serve(port, describe, effect).await;
}

type Form = BTreeMap<String, String>;

fn form(call: &Call) -> Form {
    let body = String::from_utf8_lossy(&call.body().bytes);
    let pairs = percent::decode_form(&body).unwrap_or_default();
    pairs.into_iter().collect()
}

fn describe(call: &Call) -> Described {
    let form = form(call);
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let role = field("RoleArn");
    let mut needs = vec![Need::of("sts:AssumeRole", role)];
    if form.contains_key("Tags.member.1.Key") {
        needs.push(Need::of("sts:TagSession", role));
    }
    (field("Action").to_owned(), needs)
}

fn answer(form: &Form, roles: &Roles, key: &AccessKey) -> Answer {
    let begun = begin(form, roles, key);
    begun.unwrap_or_else(|error| refusal(StatusCode::BAD_REQUEST, "ValidationError", &error.to_string()))
}

fn begin(form: &Form, roles: &Roles, key: &AccessKey) -> Result<Answer> {
    let field = |name: &str| {
        let value = form.get(name).map(String::as_str);
        value.ok_or_else(|| format!("{name} is missing"))
    };
    if field("Action")? != ASSUME_ROLE {
        return Err("only AssumeRole is known here".into());
    }
    let (role, session) = (field("RoleArn")?, field("RoleSessionName")?);
    let seconds: u64 = field("DurationSeconds").unwrap_or("3600").parse()?;
    if !LIFETIMES.contains(&seconds) {
        return Err("DurationSeconds is out of range".into());
    }
    let tags = (1..).map_while(|number| {
        let of = |what: &str| form.get(&format!("Tags.member.{number}.{what}"));
        Some((of("Key")?.clone(), of("Value")?.clone()))
    });
    let role = Role {
        name: roles.get(role).ok_or("there is no such role")?.clone(),
        tags: tags.collect(),
        until: Timestamp::from_second(Timestamp::now().as_second())? + Duration::from_secs(seconds),
    };
    let Session { key: AccessKey { id, secret }, token } = begin_session(key, &role)?;
    let (name, until, request) = (&role.name, role.until, Uuid::new_v4());
    Ok(Answer::new(
        format!(
            r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><AssumedRoleId>{name}:{session}</AssumedRoleId><Arn>arn:aws:sts::000000000000:assumed-role/{name}/{session}</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken><Expiration>{until}</Expiration></Credentials>
</AssumeRoleResult><ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></AssumeRoleResponse>"#
        )
        .into(),
    ))
}

/// An answer that is not STS's own.
fn word(wording: Wording) -> Answer {
    let (status, code) = match wording {
        Wording::Failed | Wording::FailedInside => (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
        Wording::Throttled => (StatusCode::BAD_REQUEST, "Throttling"),
    };
    refusal(status, code, NOT_OWN)
}

/// The answer to a caller that has not the right.
fn denied() -> Answer {
    refusal(StatusCode::FORBIDDEN, "AccessDenied", NOT_OWN)
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    aws_json::answer(
        status,
        format!(
            r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"#
        ),
    )
}

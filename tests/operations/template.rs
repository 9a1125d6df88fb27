//! The template and the code say the same: no variable, index or route that only one of them knows. (What the policies
//! allow is compared with what every use case calls in `tests/faults/policies.rs`.)

use std::collections::{BTreeMap, BTreeSet};

use okd_cli::{REGION, physical_name};
use okd_core::{
    metadata::LinkKind,
    stores::{ORPHAN, TENANT_TAG},
};
use okd_local::{
    default_template,
    policies::Policies,
    template::{Template, arn},
};
use serde_json::json;

use support::{
    cloud::start,
    sender::{Sender, association, offer},
};

fn template() -> Template {
    Template::read(&default_template(), &BTreeMap::new()).unwrap()
}

/// Without one that it reads a function does not start, or asks AWS itself: every other test would fail.
#[test]
fn no_function_has_a_variable_that_it_does_not_read() {
    let stores = &["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_S3", "OKD_BUCKET", "OKD_SCREENING", "OKD_TABLE"][..];
    let tokens = &["OKD_PRIVATE_ISSUERS", "OKD_TENANTS_TABLE"][..];
    let pages = &["OKD_RESPONSE_TRANSFER_MODE", "OKD_UPLOAD_ORIGINS"][..];
    let service = &["OKD_CONTACT_EMAIL", "OKD_DOCUMENTATION"][..];
    let sessions = &["AWS_ENDPOINT_URL_STS", "OKD_SIGNING_ROLE", "OKD_TENANT_ROLE"][..];
    let bus = &["AWS_ENDPOINT_URL_EVENTBRIDGE", "OKD_BUS"][..];
    let metrics = &["OKD_METRICS"][..];
    let expected = BTreeMap::from([
        ("AnnounceFunction", [bus, metrics].concat()),
        ("ApiFunction", [stores, tokens, pages, service, sessions, metrics].concat()),
        ("ReconcileFunction", [stores, tokens, metrics].concat()),
    ]);
    let expected = expected.into_iter().map(|(function, names)| (function, names.into_iter().collect()));
    let expected: BTreeMap<_, BTreeSet<_>> = expected.collect();
    let template = template();
    let environments = template.functions().map(|(name, function)| (name, Template::environment(function)));
    let environments: BTreeMap<_, _> = environments.collect();
    let names =
        environments.iter().map(|(&function, variables)| (function, variables.keys().map(String::as_str).collect()));
    assert_eq!(names.collect::<BTreeMap<_, _>>(), expected);
}

#[test]
fn the_gateways_own_problems_are_worded_as_the_services_of_the_same_type() {
    let template = template();
    let (_, api) = template.resources("AWS::Serverless::Api").next().unwrap();
    for (answer, response) in api["GatewayResponses"].as_object().unwrap() {
        let problem = response["ResponseTemplates"]["application/json"].as_str().unwrap();
        let problem: serde_json::Value = serde_json::from_str(problem).unwrap();
        let name = problem["type"].as_str().unwrap().strip_prefix(okd_api::TYPE).unwrap();
        let Some(kind) = okd_api::Kind::ALL.iter().find(|kind| kind.name() == name) else {
            assert_eq!((answer.as_str(), name), ("DEFAULT_4XX", "refused-by-gateway"));
            continue;
        };
        assert_eq!(problem["title"], kind.title(), "{answer}");
        assert_eq!(problem["status"], kind.status().as_u16(), "{answer}");
    }
}

#[test]
fn the_gateways_own_answers_have_the_headers_of_the_services() {
    let template = template();
    let (_, api) = template.resources("AWS::Serverless::Api").next().unwrap();
    let answers = api["GatewayResponses"].as_object().unwrap();
    assert!(answers.len() >= 6, "{answers:?}");
    for (kind, answer) in answers {
        let headers = answer["ResponseParameters"]["Headers"].as_object().unwrap();
        for (name, value) in okd_api::SAFE_HEADERS {
            let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            let quoted = serde_json::json!(format!("'{value}'"));
            assert_eq!(found.map(|(_, found)| found), Some(&quoted), "{kind}");
        }
    }
}

/// The template with tenants' sessions.
fn template_with_sessions() -> Template {
    let on = BTreeMap::from([("TenantSessions".to_owned(), "on".to_owned())]);
    Template::read(&default_template(), &on).unwrap()
}

/// The API may delete nothing but the entries by which documents are found, and notes of orphans.
#[test]
fn what_the_api_may_delete_are_links_of_every_kind_and_orphans_and_nothing_else() {
    let ours = format!("${{aws:PrincipalTag/{TENANT_TAG}}}");
    for (template, tenant) in [(template(), "*"), (template_with_sessions(), &ours)] {
        let mut policies = template.resources("AWS::IAM::ManagedPolicy");
        let (_, policy) = policies.find(|(name, _)| *name == "DocumentsPolicy").unwrap();
        let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
        let deletes = statements.iter().find(|statement| statement["Action"] == "dynamodb:DeleteItem").unwrap();
        let keys = &deletes["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        let ids = LinkKind::IDS.map(LinkKind::as_str).into_iter();
        let partitions = ids.map(|kind| format!("{tenant}#{kind}#*"));
        let partitions = partitions.chain([format!("{tenant}#{}", LinkKind::Retention.as_str())]);
        let partitions = partitions.chain([format!("{tenant}#{ORPHAN}#*")]);
        assert_eq!(*keys, partitions.collect::<serde_json::Value>());
    }
}

#[test]
fn the_roles_of_sessions_trust_the_api_function_alone_and_only_where_it_names_a_tenant() {
    let template = template_with_sessions();
    let mut roles = 0;
    for (name, role) in template.roles_of_functions() {
        let [trust] = &role["AssumeRolePolicyDocument"]["Statement"].as_array().unwrap()[..] else {
            panic!("{name} trusts more than one");
        };
        let function = arn(&physical_name("ApiFunctionRole"));
        assert_eq!(trust["Principal"], json!({ "AWS": function }), "{name}");
        let tag = format!("aws:RequestTag/{TENANT_TAG}");
        assert_eq!(trust["Condition"], json!({ "Null": { tag: "false" } }), "{name}");
        roles += 1;
    }
    assert_eq!(roles, 2);
}

#[tokio::test]
async fn a_page_of_an_origin_that_the_operator_names_may_make_every_call_and_no_other_may() {
    let origins = "https://dms.school.example, https://*.sis.example";
    let parameters = [("UploadOrigins".to_owned(), origins.to_owned())];
    let cloud = start(|options| options.parameters = parameters.into());
    let sender = Sender::to(cloud);
    let offered = sender.offer(&offer(5)).await.accepted();
    let links = &offered.body["upload"];
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let calls = [
        ("PUT", association(), "authorization,content-type,idempotency-key"),
        ("POST", association(), "authorization,content-type"),
        ("PUT", text(&links["parts"][0]["href"]), "content-type"),
        ("GET", text(&links["status"]["href"]), "authorization"),
        ("POST", text(&links["complete"]["href"]), "authorization"),
        ("DELETE", text(&links["abort"]["href"]), "authorization"),
    ];
    for (origin, allowed) in [
        ("https://dms.school.example", true),
        ("https://a.sis.example", true),
        // The others the local cloud's guard refuses before the service does.
        ("http://localhost:8000", false),
        ("https://127.0.0.1", false),
    ] {
        for (method, path, headers) in &calls {
            let preflight = sender.request("OPTIONS", path).header("origin", origin);
            let preflight = preflight
                .header("access-control-request-method", *method)
                .header("access-control-request-headers", *headers);
            let answer = preflight.send().await.unwrap();
            let header =
                |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_ascii_lowercase());
            let methods = header("access-control-allow-methods").unwrap_or_default();
            let may_send = header("access-control-allow-headers").unwrap_or_default();
            let may_send: Vec<&str> = may_send.split(',').map(str::trim).collect();
            let asked = headers.split(',').all(|name| may_send.contains(&name));
            let named = header("access-control-allow-origin").as_deref() == Some(origin);
            let may = answer.status().is_success() && named && asked && methods.contains(&method.to_ascii_lowercase());
            assert_eq!(may, allowed, "{origin} {method} {path}: {answer:?}");
            assert!(!allowed || header("access-control-max-age").as_deref() == Some("3600"), "{answer:?}");
        }
        let request = sender.request("PUT", &association()).header("origin", origin).json(&offer(5));
        let answer = sender.send(request).await.accepted();
        let named = answer.headers.get("access-control-allow-origin");
        assert_eq!(named.is_some_and(|named| named == origin), allowed, "{answer:?}");
        assert_eq!(answer.headers["vary"], "Origin");
        let request = sender.request("PUT", &association()).header("origin", origin);
        let refused = request.send().await.unwrap();
        assert_eq!(refused.headers().contains_key("access-control-allow-origin"), allowed, "{refused:?}");
    }
    let put = sender.request("PUT", &calls[2].1).header("origin", "https://a.sis.example");
    let answer = put.body("12345").send().await.unwrap();
    assert_eq!(answer.headers()["access-control-expose-headers"], "ETag");
}

#[tokio::test]
async fn without_named_origins_no_page_may_call() {
    let sender = Sender::new();
    let request = sender.request("OPTIONS", &association()).header("origin", "http://localhost:8000");
    let answer = request.header("access-control-request-method", "PUT").send().await.unwrap();
    assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control")), "{answer:?}");
}

/// Where an SDK finds its service in our region, with this endpoint or by itself.
macro_rules! found_by {
    ($sdk:ident, $endpoint:expr $(, $name:ident: $value:expr)*) => {{
        use $sdk::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
        let params = Params::builder().region(REGION)$(.$name($value))*;
        let params = params.set_endpoint($endpoint).build().unwrap();
        let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.unwrap();
        endpoint.url().to_owned()
    }};
}

#[tokio::test]
async fn the_endpoints_that_the_template_names_are_those_that_the_sdk_finds_by_itself() {
    let template = template();
    let endpoint = |name: &str| {
        let mut named = template.functions().map(|(_, function)| Template::environment(function));
        named.find_map(|variables| variables.get(name).cloned())
    };
    let s3 = endpoint("AWS_ENDPOINT_URL_S3");
    let found = found_by!(aws_sdk_s3, s3, bucket: "files");
    assert_eq!(found, found_by!(aws_sdk_s3, None, bucket: "files"));
    assert_eq!(found, format!("https://files.s3.{REGION}.amazonaws.com"));
    let dynamodb = endpoint("AWS_ENDPOINT_URL_DYNAMODB");
    assert_eq!(found_by!(aws_sdk_dynamodb, dynamodb), found_by!(aws_sdk_dynamodb, None));
    let sts = endpoint("AWS_ENDPOINT_URL_STS");
    assert_eq!(found_by!(aws_sdk_sts, sts), found_by!(aws_sdk_sts, None));
    let bus = endpoint("AWS_ENDPOINT_URL_EVENTBRIDGE");
    assert_eq!(found_by!(aws_sdk_eventbridge, bus), found_by!(aws_sdk_eventbridge, None));
}

#[test]
fn an_emulator_takes_the_place_of_every_service_that_a_function_calls() {
    let emulator = "http://127.0.0.1:4566";
    let parameters = BTreeMap::from([("AwsEndpoint".to_owned(), emulator.to_owned())]);
    let template = Template::read(&default_template(), &parameters).unwrap();
    let variables = template.functions().flat_map(|(_, function)| Template::environment(function));
    let endpoints: Vec<_> = variables.filter(|(name, _)| name.starts_with("AWS_ENDPOINT_URL")).collect();
    assert_eq!(endpoints.len(), 6);
    assert!(endpoints.iter().all(|(_, url)| url == emulator), "{endpoints:?}");
}

/// What is in a policy some use case needs (`tests/faults/policies.rs`).
#[test]
fn every_index_is_one_that_a_policy_lets_a_function_query() {
    let template = template();
    let policies = Policies::of(&template).unwrap();
    let queried = policies.allowed().iter();
    let queried = queried.filter(|allowed| allowed.need.resource.contains("/index/"));
    let queried: BTreeSet<_> = queried.map(|allowed| allowed.need.resource.clone()).collect();
    let of_table = |(table, properties): (&str, &serde_json::Value)| {
        let indexes = properties["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
        let names = indexes.map(|index| index["IndexName"].as_str().unwrap());
        let names = names.map(|name| format!("{}/index/{name}", arn(&physical_name(table))));
        names.collect::<Vec<_>>()
    };
    let indexes: BTreeSet<_> = template.resources("AWS::DynamoDB::Table").flat_map(of_table).collect();
    assert_eq!(indexes, queried);
}

#[test]
fn every_method_at_every_path_of_the_function_reaches_it_and_no_other_path_does() {
    let routes = template().routes().into_iter();
    let templates: BTreeSet<_> = routes.map(|route| (route.path, route.method)).collect();
    let functions = okd_api::ROUTES.iter().map(|route| (route.path.to_owned(), "ANY".to_owned()));
    assert_eq!(templates, functions.collect());
}

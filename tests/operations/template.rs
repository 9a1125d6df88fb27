//! The template and the code say the same: no variable, index or route that only one of them knows. (What the policies
//! allow is compared with what every use case calls in `tests/faults/policies.rs`.)

use std::collections::{BTreeMap, BTreeSet};

use okd_local::{
    REGION, default_template,
    policies::Policies,
    template::{Template, arn, physical_name},
};

use crate::{
    cloud::start,
    sender::{Sender, offer},
};

fn template() -> Template {
    Template::read(&default_template(), &BTreeMap::new()).unwrap()
}

/// Without one that it reads a function does not start, or asks AWS itself: every other test would fail.
#[test]
fn no_function_has_a_variable_that_it_does_not_read() {
    let stores = &[
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL_S3",
        "OKD_BUCKET",
        "OKD_TABLE",
    ][..];
    let tokens = &["OKD_PRIVATE_ISSUERS", "OKD_TENANTS_TABLE"][..];
    let bus = &["AWS_ENDPOINT_URL_EVENTBRIDGE", "OKD_BUS"][..];
    let expected = BTreeMap::from([
        ("AnnounceFunction", bus.to_vec()),
        ("ApiFunction", [stores, tokens].concat()),
        ("ReconcileFunction", stores.to_vec()),
    ]);
    let expected = expected
        .into_iter()
        .map(|(function, names)| (function, names.into_iter().collect()));
    let expected: BTreeMap<_, BTreeSet<_>> = expected.collect();
    let template = template();
    let environments = template
        .functions()
        .map(|(name, function)| (name, Template::environment(function)));
    let environments: BTreeMap<_, _> = environments.collect();
    let names = environments
        .iter()
        .map(|(&function, variables)| (function, variables.keys().map(String::as_str).collect()));
    assert_eq!(names.collect::<BTreeMap<_, _>>(), expected);
}

#[tokio::test]
async fn a_page_of_an_origin_that_the_operator_names_may_put_parts_and_read_their_etags_and_no_other_may()
 {
    let origins = "https://dms.school.example, https://sis.school.example";
    let parameters = [("UploadOrigins".to_owned(), origins.to_owned())];
    let cloud = start(|options| options.parameters = parameters.into());
    let sender = Sender::to(cloud);
    let offer = sender.offer(&offer(5)).await.accepted();
    let href = offer.body["upload"]["parts"][0]["href"].as_str().unwrap();
    for (origin, allowed) in [
        ("https://sis.school.example", true),
        ("https://evil.example", false),
    ] {
        let preflight = sender.request("OPTIONS", href).header("origin", origin);
        let preflight = preflight
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "content-type");
        let answer = preflight.send().await.unwrap();
        assert_eq!(answer.status().is_success(), allowed, "{answer:?}");
        let put = sender.request("PUT", href).header("origin", origin);
        let answer = put.body("12345").send().await.unwrap();
        let headers = answer.headers();
        assert_eq!(headers.contains_key("access-control-allow-origin"), allowed);
        let exposed = headers.get("access-control-expose-headers");
        assert_eq!(exposed.is_some_and(|exposed| exposed == "ETag"), allowed);
    }
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
        let mut named = template
            .functions()
            .map(|(_, function)| Template::environment(function));
        named.find_map(|variables| variables.get(name).cloned())
    };
    let s3 = endpoint("AWS_ENDPOINT_URL_S3");
    let found = found_by!(aws_sdk_s3, s3, bucket: "files");
    assert_eq!(found, found_by!(aws_sdk_s3, None, bucket: "files"));
    assert_eq!(found, format!("https://files.s3.{REGION}.amazonaws.com"));
    let dynamodb = endpoint("AWS_ENDPOINT_URL_DYNAMODB");
    assert_eq!(
        found_by!(aws_sdk_dynamodb, dynamodb),
        found_by!(aws_sdk_dynamodb, None)
    );
    let bus = endpoint("AWS_ENDPOINT_URL_EVENTBRIDGE");
    assert_eq!(
        found_by!(aws_sdk_eventbridge, bus),
        found_by!(aws_sdk_eventbridge, None)
    );
}

/// What is in a policy some use case needs (`tests/faults/policies.rs`).
#[test]
fn every_index_is_one_that_a_policy_lets_a_function_query() {
    let template = template();
    let policies = Policies::of(&template).unwrap();
    let queried = policies.allowed().iter();
    let queried = queried.filter(|allowed| allowed.need.resource.contains("/index/"));
    let queried: BTreeSet<_> = queried
        .map(|allowed| allowed.need.resource.clone())
        .collect();
    let of_table = |(table, properties): (&str, &serde_json::Value)| {
        let indexes = properties["GlobalSecondaryIndexes"]
            .as_array()
            .into_iter()
            .flatten();
        let names = indexes.map(|index| index["IndexName"].as_str().unwrap());
        let names = names.map(|name| format!("{}/index/{name}", arn(&physical_name(table))));
        names.collect::<Vec<_>>()
    };
    let indexes: BTreeSet<_> = template
        .resources("AWS::DynamoDB::Table")
        .flat_map(of_table)
        .collect();
    assert_eq!(indexes, queried);
}

#[test]
fn the_functions_routes_are_the_templates() {
    let routes = template().routes().into_iter();
    let templates: BTreeSet<_> = routes.map(|route| (route.path, route.method)).collect();
    let of_route = |route: &okd_api::Route| {
        let path = route.path;
        let methods = route.methods.iter();
        let methods = methods.map(|method| (path.to_owned(), (*method).to_owned()));
        methods.collect::<Vec<_>>()
    };
    let functions: BTreeSet<_> = okd_api::ROUTES.iter().flat_map(of_route).collect();
    assert_eq!(templates, functions);
}

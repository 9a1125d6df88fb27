//! The template and the code say the same: no variable, index or route that only one of them knows. (What the policies
//! allow is compared with what every use case calls in `tests/faults/policies.rs`.)

use std::collections::{BTreeMap, BTreeSet};

use okd_local::{default_template, template::Template};

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
    let sender = Sender::to(Box::leak(Box::new(cloud)));
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

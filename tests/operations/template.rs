//! The template and the code say the same: no variable, index or route that only one of them knows. (What the policies
//! allow is compared with what every use case calls in `tests/faults/policies.rs`.)

use std::collections::{BTreeMap, BTreeSet};

use okd_local::{default_template, template::Template};

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

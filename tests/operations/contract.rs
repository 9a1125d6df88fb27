//! The contract (`infra/openapi.yaml`) and the code say the same, and the local cloud shows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use okd_api::{Kind, ROUTES, TYPE, VERSION};
use okd_core::{
    caller::scopes_for,
    parts::{MAX_INLINE_FILE, STANDARD_DOCUMENT},
};
use okd_local::{contract_page, template::read_yaml};
use serde_json::Value;

use support::sender::Sender;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The path that the contract's paths begin with.
const BASE: &str = "/okd/v1";
/// Kinds of problems that are told of no operation: there is none at such a path, or of such a method.
const OF_NO_OPERATION: [&str; 2] = ["no-such-route", "method-not-allowed"];

/// The contract, with what it refers to in place of references.
fn contract() -> Value {
    let contract = read_yaml(&Path::new(ROOT).join("infra/openapi.yaml")).unwrap();
    resolved(&contract, &contract)
}

fn resolved(value: &Value, root: &Value) -> Value {
    match value {
        Value::Object(members) => match members.get("$ref").and_then(Value::as_str) {
            Some(place) => {
                let pointed = root.pointer(place.strip_prefix('#').unwrap());
                resolved(pointed.unwrap_or_else(|| panic!("nothing at {place}")), root)
            }
            None => members.iter().map(|(name, member)| (name.clone(), resolved(member, root))).collect(),
        },
        Value::Array(items) => items.iter().map(|item| resolved(item, root)).collect(),
        other => other.clone(),
    }
}

/// Every operation, by its path as the routes spell it and its method.
fn operations(contract: &Value) -> BTreeMap<(String, String), Value> {
    let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let mut operations = BTreeMap::new();
    for (path, item) in contract["paths"].as_object().unwrap() {
        let path = format!("{BASE}{}", if path == "/" { "" } else { path });
        for (method, operation) in item.as_object().unwrap() {
            if methods.contains(&method.as_str()) {
                operations.insert((path.clone(), method.to_uppercase()), operation.clone());
            }
        }
    }
    operations
}

/// The answers of an operation that are errors.
fn errors(operation: &Value) -> BTreeMap<u16, &Value> {
    let answers = operation["responses"].as_object().unwrap().iter();
    let answers = answers.map(|(status, answer)| (status.parse().unwrap(), answer));
    answers.filter(|(status, _)| *status >= 400).collect()
}

/// The kinds of problems that an answer may have.
fn kinds(answer: &Value) -> BTreeSet<&str> {
    let parts = answer["content"]["application/problem+json"]["schema"]["allOf"].as_array().unwrap().iter();
    let types = parts.filter_map(|part| part["properties"]["type"]["enum"].as_array()).flatten();
    types.map(|name| name.as_str().unwrap().strip_prefix(TYPE).unwrap()).collect()
}

#[test]
fn the_contract_that_the_function_serves_is_this_one() {
    let file = Path::new(ROOT).join("functions/api/src/openapi.json");
    let expected = format!("{}\n", read_yaml(&Path::new(ROOT).join("infra/openapi.yaml")).unwrap());
    if std::env::var_os("OKD_WRITE").is_some() {
        fs::write(&file, &expected).unwrap();
    }
    assert!(fs::read_to_string(file).unwrap() == expected, "OKD_WRITE=1 cargo test --test operations contract");
}

#[test]
fn the_contract_has_the_paths_and_methods_of_the_routes_and_no_others() {
    let contract = contract();
    let served = ROUTES.iter().flat_map(|route| {
        let methods = route.methods.iter();
        methods.map(|method| (route.path.to_owned(), (*method).to_owned()))
    });
    assert_eq!(operations(&contract).into_keys().collect::<BTreeSet<_>>(), served.collect());
}

#[test]
fn every_operation_has_the_parameters_of_its_path_and_asks_for_a_token_where_the_route_does() {
    let contract = contract();
    for (path, item) in contract["paths"].as_object().unwrap() {
        let parameters = item["parameters"].as_array().into_iter().flatten();
        let named = parameters.filter(|parameter| parameter["in"] == "path").map(|parameter| &parameter["name"]);
        let in_path = path.split(['{', '}']).skip(1).step_by(2).collect::<Vec<_>>();
        assert!(named.eq(in_path.iter()), "{path}");
    }
    for ((path, method), operation) in operations(&contract) {
        let is_public = operation["security"].as_array().is_some_and(Vec::is_empty);
        let route = ROUTES.iter().find(|route| route.path == path).unwrap();
        assert_eq!(is_public, route.is_public(), "{method} {path}");
    }
}

#[test]
fn every_error_of_the_contract_is_a_kind_of_problem_of_that_status_and_every_kind_is_an_error_of_it() {
    let contract = contract();
    let operations = operations(&contract);
    let mut told = BTreeSet::new();
    for ((path, method), operation) in &operations {
        let errors = errors(operation);
        if method == "HEAD" {
            let of_get = &operations[&(path.clone(), "GET".to_owned())];
            assert!(errors.keys().eq(self::errors(of_get).keys()), "{path}");
            continue;
        }
        for (status, answer) in errors {
            let kinds = kinds(answer);
            assert!(!kinds.is_empty(), "{method} {path} {status}");
            for name in kinds {
                let kind = Kind::ALL.iter().find(|kind| kind.name() == name);
                let kind = kind.unwrap_or_else(|| panic!("no kind {name}"));
                assert_eq!(kind.status().as_u16(), status, "{method} {path} {name}");
                told.insert(kind.name());
            }
        }
    }
    told.extend(OF_NO_OPERATION);
    assert_eq!(told, Kind::ALL.iter().map(|kind| kind.name()).collect());
}

#[test]
fn the_contract_has_the_version_the_scopes_and_the_limits_of_the_code() {
    let contract = contract();
    assert_eq!(contract["info"]["version"], VERSION);
    let scopes =
        &contract["components"]["securitySchemes"]["clientCredentials"]["flows"]["clientCredentials"]["scopes"];
    let scopes: BTreeSet<_> = scopes.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(scopes, scopes_for(None).into_iter().collect());
    let schemas = &contract["components"]["schemas"];
    assert_eq!(schemas["DocumentSize"]["maximum"], STANDARD_DOCUMENT);
    let file = schemas["FileBytes"]["description"].as_str().unwrap().replace(',', "");
    assert!(file.contains(&format!("1 to {MAX_INLINE_FILE}.")), "{file}");
}

#[tokio::test]
async fn the_contract_is_read_without_a_token_and_by_every_page() {
    let sender = Sender::new();
    for path in ["/okd/v1/openapi.json", "/live/okd/v1/openapi.json"] {
        let answer = sender.request("GET", path).send().await.unwrap();
        let headers = answer.headers().clone();
        for (name, value) in [
            ("content-type", "application/json"),
            ("cache-control", "max-age=300"),
            ("access-control-allow-origin", "*"),
            ("api-version", VERSION),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
        let served: Value = answer.json().await.unwrap();
        assert_eq!(served["openapi"], "3.1.0");
        let head = sender.request("HEAD", path).send().await.unwrap();
        assert_eq!((head.status().as_u16(), &head.headers()["cache-control"]), (200, &headers["cache-control"]));
    }
    sender.call("PUT", "/okd/v1/openapi.json").await.problem(405, "method-not-allowed");
}

/// The texts between these two in a page.
fn between<'a>(page: &'a str, before: &'a str, after: &'a str) -> impl Iterator<Item = &'a str> {
    page.split(before).skip(1).map(move |rest| rest.split(after).next().unwrap())
}

#[tokio::test]
async fn the_page_of_the_contract_asks_this_host_alone_and_loads_the_contract() {
    let sender = Sender::new();
    let page = sender.request("GET", contract_page::PATH).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    for directive in policy.split(';').map(str::trim) {
        let sources = directive.split(' ').skip(1);
        let inside = ["'self'", "'none'", "'unsafe-inline'", "data:"];
        assert!(sources.clone().all(|source| inside.contains(&source)), "{directive}");
        assert!(!directive.starts_with("script-src") || sources.eq(["'self'"]), "{directive}");
    }
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    let page = page.text().await.unwrap();
    let loaded: Vec<_> = between(&page, "src=\"", "\"").chain(between(&page, "href=\"", "\"")).collect();
    assert_eq!(loaded.len(), 3, "{page}");
    let mut scripts = String::new();
    for path in loaded {
        assert!(path.starts_with("/docs/"), "{path}");
        let asset = sender.request("GET", path).send().await.unwrap();
        assert_eq!(asset.status(), 200, "{path}");
        let asset_type = asset.headers()["content-type"].to_str().unwrap().to_owned();
        let (_, ending) = path.rsplit_once('.').unwrap();
        assert_eq!(asset_type, if ending == "js" { "text/javascript" } else { "text/css" });
        scripts += &asset.text().await.unwrap();
    }
    assert!(scripts.contains("SwaggerUIBundle({ url: \"/okd/v1/openapi.json\""));
    let elsewhere = sender.request("GET", "/docs/nothing").send().await.unwrap();
    assert_eq!(elsewhere.status(), 404);
}

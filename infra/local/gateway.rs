//! The front: turns HTTP requests into the events of an API Gateway REST API, and the function's answers
//! back into HTTP. Routes, binary media types, throttling and the gateway's own answers are the template's; its
//! limits are AWS's: 10 MB of body (refused in AWS's own words, which no template changes), and 6 MB of event for the
//! function behind it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use futures_util::StreamExt;
use serde_json::{Map, Value, json};

use crate::{
    Result,
    answers::{Answer, Rest},
    console::Feed,
    runtime::Function,
    template::{Route, Template, word},
};

/// The header that names a request.
const REQUEST_ID: &str = "x-amzn-requestid";
/// A REST API takes bodies up to this size.
const MAX_BODY: usize = 10 * 1024 * 1024;
/// ...and request lines and headers that come to this size together.
const MAX_HEAD: usize = 10_240;
/// The methods that a route of the method `ANY` answers to.
const ANY: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
/// Lambda takes events up to this size.
const MAX_EVENT: usize = 6 * 1024 * 1024;

/// The API of a template, in front of its functions.
pub struct Gateway {
    routes: Vec<(Route, Arc<Function>)>,
    stage: String,
    binary: Vec<String>,
    responses: Map<String, Value>,
    throttle: Option<Throttle>,
    /// Told of each request.
    feed: Option<Arc<Feed>>,
}

/// The requests that are let through: a bucket of tokens for each method of the API, as API Gateway's are.
struct Throttle {
    rate: f64,
    burst: f64,
    /// The number of tokens that there were, and when.
    buckets: Mutex<BTreeMap<Route, (f64, Instant)>>,
}

impl Throttle {
    /// The one of the API's stage, if it has one.
    fn of(api: &Value) -> Result<Option<Self>> {
        let Some(settings) = api["MethodSettings"].get(0) else {
            return Ok(None);
        };
        let number = |name: &str| -> Result<f64> { Ok(word(&settings[name]).parse()?) };
        Ok(Some(Self {
            rate: number("ThrottlingRateLimit")?,
            burst: number("ThrottlingBurstLimit")?,
            buckets: Mutex::default(),
        }))
    }

    /// Takes a token from the route's bucket, if there is one.
    fn lets_through(&self, route: &Route) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let full = (self.burst, now);
        let (tokens, since) = buckets.get(route).copied().unwrap_or(full);
        let filled = tokens + self.rate * (now - since).as_secs_f64();
        let tokens = filled.min(self.burst);
        let passes = tokens >= 1.0;
        let left = if passes { tokens - 1.0 } else { tokens };
        buckets.insert(route.clone(), (left, now));
        passes
    }
}

impl Gateway {
    /// The gateway that the template describes, in front of the functions by their logical ids.
    pub(crate) fn new(
        template: &Template,
        functions: &BTreeMap<String, Arc<Function>>,
        feed: Option<Arc<Feed>>,
    ) -> Result<Self> {
        let api = template.resources("AWS::Serverless::Api").next().map(|(_, api)| api.clone()).unwrap_or_default();
        let routes = template.routes().into_iter().filter_map(|route| {
            let function = functions.get(&route.function)?.clone();
            Some((route, function))
        });
        let binary = api["BinaryMediaTypes"].as_array().into_iter().flatten();
        let throttle = Throttle::of(&api)?;
        Ok(Self {
            routes: routes.collect(),
            stage: api["StageName"].as_str().unwrap_or("live").to_owned(),
            binary: binary.filter_map(Value::as_str).map(|media| media.replace("~1", "/")).collect(),
            responses: api["GatewayResponses"].as_object().cloned().unwrap_or_default(),
            throttle,
            feed,
        })
    }

    /// The HTTP side.
    pub fn router(self) -> Router {
        Router::new().fallback(front).with_state(Arc::new(self))
    }

    /// The function for a method and path, and the route's parameters.
    fn route(&self, method: &str, path: &str) -> Option<(&Route, &Arc<Function>, BTreeMap<String, String>)> {
        let routes = self.routes.iter().map(|(route, _)| route);
        let (at, parameters) = find(routes, method, path)?;
        let (route, function) = &self.routes[at];
        Some((route, function, parameters))
    }

    /// One of the gateway's own answers, as the template words it.
    fn answer(&self, kind: &str, default: StatusCode, ids: &Ids) -> Response {
        let worded = self.responses.get(kind).unwrap_or(&Value::Null);
        let status = worded["StatusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
        let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(default);
        let body = worded["ResponseTemplates"]["application/json"].as_str().unwrap_or("{}");
        let body = body.replace("$context.requestId", &ids.request);
        let body = body.replace("$context.extendedRequestId", &ids.extended);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = worded["ResponseParameters"]["Headers"].as_object().into_iter().flatten();
        for (name, value) in headers {
            let value = value.as_str().unwrap_or_default().trim_matches('\'');
            append(response.headers_mut(), name, value);
        }
        response
    }
}

/// The ids of a request.
struct Ids {
    /// The client's own choice where it sends an `X-Amzn-RequestId`, as AWS lets it.
    request: String,
    /// The gateway's own, always.
    extended: String,
}

impl Ids {
    fn of(headers: &HeaderMap) -> Self {
        let own = uuid::Uuid::new_v4();
        let chosen = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let chosen = chosen.filter(|id| !id.is_empty()).map(str::to_owned);
        Self {
            request: chosen.unwrap_or_else(|| own.to_string()),
            // The id is as long as AWS's, and has the same padding.
            extended: BASE64.encode(&uuid::Uuid::new_v4().as_bytes()[..11]),
        }
    }
}

async fn front(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let ids = Ids::of(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = answer(&gateway, request, &ids).await;
    if let Some(feed) = &gateway.feed {
        response = feed.request(&method, &path, response).await;
    }
    append(response.headers_mut(), REQUEST_ID, &ids.request);
    append(response.headers_mut(), "x-amz-apigw-id", &ids.extended);
    response
}

async fn answer(gateway: &Gateway, request: Request, ids: &Ids) -> Response {
    let (parts, body) = request.into_parts();
    if size_of_head(&parts) > MAX_HEAD {
        return bare(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    let full_path = parts.uri.path().to_owned();
    let stage = format!("/{}", gateway.stage);
    // The API's own URL has the stage in front, a custom domain does not.
    let path = full_path.strip_prefix(&stage).filter(|rest| rest.starts_with('/')).unwrap_or(&full_path);
    let Some((route, function, parameters)) = gateway.route(parts.method.as_str(), path) else {
        return gateway.answer("MISSING_AUTHENTICATION_TOKEN", StatusCode::FORBIDDEN, ids);
    };
    if gateway.throttle.as_ref().is_some_and(|throttle| !throttle.lets_through(route)) {
        return gateway.answer("THROTTLED", StatusCode::TOO_MANY_REQUESTS, ids);
    }
    let body = match read(body).await {
        Ok(body) => body,
        Err(StatusCode::PAYLOAD_TOO_LARGE) => return too_long(),
        Err(status) => return bare(status),
    };
    let event = event(gateway, &parts, path, route, &parameters, ids, &body).to_string();
    if event.len() > MAX_EVENT {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return gateway.answer("REQUEST_TOO_LARGE", status, ids);
    }
    match function.invoke(event.into()).await {
        Ok(answer) => {
            let response = response(answer, route.streams);
            response.unwrap_or_else(|| gateway.answer("DEFAULT_5XX", StatusCode::BAD_GATEWAY, ids))
        }
        Err(_) => gateway.answer("DEFAULT_5XX", StatusCode::BAD_GATEWAY, ids),
    }
}

/// An answer without words of its own.
fn bare(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// AWS's answer to a body over 10 MB. No gateway response of a template words it.
fn too_long() -> Response {
    let mut response = Response::new(Body::from(format!("HTTP content length exceeded {MAX_BODY} bytes.")));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    append(response.headers_mut(), "content-type", "text; charset=utf-8");
    response
}

/// Bytes of the request line's path and of the headers.
fn size_of_head(parts: &Parts) -> usize {
    let header = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    parts.uri.to_string().len() + parts.headers.iter().map(header).sum::<usize>()
}

/// The whole body, unless it is too large. What is too much is read all the same, within reason: a client
/// that is still sending would see its connection break instead of the answer.
async fn read(body: Body) -> Result<Bytes, StatusCode> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut size = 0;
    while let Some(chunk) = stream.next().await {
        // It is not HTTP; or the client is gone, and waits for no answer.
        let chunk = chunk.map_err(|_| StatusCode::BAD_REQUEST)?;
        size += chunk.len();
        if size <= MAX_BODY {
            bytes.extend_from_slice(&chunk);
        } else if size > 16 * MAX_BODY {
            break;
        }
    }
    if size <= MAX_BODY { Ok(bytes.into()) } else { Err(StatusCode::PAYLOAD_TOO_LARGE) }
}

/// An event of a REST API's Lambda proxy integration, payload version 1.0.
fn event(
    gateway: &Gateway,
    parts: &Parts,
    path: &str,
    route: &Route,
    parameters: &BTreeMap<String, String>,
    ids: &Ids,
    body: &Bytes,
) -> Value {
    let mut headers = Map::new();
    let mut multi: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in &parts.headers {
        // AWS has the last of repeated headers here, and all of them there.
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.insert(name.to_string(), json!(value));
        multi.entry(name.as_str()).or_default().push(value);
    }
    let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) {
        for (name, value) in pairs {
            query.entry(name).or_default().push(value);
        }
    }
    let media = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let binary = gateway.binary.iter().any(|binary| *binary == media || binary == "*/*");
    let text = match (body.is_empty(), binary) {
        (true, _) => Value::Null,
        (_, true) => json!(BASE64.encode(body)),
        (_, false) => json!(String::from_utf8_lossy(body)),
    };
    json!({
        "resource": route.path,
        "path": path,
        "httpMethod": parts.method.as_str(),
        "headers": headers,
        "multiValueHeaders": multi,
        "queryStringParameters": single(&query),
        "multiValueQueryStringParameters": query,
        "pathParameters": parameters,
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "stage": gateway.stage,
            "requestId": ids.request,
            "extendedRequestId": ids.extended,
            "resourcePath": route.path,
            "path": parts.uri.path(),
            "httpMethod": parts.method.as_str(),
            "protocol": "HTTP/1.1",
            "identity": { "sourceIp": "127.0.0.1" },
        },
        "body": text,
        "isBase64Encoded": binary && !body.is_empty(),
    })
}

/// The last value of each, or nothing at all.
fn single(query: &BTreeMap<String, Vec<String>>) -> Option<BTreeMap<&String, &String>> {
    let last = query.iter().filter_map(|(name, values)| Some((name, values.last()?)));
    Some(last.collect()).filter(|query: &BTreeMap<_, _>| !query.is_empty())
}

/// The HTTP response that a proxy integration's answer describes; `None` where it came in another way than the integration
/// wants.
fn response(Answer { head, rest }: Answer, streams: bool) -> Option<Response> {
    if rest.is_some() != streams {
        return None;
    }
    let answer: Value = serde_json::from_slice(&head).ok()?;
    let status = StatusCode::from_u16(u16::try_from(answer["statusCode"].as_u64()?).ok()?).ok()?;
    let text = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == true { BASE64.decode(text).ok()? } else { text.into() };
    let mut response = Response::new(rest.map_or_else(|| Body::from(body), Rest::into_body));
    *response.status_mut() = status;
    let single = answer["headers"].as_object().into_iter().flatten();
    let multi = answer["multiValueHeaders"].as_object().into_iter().flatten();
    let multi: Vec<_> = multi
        .flat_map(|(name, values)| values.as_array().into_iter().flatten().map(move |value| (name, value)))
        .collect();
    let single = single.filter(|(name, _)| !multi.iter().any(|(other, _)| other == name));
    for (name, value) in single.chain(multi.iter().copied()) {
        append(response.headers_mut(), name, value.as_str().unwrap_or_default());
    }
    Some(response)
}

fn append(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        headers.append(name, value);
    }
}

/// The place of the route that answers, and what its path's parameters are. First the path decides, segments word for
/// word before parameters; then the method, itself before `ANY`.
fn find<'a>(
    routes: impl Iterator<Item = &'a Route>,
    method: &str,
    path: &str,
) -> Option<(usize, BTreeMap<String, String>)> {
    let fits = |(at, route): (usize, &'a Route)| Some((at, route, parameters(&route.path, path)?));
    let fitting: Vec<_> = routes.enumerate().filter_map(fits).collect();
    let paths = fitting.iter().map(|(_, route, _)| &route.path);
    let closest = paths.min_by_key(|path| {
        let segments = path.split('/');
        segments.map(|segment| segment.starts_with('{')).collect::<Vec<_>>()
    })?;
    let of_method = |wanted: &str| {
        let mut fitting = fitting.iter();
        fitting.find(|(_, route, _)| route.path == *closest && route.method == wanted)
    };
    // The template's word for any method is none that a client could send.
    let own = (method != "ANY").then(|| of_method(method)).flatten();
    let any = || ANY.contains(&method).then(|| of_method("ANY")).flatten();
    let (at, _, parameters) = own.or_else(any)?;
    Some((*at, parameters.clone()))
}

/// The parameters of `path` if it has the shape of `pattern`, such as `/documents/{id}/upload`.
fn parameters(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    // AWS does not mind a slash at the end, and hands it on.
    let path = path.strip_suffix('/').unwrap_or(path);
    let (wanted, given) = (pattern.split('/'), path.split('/'));
    if wanted.clone().count() != given.clone().count() {
        return None;
    }
    let mut parameters = BTreeMap::new();
    for (wanted, given) in wanted.zip(given) {
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(_) if given.is_empty() => return None,
            Some(name) => drop(parameters.insert(name.to_owned(), given.to_owned())),
            None if wanted == given => {}
            None => return None,
        }
    }
    Some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> Option<String> {
        let route = |method: &str, path: &str| Route {
            path: path.to_owned(),
            method: method.to_owned(),
            function: String::new(),
            streams: false,
        };
        let routes = [route("ANY", "/a/{id}"), route("PUT", "/a/{id}"), route("GET", "/a/b")];
        let (at, _) = find(routes.iter(), method, path)?;
        Some(format!("{} {}", routes[at].method, routes[at].path))
    }

    #[test]
    fn the_closest_path_decides_and_then_a_method_of_its_own_before_any() {
        assert_eq!(found("PUT", "/a/x").as_deref(), Some("PUT /a/{id}"));
        for method in ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST"] {
            assert_eq!(found(method, "/a/x").as_deref(), Some("ANY /a/{id}"));
        }
        assert_eq!(found("GET", "/a/b").as_deref(), Some("GET /a/b"));
        for (method, path) in [("TRACE", "/a/x"), ("ANY", "/a/x"), ("PUT", "/a/b"), ("GET", "/a")] {
            assert_eq!(found(method, path), None, "{method} {path}");
        }
    }
}

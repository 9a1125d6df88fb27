//! Events as API Gateway's REST APIs send them, recorded from one and filled in.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use okd_local::sample;
use serde_json::{Map, Value, json};

/// The association of the standard's examples.
pub(crate) const ASSOCIATION: &str = "123e4567-e89b-12d3-a456-426614174000";
const HOST: &str = "abcdefghij.execute-api.eu-central-1.amazonaws.com";

/// The maker of requests of one client.
#[derive(Clone, Copy)]
pub(crate) struct Requests<'a> {
    pub(crate) token: &'a str,
}

/// A request before it is an event.
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    resource: &'a str,
    parameters: Value,
    query: Map<String, Value>,
    /// The body, its media type, and whether the gateway knows that as binary.
    body: Option<(String, &'a str, bool)>,
}

impl<'a> Request<'a> {
    /// `GET` of a path without a query.
    fn get(path: &'a str, resource: &'a str, parameters: Value) -> Self {
        Self { method: "GET", path, resource, parameters, query: Map::new(), body: None }
    }
}

impl Requests<'_> {
    /// `PUT` of form B: the metadata of a file of `size` bytes that follows.
    pub(crate) fn offer(self, size: u64) -> Bytes {
        self.offer_of(&sample::metadata("opname-100245.mp4", Some(size)))
    }

    /// The same with this metadata, as for a repeat.
    pub(crate) fn offer_of(self, metadata: &Value) -> Bytes {
        self.put((metadata.to_string(), "application/json", false))
    }

    /// `PUT` of form A: the file with its metadata.
    pub(crate) fn inline(self, file: &[u8]) -> Bytes {
        let metadata = sample::metadata("beoordeling-100245.pdf", None);
        let mut body = format!(
            "--bench\r\ncontent-disposition: form-data; name=\"metadata\"\r\ncontent-type: application/json\r\n\r\n\
             {metadata}\r\n--bench\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\n\
             content-type: application/pdf\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n--bench--\r\n");
        self.put((BASE64.encode(body), "multipart/form-data; boundary=bench", true))
    }

    /// `PUT` of what is no JSON.
    pub(crate) fn broken(self) -> Bytes {
        self.put(("{\"associationId\":".to_owned(), "application/json", false))
    }

    fn put(self, body: (String, &str, bool)) -> Bytes {
        self.event(Request {
            method: "PUT",
            path: &format!("/okd/v1/associations/{ASSOCIATION}"),
            resource: "/okd/v1/associations/{associationId}",
            parameters: json!({ "associationId": ASSOCIATION }),
            query: Map::new(),
            body: Some(body),
        })
    }

    /// `GET` of a document's metadata.
    pub(crate) fn metadata(self, id: &str) -> Bytes {
        self.event(Request::get(
            &format!("/okd/v1/documents/{id}/metadata"),
            "/okd/v1/documents/{dmsDocumentId}/metadata",
            json!({ "dmsDocumentId": id }),
        ))
    }

    /// `GET` of the documents whose retention ends before this day.
    pub(crate) fn due_before(self, day: &str) -> Bytes {
        self.event(Request {
            query: Map::from_iter([("retentionDueBefore".to_owned(), json!(day))]),
            ..Request::get("/okd/v1/documents", "/okd/v1/documents", Value::Null)
        })
    }

    /// `GET` of the list of the association's documents.
    pub(crate) fn list(self) -> Bytes {
        self.event(Request::get(
            &format!("/okd/v1/associations/{ASSOCIATION}/documents"),
            "/okd/v1/associations/{associationId}/documents",
            json!({ "associationId": ASSOCIATION }),
        ))
    }

    /// One of the links of an upload's answer, such as its `complete`.
    pub(crate) fn follow(self, link: &Value) -> Bytes {
        let href = link["href"].as_str().unwrap_or_default();
        let href = href.strip_prefix("/live").unwrap_or(href);
        let (path, query) = href.split_once('?').unwrap_or((href, ""));
        let complete = if path.ends_with("/complete") { "/complete" } else { "" };
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        self.event(Request {
            method: link["method"].as_str().unwrap_or_default(),
            path,
            resource: &format!("/okd/v1/documents/{{dmsDocumentId}}/upload{complete}"),
            parameters: json!({ "dmsDocumentId": path.split('/').nth(4) }),
            query: pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect(),
            body: None,
        })
    }

    fn event(self, request: Request<'_>) -> Bytes {
        let Request { method, path, resource, parameters, query, body } = request;
        let mut headers = json!({
            "Accept": "*/*",
            "Authorization": format!("Bearer {}", self.token),
            "Host": HOST,
            "User-Agent": "sis/1.0",
            "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
            "X-Forwarded-For": "192.0.2.1",
            "X-Forwarded-Port": "443",
            "X-Forwarded-Proto": "https",
        });
        if let Some((_, media, _)) = body {
            headers["Content-Type"] = json!(media);
        }
        let multi = |single: &Map<String, Value>| -> Map<String, Value> {
            single.iter().map(|(name, value)| (name.clone(), json!([value]))).collect()
        };
        let (text, is_base64) = body.map_or((None, false), |(text, _, binary)| (Some(text), binary));
        let event = json!({
            "resource": resource,
            "path": path,
            "httpMethod": method,
            "multiValueHeaders": headers.as_object().map(multi),
            "headers": headers,
            "queryStringParameters": (!query.is_empty()).then_some(&query),
            "multiValueQueryStringParameters": (!query.is_empty()).then(|| multi(&query)),
            "pathParameters": parameters,
            "stageVariables": null,
            "requestContext": {
                "accountId": "000000000000", "apiId": "abcdefghij", "domainName": HOST, "domainPrefix": "abcdefghij",
                "extendedRequestId": "EXTENDED=", "stage": "live", "requestId": uuid::Uuid::new_v4(),
                "requestTime": "23/Nov/2026:10:36:42 +0000", "requestTimeEpoch": 1_795_430_202_000_u64,
                "resourceId": "abc123", "resourcePath": resource, "path": format!("/live{path}"),
                "httpMethod": method, "protocol": "HTTP/1.1",
                "identity": { "sourceIp": "192.0.2.1", "userAgent": "sis/1.0" },
            },
            "body": text,
            "isBase64Encoded": is_base64,
        });
        event.to_string().into()
    }
}

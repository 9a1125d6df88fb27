//! The page `/docs`: the contract, rendered by Swagger UI, whose scripts and styles a crate brings along. It is on the
//! gateway's port, so that the page may call the API; AWS has no such path.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware::map_response,
    response::{Html, Response},
    routing::get,
};
use swagger_ui_redist::{SwaggerUi, SwaggerUiStaticFile};

/// The path of the page.
pub const PATH: &str = "/docs";

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>OKD document service</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="contract"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"#;

/// Shows the contract that the service answers. The validator that Swagger UI would ask is another host's.
const START: &str = r##"SwaggerUIBundle({ url: "/okd/v1/openapi.json", dom_id: "#contract", validatorUrl: "none", deepLinking: true });
"##;

/// Lets the page ask this host alone. Swagger UI has its icons and styles inside.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and what it loads.
pub(crate) fn routes() -> Router {
    let script = [(header::CONTENT_TYPE, "text/javascript")];
    let style = [(header::CONTENT_TYPE, "text/css")];
    let bundle = (script.clone(), file(SwaggerUiStaticFile::Js));
    let css = (style, file(SwaggerUiStaticFile::Css));
    Router::new()
        .route(PATH, get(async || Html(PAGE)))
        .route("/docs/start.js", get((script, START)))
        .route("/docs/swagger-ui-bundle.js", get(bundle))
        .route("/docs/swagger-ui.css", get(css))
        .layer(map_response(keep_in))
}

/// One of Swagger UI's own files.
fn file(wanted: SwaggerUiStaticFile) -> &'static [u8] {
    let mut files = SwaggerUi::static_files().iter();
    files.find(|(file, _)| *file == wanted).map_or(&[], |(_, bytes)| *bytes)
}

async fn keep_in(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

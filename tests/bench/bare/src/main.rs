//! The least that a function in Rust can be: it answers every request with the same words.

use lambda_http::{Body, Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_request: Request| Ok::<_, Error>(Response::new(Body::from(r#"{"hello":"world"}"#))))).await
}

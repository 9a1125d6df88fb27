//! The Lambda binary of the `api` function; see the library beside it.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    okd_api::run(jiff::Timestamp::now).await
}

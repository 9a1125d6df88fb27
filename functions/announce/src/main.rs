//! The Lambda binary of the `announce` function; see the library beside it.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    okd_announce::run().await
}

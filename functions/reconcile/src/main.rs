//! The Lambda binary of the `reconcile` function; see the library beside it.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    okd_reconcile::run(jiff::Timestamp::now).await
}

//! Answers on port 9000 with the S3 of a folder, until Ctrl-C.

use std::path::PathBuf;

use okd_s3::S3;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/an-s3"), PathBuf::from);
    let s3 = S3::open(&folder, false)?;
    let listener = TcpListener::bind("127.0.0.1:9000").await?;
    let interrupted = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    s3.serve(listener, "local", "secret", interrupted).await;
    Ok(())
}

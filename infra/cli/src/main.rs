//! The operator's commands for a deployed stack, or for the cloud on this machine.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use okd_cli::tenant;

/// The operator's commands of the OKD document service.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add, list, show and remove tenants: of the cloud on this machine, or of a deployed stack.
    Tenant(tenant::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Command::Tenant(arguments) = Arguments::parse().command;
    match tenant::run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

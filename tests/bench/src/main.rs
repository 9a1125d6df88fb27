//! `cargo run -p bench -- all`: measures the api function as it is released, beside a bare one, Node and Python, and writes
//! docs/performance.md. Each part can be measured alone; the others then stay as they were.

#![expect(clippy::print_stdout, reason = "it is a program for people at a terminal")]

mod calls;
mod cloud;
mod compare;
mod contenders;
mod events;
mod figures;
mod folders;
mod function;
mod growth;
mod instructions;
mod issuer;
mod memory;
mod page;
mod parts;
mod plot;
mod scale;
mod sizes;
mod tls;
mod transfer;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use okd_local::Result;

use cloud::Cloud;
use compare::Effort;
use contenders::Contender;
use figures::{Figures, Of};

/// Measures the functions; everything that it needs it builds and starts by itself.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Measure what is in the target folder (`CARGO_TARGET_DIR`), however it was built.
    #[arg(long, global = true)]
    as_built: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Everything below. It takes an hour and 15 GB of disk, on a machine that does nothing else.
    All,
    /// Ours, a bare function, Node and Python in turn: cold starts, warm requests, memory, zip.
    Compare {
        /// Cold starts of each.
        #[arg(long, default_value_t = 11)]
        cold_starts: usize,
        /// Warm requests of each, in batches of 125.
        #[arg(long, default_value_t = 1000)]
        warm: usize,
    },
    /// The memory of one process over mixed requests.
    Memory {
        #[arg(long, default_value_t = 10_000)]
        requests: usize,
    },
    /// The calls to AWS of each use case, and what follows of them for docs/scale.md.
    Calls,
    /// Instructions of each use case, by callgrind.
    Instructions {
        /// Compare with tests/bench/budget.json, and fail where one has grown by more than 5 %.
        #[arg(long)]
        check: bool,
    },
    /// Uploads of 1, 64 and 1,000 parts.
    Parts,
    /// Requests beside many stored documents, and sweeps over many pending uploads.
    Growth {
        /// Documents stored, step by step. One takes 5 KB of disk, and a million some 25 minutes.
        #[arg(long, value_delimiter = ',', default_values_t = growth::STEPS)]
        documents: Vec<u64>,
        /// A folder with stores that have this many documents already, and `--filled-with` says how many.
        #[arg(long)]
        filled: Option<PathBuf>,
        /// The number of documents in it.
        #[arg(long, default_value_t = 0)]
        filled_with: u64,
    },
    /// A file of 1 GiB on its way up and down, by okd and by others.
    Transfer {
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Send 1 GiB from memory and tell the memory that it took; `transfer` starts it.
    #[command(hide = true)]
    RawPuts { url: String },
    /// Write the page again from the figures that are kept.
    Page,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(Arguments::parse()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { command, as_built }: Arguments) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("okd-bench-").tempdir()?;
    if matches!(command, Command::All | Command::Instructions { .. }) {
        instructions::find_callgrind()?;
    }
    if !as_built {
        command.contenders().iter().try_for_each(|contender| contender.build())?;
    }
    if let Command::Instructions { check: true } = command {
        return instructions::check(&Cloud::start(folder.path().join("cloud"))?).await;
    }
    if let Command::RawPuts { url } = command {
        println!("{}", transfer::raw_puts(&url).await?);
        return Ok(());
    }
    let mut figures = Figures::read()?;
    for command in command.alone() {
        measure(command, &mut figures, folder.path()).await?;
        figures.write()?;
    }
    page::write(&figures)
}

impl Command {
    /// The functions that it needs.
    fn contenders(&self) -> &'static [Contender] {
        match self {
            Self::All | Self::Compare { .. } => &Contender::ALL,
            Self::Transfer { .. } | Self::Page | Self::RawPuts { .. } => &[],
            _ => &[Contender::Ours],
        }
    }

    /// The commands that this one stands for.
    fn alone(self) -> Vec<Self> {
        match self {
            Self::All => vec![
                Self::Compare { cold_starts: 11, warm: 1000 },
                Self::Memory { requests: 10_000 },
                Self::Calls,
                Self::Parts,
                Self::Growth { documents: growth::STEPS.to_vec(), filled: None, filled_with: 0 },
                Self::Transfer { rounds: 3 },
                Self::Instructions { check: false },
            ],
            other => vec![other],
        }
    }
}

async fn measure(command: Command, figures: &mut Figures, folder: &Path) -> Result<()> {
    let cloud = |name: &str| Cloud::start(folder.join(name));
    match command {
        Command::Compare { cold_starts, warm } => {
            let effort = Effort { cold_starts, batches: warm / 125, batch: 125 };
            figures.compared = Some(Of::now(compare::compare(&cloud("compare")?, effort).await?));
        }
        Command::Memory { requests } => {
            figures.memory = Some(Of::now(memory::measure(&cloud("memory")?, requests).await?));
        }
        Command::Calls => {
            let counted = calls::count(&cloud("calls")?).await?;
            scale::write(&counted)?;
            figures.calls = Some(Of::now(counted));
        }
        Command::Instructions { .. } => {
            figures.instructions = Some(Of::now(instructions::count(&cloud("instructions")?).await?));
        }
        Command::Parts => {
            figures.parts = Some(Of::now(parts::measure(&cloud("parts")?).await?));
        }
        Command::Growth { documents, filled, filled_with } => {
            let is_ours = filled.is_none();
            let clouds = (cloud("empty")?, Cloud::start(filled.unwrap_or_else(|| folder.join("full")))?);
            let (mut grown, swept) = growth::measure(&clouds.0, &clouds.1, filled_with, &documents).await?;
            if is_ours {
                // The disk is needed for what follows.
                std::fs::remove_dir_all(&clouds.1.folder)?;
            }
            // What this run began behind stays as it was.
            let before = figures.growth.take().map(|of| of.figures).unwrap_or_default();
            let before = before.into_iter().filter(|grown| grown.documents < filled_with);
            grown.splice(0..0, before);
            (figures.growth, figures.sweeps) = (Some(Of::now(grown)), Some(Of::now(swept)));
        }
        Command::Transfer { rounds } => {
            figures.transfers = Some(Of::now(transfer::measure(folder, rounds).await?));
        }
        Command::All | Command::Page | Command::RawPuts { .. } => {}
    }
    Ok(())
}

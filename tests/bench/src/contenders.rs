//! The four functions that are measured, how each is built, and how it is started.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use okd_local::Result;

use crate::{
    cloud::{Cloud, Wire},
    folders::{ours, root},
    function::Function,
};

/// A function that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contender {
    /// Our api function, as it is released.
    Ours,
    /// A function of `lambda_http` that says hello: what cannot be less.
    Bare,
    /// Form B for Node 20, with AWS SDK v3, bundled.
    Node,
    /// Form B for Python 3.11, with boto3.
    Python,
}

impl Contender {
    /// All of them, in the order in which they take turns.
    pub(crate) const ALL: [Self; 4] = [Self::Ours, Self::Bare, Self::Node, Self::Python];

    /// Its name in the results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Bare => "bare",
            Self::Node => "Node",
            Self::Python => "Python",
        }
    }

    /// The status of its answer to a `PUT` of form B.
    pub(crate) fn status(self) -> u16 {
        if self == Self::Bare { 200 } else { 202 }
    }

    /// Builds it from the sources of this repository.
    pub(crate) fn build(self) -> Result<()> {
        match self {
            Self::Ours => cargo(&["-p", "okd-api"]),
            Self::Bare => cargo(&["-p", "bench-bare"]),
            Self::Node => build_node(),
            Self::Python => run(Command::new(root().join(".ci/venv")).arg("bench")),
        }
    }

    /// Starts it; `before` is put in front of its command, as callgrind's.
    pub(crate) async fn start(self, cloud: &Cloud, wire: Wire, before: &[&str]) -> Result<Function> {
        let mut environment = cloud.environment("ApiFunction", wire);
        environment.extend(self.environment(cloud, wire));
        let command = before.iter().map(|&word| word.to_owned()).chain(self.command());
        let log = cloud.folder.join(format!("{}.log", self.name()));
        Function::start(&command.collect::<Vec<_>>(), &environment, &log).await
    }

    fn command(self) -> Vec<String> {
        let words = match self {
            Self::Ours => vec![ours("api")],
            Self::Bare => vec![ours("bare")],
            Self::Node => vec![PathBuf::from("node"), node_folder().join("bootstrap.mjs")],
            Self::Python => {
                let python = root().join("target/bench/bin/python");
                vec![python, "-m".into(), "awslambdaric".into(), "handler.handler".into()]
            }
        };
        words.into_iter().map(|word| word.display().to_string()).collect()
    }

    /// What its environment has besides the function's.
    fn environment(self, cloud: &Cloud, wire: Wire) -> BTreeMap<String, String> {
        let given = match self {
            Self::Ours => {
                // By this name its calls are counted.
                let mut given = vec![("AWS_SDK_UA_APP_ID", "ApiFunction-bench".to_owned())];
                if wire == Wire::Tls {
                    given.push(("SSL_CERT_FILE", format!("{}/amazon.pem", cloud.folder.display())));
                }
                given
            }
            Self::Bare => Vec::new(),
            Self::Node => vec![("BENCH_HANDLER", node_folder().join("dist/index.mjs").display().to_string())],
            Self::Python => {
                let sources = root().join("tests/bench/python").display().to_string();
                vec![("PYTHONPATH", sources.clone()), ("LAMBDA_TASK_ROOT", sources)]
            }
        };
        given.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Builds the reconcile function, as it is released.
pub(crate) fn build_reconcile() -> Result<()> {
    cargo(&["-p", "okd-reconcile"])
}

fn node_folder() -> PathBuf {
    root().join("target/bench-node")
}

fn cargo(packages: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo).args(["build", "--release", "--quiet"]).args(packages).current_dir(root()))
}

fn build_node() -> Result<()> {
    let (sources, folder) = (root().join("tests/bench/node"), node_folder());
    std::fs::create_dir_all(&folder)?;
    for name in ["package.json", "bootstrap.mjs", "handler.mjs"] {
        std::fs::copy(sources.join(name), folder.join(name))?;
    }
    if !folder.join("node_modules").exists() {
        run(Command::new("npm").args(["install", "--no-audit", "--no-fund", "--silent"]).current_dir(&folder))?;
    }
    // As AWS's own documentation has it; the banner is for packages that are not written as modules.
    let banner = "--banner:js=import { createRequire } from 'module'; const require = createRequire(import.meta.url);";
    let words =
        ["esbuild", "handler.mjs", "--bundle", "--minify", "--platform=node", "--target=node20", "--format=esm"];
    run(Command::new("npx")
        .args(words)
        .args(["--outfile=dist/index.mjs", banner, "--log-level=warning"])
        .current_dir(&folder))
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}").into()) }
}

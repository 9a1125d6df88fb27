//! `cargo run` with its options, as a user starts it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use support::{
    program::Program,
    sender::{association, offer},
};

/// The command, with the umask that most users have: a cloud in this process may have made it stricter.
fn local() -> Command {
    let mut command = Command::new("sh");
    let line = "umask 022 && exec \"$0\" \"$@\"";
    command.args(["-c", line]).arg(support::executable());
    command
}

/// Starts it, with this as the system's temporary folder.
fn start(arguments: &[&str], temporary: &Path) -> Program {
    let mut command = local();
    let command = command.args(["--port", "0"]).args(arguments);
    Program::start(command.env("TMPDIR", temporary))
}

#[tokio::test]
#[cfg(unix)]
async fn an_ephemeral_cloud_is_in_the_temporary_folder_and_pages_of_the_origins_named_may_send_parts() {
    let temporary = tempfile::tempdir().unwrap();
    let origins = ["--upload-origin", "https://dms.example", "--upload-origin", "http://127.0.0.1:8000/"];
    let cloud = start(&[&["--ephemeral"][..], &origins].concat(), temporary.path());
    let logs = cloud.after("Its logs go to ");
    assert!(Path::new(logs).starts_with(temporary.path()), "{logs}");

    let http = reqwest::Client::new();
    let url = format!("{}{}", cloud.after("runs at "), association());
    let offered = http.put(url).bearer_auth(cloud.after("TOKEN="));
    let offered = offered.json(&offer(5)).send().await.unwrap();
    assert_eq!(offered.status(), 202);
    let offered: Value = offered.json().await.unwrap();
    let href = offered["upload"]["parts"][0]["href"].as_str().unwrap();
    for (origin, allowed) in
        [("https://dms.example", true), ("http://127.0.0.1:8000", true), ("https://evil.example", false)]
    {
        let preflight = http.request(reqwest::Method::OPTIONS, href);
        let preflight = preflight.header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "PUT");
        let answer = preflight.send().await.unwrap();
        assert_eq!(answer.status().is_success(), allowed, "{origin}");
    }
}

/// The file or folder, and all that is in it.
#[cfg(unix)]
fn all_below(path: &Path) -> Vec<std::path::PathBuf> {
    let below = std::fs::read_dir(path).into_iter().flatten();
    let below = below.flat_map(|entry| all_below(&entry.unwrap().path()));
    [path.to_owned()].into_iter().chain(below).collect()
}

#[tokio::test]
#[cfg(unix)]
async fn the_data_folder_and_all_in_it_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let cloud = start(&["--data", data.to_str().unwrap()], temporary.path());
    let url = format!("{}{}", cloud.after("runs at "), association());
    let offered = reqwest::Client::new().put(url).bearer_auth(cloud.after("TOKEN="));
    assert_eq!(offered.json(&offer(5)).send().await.unwrap().status(), 202);
    let files = all_below(&data);
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", file.display());
    }
}

#[test]
#[cfg(unix)]
fn a_data_folder_that_others_may_open_is_refused_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let temporary = tempfile::tempdir().unwrap();
    std::fs::set_permissions(temporary.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = local();
    let command = command.args(["--port", "0", "--data"]).arg(temporary.path());
    let mut process = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let started = BufReader::new(process.stdout.take().unwrap()).lines().next();
    process.kill().unwrap();
    std::io::Read::read_to_string(&mut process.stderr.take().unwrap(), &mut said).unwrap();
    process.wait().unwrap();
    assert!(started.is_none() && said.contains("chmod -R go="), "{said}");
}

#[test]
fn the_key_of_a_data_folder_is_random_and_stays() {
    let temporary = tempfile::tempdir().unwrap();
    let key = |folder: &str| {
        let data = temporary.path().join(folder);
        drop(start(&["--data", data.to_str().unwrap()], temporary.path()));
        std::fs::read_to_string(data.join("access-key.sh")).unwrap()
    };
    let (first, again, other) = (key("one"), key("one"), key("other"));
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[test]
fn what_is_no_origin_is_refused_before_anything_starts() {
    for bad in ["dms.example", "https://dms.example/upload", "ftp://dms.example", "none"] {
        let mut command = Command::new(support::executable());
        let output = command.args(["--upload-origin", bad]).output().unwrap();
        assert!(!output.status.success(), "{bad}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("no origin such as"), "{said}");
    }
}

//! Clouds to test: each in a folder and on a runtime of its own, on free ports, its clock standing still.

use std::{
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
};

use crate::{executable, temporary};
use okd_local::{Cloud, FUNCTIONS_LOG, Options};

/// A cloud for one test alone, on our own stores.
pub fn own_cloud() -> &'static Cloud {
    start(|_| ())
}

/// Starts a cloud, its options changed, on a runtime of its own, which outlives the test's.
pub fn start(change: impl FnOnce(&mut Options)) -> &'static Cloud {
    let mut options = Options::throwaway(data_folder(), executable());
    change(&mut options);
    let (started, cloud) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            started.send(Cloud::start(options).await.unwrap()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    Box::leak(Box::new(cloud.recv().expect("the cloud starts")))
}

/// What its functions have logged.
pub fn log(cloud: &Cloud) -> String {
    std::fs::read_to_string(cloud.data.join(FUNCTIONS_LOG)).unwrap()
}

/// A new folder below target/tmp. Nothing runs when a test process ends, so each start removes what
/// processes that are gone have left.
fn data_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let parent = temporary();
    for entry in std::fs::read_dir(&parent).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let pid = name.strip_prefix("cloud-").and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| Path::new("/proc/self").exists() && !Path::new("/proc").join(pid).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    parent.join(format!("cloud-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
}

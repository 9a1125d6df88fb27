//! The processes that faults kill.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{mpsc, oneshot};

/// The way to kill each process, by its name.
#[derive(Clone, Default)]
pub(crate) struct Processes(Arc<Mutex<HashMap<String, mpsc::Sender<oneshot::Sender<()>>>>>);

impl Processes {
    pub(crate) fn register(&self, name: String) -> Registered {
        let (kill, killed) = mpsc::channel(1);
        self.lock().insert(name.clone(), kill);
        Registered { name, processes: self.clone(), killed }
    }

    /// Ends a process and returns when it has. A caller that is no process of ours lives on.
    pub(crate) async fn kill(&self, name: &str) {
        let kill = self.lock().get(name).cloned();
        if let Some(kill) = kill {
            let (dead, died) = oneshot::channel();
            if kill.send(dead).await.is_ok() {
                let _ = died.await;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<oneshot::Sender<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process that faults may kill, until this is dropped.
pub struct Registered {
    name: String,
    processes: Processes,
    killed: mpsc::Receiver<oneshot::Sender<()>>,
}

impl Registered {
    /// Returns when a fault is to kill the process.
    pub async fn killed(&mut self) -> Dying {
        match self.killed.recv().await {
            Some(dead) => Dying(dead),
            None => pending().await,
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.processes.lock().remove(&self.name);
    }
}

/// A process that a fault kills. The call that met the fault waits until it is dead.
#[must_use]
pub struct Dying(oneshot::Sender<()>);

impl Dying {
    /// Says that the process is dead.
    pub fn is_dead(self) {
        let _ = self.0.send(());
    }
}

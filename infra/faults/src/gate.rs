//! The gate through which the calls of races go one by one, in an order drawn from a seed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;
use tokio::sync::{Notify, oneshot};

/// The calls that wait for their turn; `None` when all may go.
pub(crate) struct Gate {
    waiting: Mutex<Option<Vec<oneshot::Sender<()>>>>,
    came: Notify,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::new(Some(Vec::new())), came: Notify::new() }
    }

    pub(crate) async fn pass(&self) {
        let (go, wait) = oneshot::channel();
        match self.lock().as_mut() {
            Some(waiting) => waiting.push(go),
            None => return,
        }
        self.came.notify_one();
        let _ = wait.await;
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().as_ref().map_or(0, Vec::len)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Vec<oneshot::Sender<()>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets calls through until it is stopped.
pub(crate) async fn keep(gate: Arc<Gate>, mut random: Rng, expected: usize) {
    /// A process that has not called by now is thinking, or waiting for another.
    const MOMENT: Duration = Duration::from_millis(8);
    loop {
        while gate.count() < expected {
            let came = tokio::time::timeout(MOMENT, gate.came.notified()).await;
            if came.is_err() && gate.count() > 0 {
                break;
            }
        }
        if let Some(waiting) = gate.lock().as_mut() {
            let next = random.usize(..waiting.len());
            let _ = waiting.swap_remove(next).send(());
        }
    }
}

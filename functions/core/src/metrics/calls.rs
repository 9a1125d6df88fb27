//! What is noted while one event is handled: its calls to AWS, the time that each took, and the changes that it wrote.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef},
        },
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

tokio::task_local! {
    /// The notes of the event that this task handles: of another one, handled at the same time, they must hold nothing.
    static CALLS: Calls;
}

/// What is noted while an event is handled.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// The names of calls to AWS, and how many milliseconds each took.
    pub(super) calls: Vec<(String, u64)>,
    /// Changes of documents that were written.
    pub(super) changes: u64,
}

/// The notes of one event.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<Noted>>);

impl Calls {
    /// Notes the calls that `event` makes, as long as it spawns no task.
    pub fn of<F: Future>(&self, event: F) -> impl Future<Output = F::Output> + use<F> {
        CALLS.scope(self.clone(), event)
    }

    /// Takes what was noted.
    pub(super) fn take(&self) -> Noted {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that a change of a document was written. Outside of any event nothing is noted.
pub(crate) fn note_change() {
    let _ = CALLS.try_with(|calls| calls.lock().changes += 1);
}

/// Times the calls of an AWS client that is built with it, retries included: `S3.PutObject`.
#[derive(Debug)]
pub struct TimesCalls;

#[derive(Debug)]
struct Began(Instant);

impl Storable for Began {
    type Storer = StoreReplace<Self>;
}

impl Intercept for TimesCalls {
    fn name(&self) -> &'static str {
        "TimesCalls"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(Began(Instant::now()));
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.output_or_error().is_none() {
            // Only presigned: the sender makes the call.
            return Ok(());
        }
        if let (Some(Began(began)), Some(call)) = (bag.load::<Began>(), bag.load::<Metadata>()) {
            let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let name = format!("{}.{}", call.service(), call.name());
            // A call outside of any event, such as one at the start, is not measured.
            let _ = CALLS.try_with(|calls| calls.lock().calls.push((name, milliseconds)));
        }
        Ok(())
    }
}

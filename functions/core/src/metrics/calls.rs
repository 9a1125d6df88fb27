//! The calls to AWS of one event, and the time that each took.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
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
    /// The calls of the event that this task handles: one process may handle several events at once.
    static CALLS: Calls;
}

/// The names of calls, and how many milliseconds each took.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<Vec<(String, u64)>>>);

impl Calls {
    /// Notes the calls that `event` makes.
    pub fn of<F: Future>(&self, event: F) -> impl Future<Output = F::Output> + use<F> {
        CALLS.scope(self.clone(), event)
    }

    /// Takes the calls that were noted.
    pub(super) fn take(&self) -> Vec<(String, u64)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, name: String, milliseconds: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, milliseconds));
    }
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
            let _ = CALLS.try_with(|calls| calls.push(name, milliseconds));
        }
        Ok(())
    }
}

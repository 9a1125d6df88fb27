//! The layer around a service.

use std::{
    future::Future,
    mem::replace,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::{BoxError, Layer, Service};

use crate::{
    call::{Named, Wording},
    faults::{Faults, Passed},
};

/// The error of a call that gets no answer. A server that meets it breaks the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection is made to break")]
pub struct Broken;

/// Puts faults between a service and its callers.
///
/// `name` is an `Fn(&Request<_>) -> Named`, and `word` an `Fn(Wording) -> Response<_>`.
#[derive(Clone)]
pub struct FaultLayer<N, W> {
    faults: Arc<Faults>,
    name: N,
    word: W,
}

impl<N, W> FaultLayer<N, W> {
    /// A layer on which these faults happen.
    pub fn new(faults: Arc<Faults>, name: N, word: W) -> Self {
        Self { faults, name, word }
    }
}

impl<S, N: Clone, W: Clone> Layer<S> for FaultLayer<N, W> {
    type Service = FaultService<S, N, W>;

    fn layer(&self, inner: S) -> Self::Service {
        FaultService { inner, layer: self.clone() }
    }
}

/// A service behind a [`FaultLayer`].
#[derive(Clone)]
pub struct FaultService<S, N, W> {
    inner: S,
    layer: FaultLayer<N, W>,
}

impl<S, N, W, B, A> Service<Request<B>> for FaultService<S, N, W>
where
    S: Service<Request<B>, Response = Response<A>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError> + Send,
    N: Fn(&Request<B>) -> Named,
    W: Fn(Wording) -> Response<A> + Clone + Send + 'static,
    B: Send + 'static,
    A: Send + 'static,
{
    type Response = Response<A>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<A>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let FaultLayer { faults, name, word } = &self.layer;
        let (faults, word, named) = (faults.clone(), word.clone(), name(&request));
        // The one that was found ready, and another for the next call.
        let next = self.inner.clone();
        let mut inner = replace(&mut self.inner, next);
        Box::pin(async move {
            let effect = async move { inner.call(request).await };
            match faults.pass(named, effect).await {
                Passed::Answer(answer) => answer.map_err(Into::into),
                Passed::Instead(wording) => Ok(word(wording)),
                Passed::Broken => Err(Broken.into()),
            }
        })
    }
}

#[cfg(test)]
mod tests;

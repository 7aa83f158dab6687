//! The calls of one service go straight to it, past the router.
//!
//! The router costs a boxed future, a path match and two request extensions for each call; a server whose calls nearly all
//! go to one service is spared them.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures_util::future::Either;
use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

/// Routes the calls of the service `M` to `M`, and all other calls to `S`.
#[derive(Clone, Debug)]
pub(super) struct First<M, S> {
    first: M,
    others: S,
}

impl<M, S> First<M, S> {
    pub(super) fn new(first: M, others: S) -> Self {
        Self { first, others }
    }
}

impl<M, S> Service<Request<Body>> for First<M, S>
where
    M: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + NamedService,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<M::Future, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A generated service is always ready: it has no limit of its own.
        self.others.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if is_method_of(M::NAME, request.uri().path()) {
            Either::Left(self.first.call(request))
        } else {
            Either::Right(self.others.call(request))
        }
    }
}

/// Whether `path` is `/service/method`.
fn is_method_of(service: &str, path: &str) -> bool {
    path.strip_prefix('/')
        .and_then(|path| path.strip_prefix(service))
        .is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_methods_of_the_service_itself_go_to_it() {
        for path in ["/a.Events/Process", "/a.Events/", "/a.Events/no/such"] {
            assert!(is_method_of("a.Events", path), "{path}");
        }
        for path in ["/a.Events", "/a.EventsTwo/Process", "a.Events/Process", "/"] {
            assert!(!is_method_of("a.Events", path), "{path}");
        }
    }
}

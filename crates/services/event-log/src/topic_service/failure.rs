//! Errors of topics as both faces answer them.

use runtime::status::Failure;
use tonic::Status;
use topics::TopicsError;

/// The failure that REST answers.
pub(super) fn failure(error: impl Into<TopicsError>) -> Failure {
    let error = error.into();
    Failure::new(error.kind(), error.to_string())
}

/// The status that gRPC answers.
pub(super) fn status(error: impl Into<TopicsError>) -> Status {
    failure(error).into()
}

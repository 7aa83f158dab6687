//! What sort of failure an error is, independent of the protocol that reports it.

/// The sort of a failure. Every error type of the workspace answers `kind()`; one table in `runtime` turns it
/// into an HTTP status and a gRPC code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// What the caller sent breaks a rule of the contract.
    InvalidArgument,
    /// What the caller named does not exist.
    NotFound,
    /// The route exists, but not for this method.
    MethodNotAllowed,
    /// The message exceeds a size limit.
    TooLarge,
    /// The content type is none that is taken.
    UnsupportedMediaType,
    /// The content is encoded in a way that is not taken.
    UnsupportedEncoding,
    /// The caller took too long to send its request.
    RequestTimeout,
    /// The request contradicts the present state.
    Conflict,
    /// A position beyond what exists.
    OutOfRange,
    /// A bounded resource is full; trying again later can succeed.
    ResourceExhausted,
    /// A dependency cannot be reached or the service is stopping; trying again later can succeed.
    Unavailable,
    /// Stored data is damaged.
    DataLoss,
    /// A failure of the service itself.
    Internal,
    /// Nothing valid says who is calling.
    Unauthenticated,
    /// The caller is known and lacks a right for this; also where what it named does not exist.
    PermissionDenied,
    /// The caller asks for more than its limit; trying again later can succeed.
    RateLimited,
}

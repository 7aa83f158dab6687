//! Connections, the same for every port of a process: how many there may be, how long each may take for what, and
//! what happens when there are too many.
//!
//! - [`ConnectionConfig`], [`GrpcConnectionConfig`] (`settings`): the settings, and the [`ConnectionPolicy`] made of them
//! - [`Connections`] (`table`): all that are open, over all ports; [`Port`]: those of one server
//! - [`Seat`] (`seat`): what is known of one connection; [`Busy`]: a request that it has in flight
//! - [`Connection`] (`stream`): an accepted connection as servers read and write it; `upgrade`: offers that it leaves out;
//!   `frames`: how many control frames an HTTP/2 client sends; `malformed`: the answer to a head that cannot be taken
//! - [`Unfinished`] (`unfinished`): bodies that have not come whole; [`Body`]: one of them
//!   `given_back`: the memory of large ones
//! - [`Transport`] (`transport`): what carries its bytes
//! - [`Door`] (`door`): TLS, and who the client is

mod door;
mod frames;
mod given_back;
mod malformed;
mod seat;
mod settings;
mod stream;
mod table;
mod transport;
mod unfinished;
mod upgrade;

pub use door::{Door, Peer};
pub use seat::{Busy, Seat};
pub use settings::{ConnectionConfig, ConnectionPolicy, GrpcConnectionConfig};
pub use stream::Connection;
pub use table::{Connections, Port, PortKind, Requests, Seated};
pub use transport::Transport;
pub use unfinished::{Body, Full, Unfinished};

//! What the tonic faces have in common.
//!
//! - [`serve`] (`server`): the one place where a gRPC server is built and served
//! - `call`: around every call: counted, timed, named, ended at its deadline; `deadline`: what the client said
//! - `admission`: whether a call may be made
//! - [`connect`] (the crate `service-client`): channels of our own clients
//! - `inbound`: messages on their way in; `framing`: where they begin and end
//! - `first`: the calls of one service go straight to it; `restate`: two statuses that tonic words otherwise
//! - [`Direct`] (`unary`): one method of a generated service, straight from the bytes of its call
//! - [`health_and_reflection`] (`standard`): the services that every server offers

mod admission;
mod call;
mod deadline;
mod first;
mod framing;
mod inbound;
mod restate;
mod server;
mod standard;
mod unary;

pub use restate::stream_status;
pub use server::{CONNECTION_WINDOW, Face, STREAM_WINDOW, serve};
pub use service_client::{ClientChannel, Token, connect};
pub use standard::{GrpcHealth, Services, Standard, health_and_reflection};
pub use unary::{Direct, Unary};

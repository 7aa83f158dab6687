//! What both programs share: what an event is ([`event`]), how it is stored ([`store`]), the life of the process ([`service`]).

pub mod event;
pub mod service;
pub mod store;

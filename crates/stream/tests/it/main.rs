//! stream as a process, on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

//ASK
mod client;
//CROWD
//DB
//FACES
//NUM
mod reading;
//STOP
mod support;

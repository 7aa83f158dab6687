//! sink as a process, between real Kafka brokers and a real PostgreSQL.

mod apart;
mod kills;
mod letters;
mod limits;
mod remade;
mod support;

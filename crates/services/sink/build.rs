//! Rebuilds when a migration is added: without this a new file is silently not embedded.
fn main() {
    println!("cargo::rerun-if-changed=../../../postgres/migrations/sink");
}

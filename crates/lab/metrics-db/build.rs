//! Without this line a new migration would not be embedded until some Rust file changes.

fn main() {
    println!("cargo::rerun-if-changed=../../../load-test/shared/migrations");
}

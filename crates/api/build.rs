//! Compiles `proto/` in-process (no system protoc) and keeps the descriptors for server reflection.

use std::path::PathBuf;
use std::{env, error::Error, fs};

const FILES: [&str; 4] = [
    "event_service.proto",
    "benchmark.proto",
    "takhin.proto",
    "immutable_log.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());

    let mut compiler = protox::Compiler::new([&root])?;
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(FILES)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;

    tonic_prost_build::configure()
        // Sorted, so that the first of several faulty attributes is always the same one.
        .btree_map(".com.example.grpc")
        // Record keys and values go from the network to the disk and back without a copy.
        .bytes(".takhin.v1")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

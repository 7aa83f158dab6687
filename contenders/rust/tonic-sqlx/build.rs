//! Generates the messages and the service of the wire contract, which all implementations share.

use std::path::PathBuf;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=PROTO_DIR");
    let protos = match env::var_os("PROTO_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../../proto"),
    };
    println!("cargo::rerun-if-changed={}", protos.display());
    let mut compiler = protox::Compiler::new([&protos])?;
    compiler
        .include_imports(true)
        .open_file("event_service.proto")?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    tonic_prost_build::configure()
        .build_client(false)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

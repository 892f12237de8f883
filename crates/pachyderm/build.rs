//! Makes the messages and the client of Pachyderm from `proto/`; the server is for
//! tests.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(["pfs.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .disable_comments(["."])
        .compile_fds(descriptors)?;
    Ok(())
}

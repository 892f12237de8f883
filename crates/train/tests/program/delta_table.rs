//! `mode: delta` on a table: a second commit continues the linear model of the first.

use std::fmt::Write;
use std::fs;

use crate::common::{Noise, Pfs, VERSION, either_csv, likeliest, predict, table};
use model::{Cell, ColumnKind, Package};

const WITH: [&str; 4] = [
    "--config",
    "/pfs/experiment.yaml",
    "--last-model",
    "/pfs/last",
];

/// Sixty rows: the class is told by the sign of x, and z is noise.
fn first(settings: &str) -> Pfs {
    let mut noise = Noise::new(3);
    let mut csv = "x,z,kind,y\n".to_owned();
    for row in 0..60 {
        let (sign, class) = [(-1.0, "p"), (1.0, "q")][row % 2];
        let x = sign * (1.0 + noise.uniform());
        writeln!(
            csv,
            "{x},{},{},{class}",
            noise.normal(),
            ["a", "b"][row % 3 % 2]
        )
        .unwrap();
    }
    Pfs::new()
        .file("data/first.csv", csv)
        .file("experiment.yaml", settings)
}

/// Twenty rows of a new class, of a new kind.
fn second(pfs: Pfs) -> Pfs {
    let mut noise = Noise::new(4);
    let mut csv = "x,z,kind,y\n".to_owned();
    for _ in 0..20 {
        writeln!(csv, "{},{},c,r", 0.2 * noise.normal(), noise.normal()).unwrap();
    }
    pfs.keep_as_last().file("data/second.csv", csv)
}

fn class(package: &Package, x: f64, kind: &str) -> String {
    let row = vec![Cell::Number(x), Cell::Number(0.0), Cell::Text(kind)];
    let scores = predict(package, &[row]).remove(0);
    likeliest(package, &scores)
}

#[test]
fn a_new_class_is_learned_and_the_old_ones_are_not_forgotten() {
    let pfs = first("mode: delta\nkeep: 0.2\n");
    let (_, said) = pfs.train(&WITH);
    assert!(said.contains("there is no last model"), "{said}");
    assert!(!said.contains("tree"), "{said}");
    let before = pfs.package().manifest;

    let pfs = second(pfs);
    let (_, said) = pfs.train(&WITH);
    assert!(
        said.contains(&format!("1 file new since {VERSION}")),
        "{said}"
    );
    assert!(
        said.contains("20 new rows, and again from 12 of 60 old ones"),
        "{said}"
    );
    let package = pfs.package();
    assert_eq!(package.manifest.labels, ["p", "q", "r"]);
    for (x, kind, expected) in [(-1.5, "a", "p"), (1.5, "b", "q"), (0.0, "c", "r")] {
        assert_eq!(class(&package, x, kind), expected);
    }
    let base = package.manifest.provenance.base.as_ref().unwrap();
    assert_eq!(
        (&base.version, base.digest),
        (&before.version, before.digest)
    );
    // The list is of the whole commit: the next delta starts from there.
    assert_eq!(package.manifest.provenance.data_file_count(), 2);
}

/// The new rows alone would say that everything is of their class.
#[test]
fn without_old_rows_the_model_stays_near_the_last_one() {
    let pfs = first("mode: delta\nkeep: 0\n");
    pfs.train(&WITH);
    let pfs = second(pfs);
    let (_, said) = pfs.train(&WITH);
    assert!(said.contains("again from 0 of 60 old ones"), "{said}");
    let package = pfs.package();
    assert_eq!(class(&package, -1.5, "a"), "p");
    assert_eq!(class(&package, 1.5, "b"), "q");
    assert_eq!(class(&package, 0.0, "c"), "r");
}

/// The first rows tell what z is worth, the second ones, in which it is always the same,
/// what x is worth now.
#[test]
fn a_regression_keeps_what_the_new_rows_do_not_tell() {
    let mut noise = Noise::new(5);
    let mut rows = |slope: f64, z: Option<f64>| {
        let mut csv = "x,z,y\n".to_owned();
        for _ in 0..80 {
            let (x, z) = (noise.normal(), z.unwrap_or_else(|| noise.normal()));
            writeln!(csv, "{x},{z},{}", slope * x + 5.0 * z).unwrap();
        }
        csv
    };
    let settings = "mode: delta\nkeep: 0\nhyperparameters: {l2: 0.01}\n";
    let pfs = Pfs::new()
        .file("data/first.csv", rows(1.0, None))
        .file("experiment.yaml", settings);
    pfs.train(&WITH);
    let pfs = pfs
        .keep_as_last()
        .file("data/second.csv", rows(2.0, Some(1.0)));
    pfs.train(&WITH);
    let row = |x: f64, z: f64| vec![Cell::Number(x), Cell::Number(z)];
    let said = predict(&pfs.package(), &[row(1.0, 1.0), row(1.0, -1.0)]);
    assert!((said[0][0] - 7.0).abs() < 0.1, "{said:?}");
    assert!((said[1][0] + 3.0).abs() < 0.1, "{said:?}");
}

/// The second commit has none of the first one's gaps, not all of its categories, one
/// column that does not vary in it and lacks another; its columns lie otherwise.
#[test]
fn what_the_last_model_took_is_taken_still() {
    let mut noise = Noise::new(6);
    let (mut first, mut second) = ("x,c,z,g,y\n".to_owned(), "new,c,z,x,y\n".to_owned());
    for row in 0..60 {
        let class = ["p", "q"][row % 2];
        // Its median is 0, whichever rows are held out.
        let x = ["", "0", "1", "0", "-1", "0", "0", "1"][row % 8];
        let c = ["u", "v"][usize::from(row % 2 == usize::from(row % 7 != 0))];
        writeln!(
            first,
            "{x},{c},{:.3},{:.3},{class}",
            noise.normal(),
            noise.normal()
        )
        .unwrap();
        let c = ["u", "w"][row / 2 % 2];
        let (n, x) = (noise.normal(), noise.normal());
        writeln!(second, "{n:.3},{c},1.5,{x:.3},{class}").unwrap();
    }
    let pfs = Pfs::new()
        .file("data/a.csv", first)
        .file("experiment.yaml", "mode: delta\n");
    pfs.train(&WITH);
    let before = pfs.package();
    let pfs = pfs.keep_as_last().file("data/b.csv", second);
    fs::remove_file(pfs.path().join("data/a.csv")).unwrap();
    let (_, said) = pfs.train(&WITH);
    assert!(said.contains("the data has no column \"g\""), "{said}");
    let package = pfs.package();
    let columns = &table(&package).columns;
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["x", "c", "z", "g", "new"]);
    assert!(columns[0].missing && !columns[2].missing && columns[3].missing);
    let categories = ["u", "v", "w"].map(str::to_owned).to_vec();
    assert_eq!(columns[1].kind, ColumnKind::Categorical { categories });

    // What a gap says beside the median, and a category, of which the second commit
    // tells nothing: the one is as before, the other still tells the class.
    let odds = |package: &Package, x: Cell<'static>| {
        let mut row = vec![x, Cell::Text("v"), Cell::Number(1.5), Cell::Number(0.0)];
        row.extend((table(package).columns.len() > 4).then_some(Cell::Number(0.0)));
        let said = predict(package, &[row]).remove(0);
        (said[0] / said[1]).ln()
    };
    let gap = |package| odds(package, Cell::Missing) - odds(package, Cell::Number(0.0));
    assert!((gap(&before) - gap(&package)).abs() < 1e-4);
    assert!(gap(&before).abs() > 0.01);
    let plain = |package| odds(package, Cell::Number(0.0));
    assert!(plain(&before) < -0.5 && plain(&package) < -0.5);
}

#[test]
fn a_text_in_a_column_of_numbers_ends_a_delta() {
    let pfs = first("mode: delta\n");
    pfs.train(&WITH);
    let pfs = pfs
        .keep_as_last()
        .file("data/second.csv", "x,z,kind,y\n1,high,a,p\n");
    let error = pfs.refused(&WITH);
    assert!(
        error.starts_with(
            "data/second.csv:2: column \"z\" holds \"high\", and the last model takes numbers there"
        ),
        "{error}"
    );
    let pfs = pfs.file("experiment.yaml", "mode: delta\ncategorical: [x]\n");
    let error = pfs.refused(&WITH);
    assert!(
        error.contains("takes numbers in the column \"x\""),
        "{error}"
    );
}

#[test]
fn a_delta_is_made_again_with_the_model_that_it_continues() {
    let pfs = first("mode: delta\n");
    pfs.train(&WITH);
    let (status, _, said) = pfs.verify(&[]);
    assert_eq!(status, Some(0), "the first continues none: {said}");
    let pfs = second(pfs);
    pfs.train(&WITH);
    let (status, _, said) = pfs.verify(&["--last-model", "/pfs/last"]);
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn the_last_model_may_be_an_output_folder() {
    let pfs = first("mode: delta\n");
    fs::create_dir(pfs.path().join("last")).unwrap();
    let (_, said) = pfs.train(&WITH);
    assert!(
        said.contains("there is no last model in /pfs/last"),
        "{said}"
    );
    fs::rename(pfs.out().join("model"), pfs.path().join("last/model")).unwrap();
    fs::remove_file(pfs.out().join("model-info.yaml")).unwrap();
    let (_, said) = pfs.train(&WITH);
    assert!(
        said.contains(&format!("no file is new since {VERSION}")),
        "{said}"
    );
    let half = first("mode: delta\n").file("last/model/model.onnx", "");
    let error = half.refused(&WITH);
    assert!(error.contains("cannot continue the last model"), "{error}");
}

#[test]
fn what_cannot_be_continued_is_refused() {
    let trees = Pfs::new()
        .file("data/first.csv", either_csv())
        .file("experiment.yaml", "");
    trees.train(&WITH);
    let more = either_csv().replace("yes", "no");
    let trees = trees
        .keep_as_last()
        .file("data/second.csv", more)
        .file("experiment.yaml", "mode: delta\n");
    let error = trees.refused(&WITH);
    assert!(
        error.contains("is not linear, and only a linear one"),
        "{error}"
    );

    let other = first("mode: delta\n");
    other.train(&WITH);
    let other = second(other).file("experiment.yaml", "mode: delta\ntarget: kind\n");
    let error = other.refused(&WITH);
    assert!(
        error.contains("predicts classes of \"y\", and this one is to predict classes of \"kind\""),
        "{error}"
    );

    let unknown = first("mode: delta\n");
    unknown.train(&WITH);
    let unknown = unknown
        .keep_as_last()
        .file("data/second.csv", "x,z,kind,y\n1,2,a,\n");
    let error = unknown.refused(&WITH);
    assert!(error.contains("no row with a value of \"y\""), "{error}");

    let none = first("mode: delta\nsearch: {models: [trees]}\n");
    assert!(none.refused(&WITH).contains("continues a linear model"));
}

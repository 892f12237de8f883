//! Tables of many kinds, trained by the real program.

use std::fmt::Write;

use crate::common::{Noise, Pfs, either_csv, mixed_csv, predict, regression_csv, table};
use model::{Cell, Column, ColumnKind, Inventory, Task};

#[test]
fn nested_files_in_any_column_order_are_one_table() {
    let pfs = Pfs::new()
        .file("data/2024/01/a.csv", "x,y\n1,p\n2,p\n8,q\n9,q\n")
        .file("data/2024/b.CSV", "y,x\r\np,1.5\r\nq,8.5\r\n")
        .file("data/notes.txt", "not data");
    let (_, talk) = pfs.train(&[]);
    assert!(
        talk.contains("read 6 rows of 2 columns from 2 CSV files"),
        "{talk}"
    );
    assert!(
        talk.contains("left out the file notes.txt, which is not CSV"),
        "{talk}"
    );
    let data = Inventory::read(&pfs.out().join("model/data.sha256")).unwrap();
    assert_eq!(
        data.0.keys().collect::<Vec<_>>(),
        ["2024/01/a.csv", "2024/b.CSV"]
    );
}

#[cfg(unix)]
#[test]
fn the_input_and_the_output_may_be_links_as_in_a_worker() {
    let pfs = Pfs::iris();
    for name in ["data", "out"] {
        let scratch = pfs.path().join(format!("scratch-{name}"));
        std::fs::rename(pfs.path().join(name), &scratch).unwrap();
        std::os::unix::fs::symlink(scratch, pfs.path().join(name)).unwrap();
    }
    pfs.train(&[]);
    assert!(pfs.package().manifest.metrics["accuracy"] >= 0.93);
}

#[test]
fn a_regression_predicts_in_the_units_of_its_target() {
    let pfs = Pfs::with_csv(regression_csv());
    pfs.train(&[]);
    let metrics = pfs.metrics();
    assert_eq!(metrics["task"], "regression");
    assert!(metrics["r2"].as_f64().unwrap() > 0.99, "{metrics}");
    let package = pfs.package();
    assert_eq!(
        (package.manifest.task, package.manifest.labels.len()),
        (Task::Regression, 0)
    );
    let row = vec![Cell::Number(10.0), Cell::Number(0.5), Cell::Text("q")];
    let predicted = f64::from(predict(&package, &[row])[0][0]);
    assert!((predicted - 44.0).abs() < 1.0, "{predicted}");
    assert!(pfs.report().contains("Predicted against actual"));
}

#[test]
fn categories_and_missing_values_are_learned_and_served() {
    let pfs = Pfs::with_csv(mixed_csv());
    pfs.train(&[]);
    let package = pfs.package();
    let categories = ["blue", "green", "red"].map(str::to_owned).to_vec();
    let expected = [
        Column {
            name: "size".to_owned(),
            kind: ColumnKind::Numeric,
            missing: true,
        },
        Column {
            name: "colour".to_owned(),
            kind: ColumnKind::Categorical { categories },
            missing: true,
        },
    ];
    assert_eq!(table(&package).columns, expected);
    let rows = [
        vec![Cell::Number(5.0), Cell::Text("blue")],
        vec![Cell::Missing, Cell::Text("blue")],
        vec![Cell::Number(-1.0), Cell::Missing],
        vec![Cell::Missing, Cell::Missing],
    ];
    let outputs = predict(&package, &rows);
    assert!(
        outputs[0][0] > 0.95 && outputs[1][0] > 0.75 && outputs[2][1] > 0.75,
        "{outputs:?}"
    );
    assert!((0.2..0.8).contains(&outputs[3][0]), "{outputs:?}");
    assert!(pfs.metrics()["accuracy"].as_f64().unwrap() > 0.85);
}

#[test]
fn absurd_values_still_give_probabilities() {
    let pfs = Pfs::iris();
    pfs.train(&[]);
    let rows = [
        vec![Cell::Number(3e38); 4],
        vec![Cell::Number(-3e38); 4],
        vec![Cell::Number(1e-38); 4],
    ];
    for probabilities in predict(&pfs.package(), &rows) {
        assert!(
            (probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5,
            "{probabilities:?}"
        );
    }
}

#[test]
fn balanced_weights_find_the_rare_class() {
    let mut noise = Noise::new(3);
    let mut csv = "a,y\n".to_owned();
    for row in 0..1000 {
        let rare = row % 50 == 0;
        writeln!(
            csv,
            "{:.3},{}",
            noise.normal() + if rare { 1.5 } else { 0.0 },
            if rare { "rare" } else { "usual" }
        )
        .unwrap();
    }
    let recall = |settings: &str| {
        let pfs = Pfs::with_csv(&csv).file("e.yaml", settings);
        let (_, talk) = pfs.train(&["--config", "/pfs/e.yaml"]);
        (
            pfs.metrics()["classes"][0]["recall"].as_f64().unwrap(),
            talk,
        )
    };
    let (plain, talk) = recall("");
    assert!(talk.contains("class_weights: balanced"), "{talk}");
    let (balanced, _) = recall("hyperparameters: {class_weights: balanced}");
    assert!(
        plain + 0.25 < balanced && balanced >= 0.75,
        "{plain} {balanced}"
    );
}

#[test]
fn classes_seen_once_are_learned_and_told() {
    let mut csv = "a,y\n".to_owned();
    for row in 0..20 {
        writeln!(csv, "{row},{}", if row < 10 { "low" } else { "high" }).unwrap();
    }
    csv += "100,lone\n";
    let pfs = Pfs::with_csv(csv);
    let (_, talk) = pfs.train(&[]);
    assert!(
        talk.contains("the class \"lone\" has one row: it is learned from, and cannot be measured"),
        "{talk}"
    );
    assert!(pfs.report().contains("with a single row"));
    let lone = &pfs.metrics()["classes"][1];
    assert_eq!(
        (&lone["label"], &lone["support"], &lone["training_rows"]),
        (&"lone".into(), &0.into(), &1.into())
    );
    assert_eq!(lone["recall"], serde_json::Value::Null);
    assert_eq!(pfs.package().manifest.labels, ["high", "lone", "low"]);
}

/// Forty rows of noise with classes of chance, each four times.
#[test]
fn copies_of_rows_do_not_measure_what_was_learned_by_heart() {
    let mut noise = Noise::new(11);
    let rows: Vec<String> = (0..40)
        .map(|_| {
            let class = if noise.uniform() < 0.5 { "p" } else { "q" };
            format!("{:.5},{:.5},{class}\n", noise.normal(), noise.normal())
        })
        .collect();
    let pfs = Pfs::with_csv("x,z,y\n".to_owned() + &rows.concat().repeat(4));
    let (_, talk) = pfs.train(&[]);
    assert!(
        talk.contains("160 rows equal others in all columns: they stay on one side of the split"),
        "{talk}"
    );
    let metrics = pfs.metrics();
    assert!(metrics["accuracy"].as_f64().unwrap() < 0.8, "{metrics}");
    let held_out = metrics["held_out_rows"].as_u64().unwrap();
    assert!(
        held_out.is_multiple_of(4) && (28..=36).contains(&held_out),
        "{held_out}"
    );
    // The parts of the cross-validation hold no copies of what was learned, either.
    let loss = talk
        .split("loss ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(loss.parse::<f64>().unwrap() > 0.6, "{talk}");
    let tried = talk
        .split("linear model, ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next();
    assert!(tried.unwrap().parse::<f64>().unwrap() > 0.6, "{talk}");
}

/// Where nearly all rows that there can be are there, equal ones are no copies.
#[test]
fn a_table_of_few_different_rows_still_trains() {
    let mut csv = "a,b,y\n".to_owned();
    for row in 0..200 {
        let (a, b) = (row % 2, row / 2 % 2);
        writeln!(csv, "{a},{b},{}", ["no", "yes"][a & b]).unwrap();
    }
    let pfs = Pfs::with_csv(csv);
    let (_, talk) = pfs.train(&[]);
    assert!(
        talk.contains("196 rows equal others as there are few values that they could have"),
        "{talk}"
    );
    assert_eq!(pfs.metrics()["accuracy"], 1.0);
}

/// 300 rows of thirty numbers, of which one tells the class in three of four.
fn doubtful_csv() -> String {
    let mut noise = Noise::new(21);
    let names: Vec<String> = (0..30).map(|n| format!("x{n}")).collect();
    let mut csv = names.join(",") + ",y\n";
    for _ in 0..300 {
        let row: Vec<f64> = (0..30).map(|_| noise.normal()).collect();
        let class = (row[0] > 0.0) != (noise.uniform() < 0.25);
        let row: Vec<String> = row.iter().map(|x| format!("{x:.4}")).collect();
        writeln!(csv, "{},{}", row.join(","), ["p", "q"][usize::from(class)]).unwrap();
    }
    csv
}

/// A model that hardly anything holds is much too sure of itself.
#[test]
fn probabilities_of_a_table_mean_what_they_say() {
    let settings = "search: {models: [linear]}\nhyperparameters: {l2: 0.001}\n";
    let pfs = Pfs::with_csv(doubtful_csv()).file("e.yaml", settings);
    let (_, talk) = pfs.train(&["--config", "/pfs/e.yaml"]);
    let metrics = pfs.metrics();
    let of = |key: &str| metrics["calibration"][key].as_f64().unwrap();
    let temperature = of("temperature");
    assert!(temperature > 1.3, "{metrics}");
    let line = format!("divided the scores by the temperature {temperature:.3}");
    assert!(talk.contains(&line), "{talk}");
    assert!(
        of("expected_error") < of("expected_error_before"),
        "{metrics}"
    );
    assert!(
        pfs.report()
            .contains("The scores were divided by the temperature")
    );
}

#[test]
fn penalties_and_parts_that_are_listed_are_tried() {
    let train = |settings: &str| {
        let pfs = Pfs::with_csv(doubtful_csv()).file("e.yaml", settings);
        let (_, talk) = pfs.train(&["--config", "/pfs/e.yaml"]);
        (talk, pfs.metrics()["log_loss"].as_f64().unwrap())
    };
    let compared = |talk: &str| {
        let lines = talk
            .lines()
            .filter(|line| line.contains("cross-validation: "));
        lines.collect::<Vec<_>>().join("\n")
    };
    let (loose, worse) = train("hyperparameters: {l2: 0.001}\nsearch: {models: [linear]}\n");
    assert!(!loose.contains("tried the linear"), "{loose}");
    let (both, better) = train("search: {l2: [0.001, 100], models: [linear]}\n");
    for l2 in ["0.001", "100"] {
        assert!(
            both.contains(&format!("tried the linear model with l2 {l2}: loss 0.")),
            "{both}"
        );
    }
    assert!(better < worse, "{better} {worse}");
    let (held, as_well) = train("hyperparameters: {l2: 100}\nsearch: {models: [linear]}\n");
    assert_eq!(better, as_well, "{held}");
    let [three, five] = [3, 5].map(|folds| train(&format!("search: {{folds: {folds}}}\n")).0);
    assert_ne!(compared(&three), compared(&five));
}

/// Tables on which a fit can fail: each must train, with finite figures.
#[test]
fn nasty_tables_train() {
    let mut noise = Noise::new(1);
    let mut lines =
        |header: &str, rows: usize, line: &mut dyn FnMut(usize, &mut Noise) -> String| {
            let rows: Vec<String> = (0..rows).map(|row| line(row, &mut noise)).collect();
            format!("{header}\n{}\n", rows.join("\n"))
        };
    let pq = |row: usize| ["p", "q"][row % 2];
    let tables = [
        (
            "separable",
            lines("a,y", 60, &mut |r, _| {
                format!("{r},{}", pq(usize::from(r < 30)))
            }),
        ),
        (
            "collinear",
            lines("a,b,c,y", 60, &mut |r, _| {
                format!("{r},{},-{r},{}", 2 * r, pq(r / 3))
            }),
        ),
        (
            "scale",
            lines("a,b,y", 60, &mut |r, n| {
                format!(
                    "{:e},{:e},{}",
                    1e12 * n.normal(),
                    1e12 + 1e9 * n.normal(),
                    pq(r)
                )
            }),
        ),
        (
            "outliers",
            lines("a,y", 200, &mut |r, n| {
                format!(
                    "{:e},{}",
                    n.normal() * if r % 97 == 0 { 1e9 } else { 1.0 },
                    pq(r / 2)
                )
            }),
        ),
        (
            "extremes",
            lines("a,y", 40, &mut |r, _| {
                format!("{},{}", ["3e38", "-3e38"][r % 2], pq(r))
            }),
        ),
        (
            "categories",
            lines("c,y", 330, &mut |r, _| {
                format!("c{},{}", r % 150, pq(r % 150 / 3))
            }),
        ),
        ("three rows", "a,y\n1,p\n2,p\n3,q\n".to_owned()),
        (
            "gaps",
            lines("a,y", 60, &mut |r, _| {
                format!("{},{}", ["5", ""][r % 2], pq(r))
            }),
        ),
    ];
    for (name, csv) in tables {
        for settings in ["", "hyperparameters: {l2: 0}"] {
            let pfs = Pfs::with_csv(&csv).file("e.yaml", settings);
            pfs.train(&["--config", "/pfs/e.yaml"]);
            let metrics = &pfs.package().manifest.metrics;
            assert!(
                metrics.values().all(|value| value.is_finite()),
                "{name} {settings}: {metrics:?}"
            );
        }
    }
}

#[test]
fn useless_columns_are_left_out_and_told() {
    let mut csv = "id,same,x,y\n".to_owned();
    for row in 0..30 {
        writeln!(csv, "{row},1,{},{}", row % 7, row % 2).unwrap();
    }
    let pfs = Pfs::with_csv(csv);
    let (_, talk) = pfs.train(&[]);
    assert!(
        talk.contains("warning: left out the column \"id\": it numbers the rows"),
        "{talk}"
    );
    assert!(
        talk.contains("left out the column \"same\": it has the value \"1\" in every row"),
        "{talk}"
    );
    assert_eq!(table(&pfs.package()).names(), "x");
    assert!(pfs.report().contains("it numbers the rows"));
}

#[test]
fn what_no_line_tells_is_told_by_trees() {
    let pfs = Pfs::with_csv(either_csv());
    let (_, talk) = pfs.train(&[]);
    assert!(
        talk.contains("fitted") && talk.contains("boosted tree"),
        "{talk}"
    );
    let metrics = pfs.metrics();
    assert!(metrics["accuracy"].as_f64().unwrap() >= 0.95, "{metrics}");
    let package = pfs.package();
    let no = package
        .manifest
        .labels
        .iter()
        .position(|l| l == "no")
        .unwrap();
    let row = |x: f64, kind| vec![Cell::Number(x), Cell::Text(kind)];
    let said = predict(&package, &[row(90.0, "a"), row(90.0, "b"), row(10.0, "b")]);
    assert!(
        said[0][no] < 0.3 && said[1][no] > 0.7 && said[2][no] < 0.3,
        "{said:?}"
    );
    assert!(pfs.report().contains("boosted trees (published)"));

    let pfs = Pfs::with_csv(either_csv()).file("e.yaml", "search: {models: [linear]}\n");
    let (_, talk) = pfs.train(&["--config", "/pfs/e.yaml"]);
    assert!(!talk.contains("tree"), "{talk}");
    assert!(pfs.metrics()["accuracy"].as_f64().unwrap() < 0.8);
}

//! A reference through its file, and windows against it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use monitor::{Kind, Measure, Reference, ReferenceError, Scorer, Values, Window};

fn features() -> [(String, Kind); 2] {
    [
        ("age".to_owned(), Kind::Numeric),
        ("city".to_owned(), Kind::Categorical(3)),
    ]
}

/// Ages 0 to 99, one in ten without; cities in turn.
fn rows() -> Vec<f32> {
    let row = |at: u8| {
        let age = if at % 10 == 9 {
            f32::NAN
        } else {
            f32::from(at)
        };
        [age, f32::from(at % 3)]
    };
    (0..100).flat_map(row).collect()
}

fn reference() -> Reference {
    Reference::describe(&features(), Measure::Highest, &rows())
}

#[test]
fn a_reference_counts_every_row_once() {
    let reference = reference();
    let [age, city] = &reference.features[..] else {
        panic!("two features");
    };
    assert_eq!((reference.rows, age.missing, city.missing), (100, 10, 0));
    let Values::Numeric { bounds, counts, .. } = &age.values else {
        panic!("numbers");
    };
    assert_eq!(
        (bounds.len(), counts.as_slice()),
        (9, &[10, 9, 9, 9, 9, 9, 9, 9, 9, 8][..])
    );
    let counts = vec![34, 33, 33];
    assert_eq!(city.values, Values::Categorical { counts });
}

#[test]
fn a_constant_has_one_bin_and_ties_have_no_empty_ones() {
    let features = ["same", "tied"].map(|name| (name.to_owned(), Kind::Numeric));
    let rows = (0..50_u8).flat_map(|at| [1.0, if at < 40 { 0.0 } else { f32::from(at) }]);
    let reference = Reference::describe(&features, Measure::Highest, &rows.collect::<Vec<_>>());
    let of = |at: usize| match &reference.features[at].values {
        Values::Numeric { bounds, counts, .. } => (bounds.clone(), counts.clone()),
        Values::Categorical { .. } => panic!("numbers"),
    };
    assert_eq!(of(0), (vec![], vec![50]));
    assert_eq!(of(1), (vec![0.0, 40.0, 45.0], vec![40, 1, 5, 4]));
}

#[test]
fn the_file_holds_all_of_it() {
    let reference = reference();
    let file = reference.write().unwrap();
    assert_eq!(Reference::read(&file).unwrap(), reference);
}

#[test]
fn a_file_that_contradicts_itself_is_refused() {
    let file = String::from_utf8(reference().write().unwrap()).unwrap();
    let broken = |from: &str, to: &str| {
        assert!(file.contains(from), "{file}");
        Reference::read(file.replacen(from, to, 1).as_bytes()).unwrap_err()
    };
    let error = broken("\"rows\":100", "\"rows\":101").to_string();
    assert_eq!(
        error,
        "feature \"age\": its counts do not add up to the rows"
    );
    let error = broken("\"counts\":[10,9,", "\"counts\":[19,").to_string();
    assert_eq!(
        error,
        "feature \"age\": it has not one bin more than bounds"
    );
    assert!(matches!(
        broken("\"rows\"", "\"row\""),
        ReferenceError::Json(_)
    ));
}

#[test]
fn the_training_rows_have_not_drifted_and_hardly_an_outlier() {
    let (reference, rows) = (reference(), rows());
    let mut window = Window::new(&reference);
    rows.chunks(2).for_each(|row| window.add(&reference, row));
    let drift = window.test(&reference, 0.05);
    assert_eq!(
        (drift.rows, drift.drifted, drift.p_value),
        (100, false, 1.0)
    );
    let scorer = Scorer::new(&reference);
    let above = |row: &&[f32]| f64::from(scorer.score(row)) > reference.threshold;
    assert!(rows.chunks(2).filter(above).count() <= 1);
}

#[test]
fn other_rows_have_drifted() {
    let reference = reference();
    // Old people; from a city that was not in training; and none with an age.
    for row in [[95.0, 1.0], [50.0, 3.0], [f32::NAN, 0.0]] {
        let mut window = Window::new(&reference);
        (0..30).for_each(|_| window.add(&reference, &row));
        let drift = window.test(&reference, 0.05);
        assert!(drift.drifted, "{row:?}: {drift:?}");
        assert!((drift.threshold - 0.025).abs() < 1e-12);
    }
    let empty = Window::new(&reference).test(&reference, 0.05);
    assert!(!empty.drifted && empty.rows == 0);
}

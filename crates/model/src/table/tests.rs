use super::*;

fn table() -> Table {
    let categories = vec!["blue".to_owned(), "red".to_owned()];
    let column = |name: &str, kind, missing| Column {
        name: name.to_owned(),
        kind,
        missing,
    };
    Table {
        columns: vec![
            column("length", ColumnKind::Numeric, true),
            column("colour", ColumnKind::Categorical { categories }, false),
        ],
    }
}

fn encode(row: &[Cell<'_>]) -> Result<Vec<f32>, String> {
    let mut out = Vec::new();
    match table().encode_row(row.iter().copied(), &mut out) {
        Ok(()) => Ok(out),
        Err(e) => Err(e.to_string()),
    }
}

#[test]
fn a_table_is_read_as_it_was_written() {
    let text = serde_json::to_string(&table()).unwrap();
    assert_eq!(serde_json::from_str::<Table>(&text).unwrap(), table());
}

#[test]
fn rows_become_numbers() {
    assert_eq!(
        encode(&[Cell::Number(1.5), Cell::Text("red")]),
        Ok(vec![1.5, 1.0])
    );
    let missing = encode(&[Cell::Missing, Cell::Text("blue")]).unwrap();
    assert!(missing[0].is_nan());
}

#[test]
fn every_refusal_says_what_to_do() {
    let refused = |row: &[Cell<'_>]| encode(row).unwrap_err();
    assert_eq!(
        refused(&[]),
        "got 0 values, the model takes 2: length, colour"
    );
    assert_eq!(
        refused(&[Cell::Text("1.5"), Cell::Text("red")]),
        "column \"length\" (value 1 of 2) wants a number, got the text \"1.5\""
    );
    assert_eq!(
        refused(&[Cell::Number(1.0), Cell::Text("green")]),
        "column \"colour\" (value 2 of 2) does not know the category \"green\"; \
         known are \"blue\", \"red\""
    );
    assert_eq!(
        refused(&[Cell::Number(1.0), Cell::Missing]),
        "column \"colour\" (value 2 of 2) wants a value: none was missing in the training data"
    );
    assert!(refused(&[Cell::Number(f64::NAN), Cell::Text("red")]).contains("finite"));
    assert!(refused(&[Cell::Number(1e300), Cell::Text("red")]).contains("1e300"));
}

#[test]
fn names_give_the_order() {
    let order = |names: &[&str]| table().order_of(names).map_err(|e| e.to_string());
    assert_eq!(order(&["colour", "length"]), Ok(vec![1, 0]));
    let error = |names: &[&str]| order(names).unwrap_err();
    assert_eq!(
        error(&["colour"]),
        "column \"length\" is missing; the model takes length, colour"
    );
    assert!(error(&["colour", "colour"]).contains("twice"));
    assert!(error(&["colour", "length", "weight"]).contains("unknown column \"weight\""));
}

#[test]
fn fields_of_a_file() {
    let [length, colour] = &table().columns[..] else {
        panic!()
    };
    assert_eq!(length.encode_field(" 2 "), Ok(2.0));
    assert!(length.encode_field("NA").unwrap().is_nan());
    assert_eq!(colour.encode_field("red"), Ok(1.0));
    assert_eq!(colour.encode_field("?"), Err(CellError::Missing));
    assert!(matches!(
        length.encode_field("x"),
        Err(CellError::NotANumber { .. })
    ));
}

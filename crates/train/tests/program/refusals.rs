//! Everything that is refused: with file and line, and nothing in `/pfs/out`.

use crate::common::Pfs;

fn refused(csv: &[u8]) -> String {
    Pfs::with_csv(csv).refused(&[])
}

fn refused_with(settings: &str, csv: &str) -> String {
    Pfs::with_csv(csv)
        .file("e.yaml", settings)
        .refused(&["--config", "/pfs/e.yaml"])
}

#[test]
fn data_that_is_no_table() {
    let cases: [(&[u8], &str); 8] = [
        (
            b"\x89PNG\r\n\x1a\n\0\0",
            "data/a.csv:3: is not a CSV file: it holds binary data",
        ),
        (
            b"x,y\n1,a\n2\n",
            "data/a.csv:3: got 1 fields, the header has 2",
        ),
        (
            b"x,y\n1,\xe9\n",
            "data/a.csv:2: is not UTF-8 text; save the file as \"CSV UTF-8\"",
        ),
        (
            b"x,x\n1,a\n",
            "data/a.csv:1: two columns have the name \"x\"",
        ),
        (
            b"x,y\n1,a\n2,\"b\n3,b\n",
            "data/a.csv:3: a quotation mark opens a field and none closes it: remove it, or add the other",
        ),
        (
            b"1,2\n3,4\n",
            "data/a.csv:1: the first line holds numbers: put the columns' names above it",
        ),
        (
            b"x,y\n",
            "there are no rows: 1 file and no line below the header",
        ),
        (
            b"",
            "there are no rows: 1 file and no line below the header",
        ),
    ];
    for (csv, error) in cases {
        assert_eq!(refused(csv), error);
    }
}

#[test]
fn values_that_cannot_be_learned() {
    assert_eq!(
        refused(b"x,y\n1,a\n2,b\ninf,a\n"),
        "data/a.csv:4: column \"x\" wants a finite number below 3.4e38, got inf"
    );
    assert_eq!(
        refused(b"x,y\n1,a\n1e40,b\n2,a\n"),
        "data/a.csv:3: column \"x\" wants a finite number below 3.4e38, got 1e40"
    );
    assert!(refused(b"x,y\n1,a\n2,a\n").ends_with("there is one class only, and nothing to learn"));
    assert!(refused(b"x,y\n1,a\n2,b\n").contains("every class is seen once only"));
    assert!(refused(b"x,y\n1,a\n1,b\n1,b\n").contains("there is no column to learn from"));
    assert!(refused(b"y\na\nb\nb\n").contains("the target is the only one"));
    assert_eq!(
        refused(b"x,y\n1,\n2,\n"),
        "the target column \"y\" has no values; `target` names another one than the last"
    );
}

#[test]
fn files_that_do_not_belong_together() {
    let pfs = Pfs::with_csv("x,y\n1,a\n").file("data/sub/b.csv", "x,z\n1,a\n");
    let error = pfs.refused(&[]);
    assert_eq!(
        error,
        "data/sub/b.csv:1: the column \"z\" is in no earlier file: they have x, y"
    );
}

#[test]
fn folders_that_are_not_there() {
    assert!(
        Pfs::new()
            .refused(&[])
            .contains("there is no *.csv or *.tsv file in the input data")
    );
    assert!(
        Pfs::iris()
            .refused(&["--input", "rows"])
            .contains("is the input's name right (--input)?")
    );
    let pfs = Pfs::iris();
    std::fs::remove_dir(pfs.out()).unwrap();
    let output = pfs.command().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        crate::common::texts(&output)
            .1
            .contains("there is no output folder")
    );
}

#[test]
fn settings_that_are_wrong() {
    let csv = "x,y\n1,a\n2,b\n3,a\n4,b\n";
    let error = refused_with("# first\nsplitt: 0.3\n", csv);
    assert!(
        error.ends_with("e.yaml:2: unknown key \"splitt\"; did you mean \"split\"?"),
        "{error}"
    );
    let error = refused_with("target: z\n", csv);
    assert!(
        error.contains("\"z\" under target") && error.ends_with("its columns are x, y"),
        "{error}"
    );
    let error = refused_with("split: 2\n", csv);
    assert!(
        error.ends_with("split is 2, wants a share between 0 and 1 such as 0.2"),
        "{error}"
    );
    assert!(
        refused_with("numeric: [y]\ntask: regression\n", csv)
            .contains("data/a.csv:2: the target \"a\"")
    );
    assert!(refused_with("split: [\n", csv).contains("e.yaml:"));
    let error = Pfs::with_csv(csv).refused(&["--config", "/pfs/none.yaml"]);
    assert!(
        error.starts_with("cannot read the experiment") && error.contains("none.yaml"),
        "{error}"
    );
}

#[test]
fn a_left_over_package_is_not_trusted() {
    let pfs = Pfs::iris().file("out/model/model.json", "{}");
    let output = pfs.command().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        crate::common::texts(&output)
            .1
            .contains("left over from a run that did not finish: remove it")
    );
}

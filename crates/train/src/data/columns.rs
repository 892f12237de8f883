//! Decides what each column is, and which columns are of no use.

use model::{Column, Table, is_missing};

use super::values::Values;
use super::{DataError, Texts, known};
use crate::experiment::{Experiment, nearest};

/// A column that the model does not take, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// The column's name.
    pub(crate) name: String,
    /// The reason, for people.
    pub(crate) reason: String,
    /// Whether the user may not expect it.
    pub(crate) surprising: bool,
}

/// A column of the model and its position in the texts.
pub(super) type Placed = (usize, Column);

/// Sorts the columns other than the one at `target` into those the model takes
/// and those it does not; it takes those of the table `continued` in any case.
pub(super) fn choose(
    texts: &Texts,
    target: usize,
    experiment: &Experiment,
    continued: Option<&Table>,
) -> Result<(Vec<Placed>, Vec<LeftOut>), DataError> {
    check_names(texts, experiment)?;
    let mut sorted = sort(texts, target, experiment, continued)?;
    if let Some(table) = continued {
        sorted.0 = known::merge(texts, (target, table), experiment, sorted.0)?;
    }
    match sorted.0.is_empty() {
        true => Err(nothing(&sorted.1)),
        false => Ok(sorted),
    }
}

fn sort(
    texts: &Texts,
    target: usize,
    experiment: &Experiment,
    continued: Option<&Table>,
) -> Result<(Vec<Placed>, Vec<LeftOut>), DataError> {
    let columns = continued.map_or(&[][..], |table| &table.columns);
    let mut taken = Vec::new();
    let mut left_out = Vec::new();
    for (position, name) in texts.names.iter().enumerate() {
        if position == target {
            continue;
        }
        let leave = |reason: &str, surprising| LeftOut {
            name: name.clone(),
            reason: reason.to_owned(),
            surprising,
        };
        if experiment.leave_out.contains(name) {
            left_out.push(leave("the experiment leaves it out", false));
            continue;
        }
        if columns.iter().any(|known| known.name == *name) {
            continue;
        }
        if name.is_empty() {
            return Err(DataError::Columns(format!(
                "column {} has no name in the header; name it, or leave it out with `leave_out: [\"\"]`",
                position + 1
            )));
        }
        match Values::of(texts, position).kind(texts, position, experiment)? {
            Ok(kind) => {
                let missing = texts.column(position).any(is_missing);
                taken.push((
                    position,
                    Column {
                        name: name.clone(),
                        kind,
                        missing,
                    },
                ));
            }
            Err(reason) => left_out.push(leave(&reason, true)),
        }
    }
    Ok((taken, left_out))
}

/// That no column is left.
pub(super) fn nothing(left_out: &[LeftOut]) -> DataError {
    let reasons: Vec<String> = left_out
        .iter()
        .map(|l| format!("{}: {}", l.name, l.reason))
        .collect();
    DataError::Columns(format!(
        "there is no column to learn from ({})",
        if reasons.is_empty() {
            "the target is the only one".to_owned()
        } else {
            reasons.join("; ")
        }
    ))
}

/// A column that a setting names and the data does not have is a typing error.
fn check_names(texts: &Texts, experiment: &Experiment) -> Result<(), DataError> {
    let settings = [
        ("leave_out", &experiment.leave_out),
        ("numeric", &experiment.numeric),
        ("categorical", &experiment.categorical),
    ];
    for (setting, names) in settings {
        if let Some(name) = names.iter().find(|name| !texts.names.contains(name)) {
            return Err(unknown_column(texts, setting, name));
        }
    }
    Ok(())
}

pub(super) fn unknown_column(texts: &Texts, setting: &str, name: &str) -> DataError {
    let names: Vec<&str> = texts.names.iter().map(String::as_str).collect();
    let hint = nearest(name, &names)
        .map(|n| format!("did you mean {n:?}? "))
        .unwrap_or_default();
    DataError::Columns(format!(
        "the experiment names the column {name:?} under {setting}, which the data does not have; \
         {hint}its columns are {}",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use model::ColumnKind;

    use super::*;
    use crate::data::read;

    fn chosen(csv: &str, experiment: &Experiment) -> Result<(Vec<Placed>, Vec<LeftOut>), String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.csv"), csv).unwrap();
        let texts = read(dir.path(), "data", None).unwrap();
        choose(&texts, texts.names.len() - 1, experiment, None).map_err(|e| e.to_string())
    }

    #[test]
    fn kinds_follow_the_values() {
        let csv = "n,c,m,y\n1,red,1.5,a\n2.5,blue,NA,b\n-3e2,red,,a\n";
        let (taken, left_out) = chosen(csv, &Experiment::default()).unwrap();
        assert!(left_out.is_empty());
        let kinds: Vec<_> = taken
            .iter()
            .map(|(_, c)| (c.kind.clone(), c.missing))
            .collect();
        let categories = vec!["blue".to_owned(), "red".to_owned()];
        assert_eq!(kinds[0], (ColumnKind::Numeric, false));
        assert_eq!(kinds[1], (ColumnKind::Categorical { categories }, false));
        assert_eq!(kinds[2], (ColumnKind::Numeric, true));
    }

    #[test]
    fn useless_columns_are_left_out_with_a_reason() {
        use std::fmt::Write;
        let mut csv = "id,same,none,key,x,y\n".to_owned();
        for row in 0..30 {
            writeln!(csv, "{row},k,,user-{row},{},{}", row % 7, row % 2).unwrap();
        }
        let (taken, left_out) = chosen(&csv, &Experiment::default()).unwrap();
        assert_eq!(taken.len(), 1);
        let reasons: Vec<_> = left_out
            .iter()
            .map(|l| (l.name.as_str(), l.reason.as_str()))
            .collect();
        assert_eq!(
            reasons[0],
            (
                "id",
                "it numbers the rows; list it under numeric to keep it"
            )
        );
        assert_eq!(reasons[1], ("same", "it has the value \"k\" in every row"));
        assert_eq!(reasons[2], ("none", "it has no values"));
        assert!(
            reasons[3]
                .1
                .starts_with("its 30 values are 30 different texts")
        );
        let keep = Experiment {
            numeric: vec!["id".to_owned()],
            categorical: vec!["key".to_owned()],
            ..Experiment::default()
        };
        assert_eq!(chosen(&csv, &keep).unwrap().0.len(), 3);
    }

    #[test]
    fn decimal_commas_are_called_so() {
        use std::fmt::Write;
        let mut csv = "x;z;y\n".to_owned();
        for row in 0..30 {
            writeln!(csv, "{row},05;{};{}", row % 7, row % 2).unwrap();
        }
        let (taken, left_out) = chosen(&csv, &Experiment::default()).unwrap();
        assert_eq!((taken.len(), left_out.len()), (1, 1));
        let reason = &left_out[0].reason;
        assert!(
            reason.contains("30 values are numbers with decimal commas"),
            "{reason}"
        );
    }

    #[test]
    fn a_mistyped_number_is_refused_with_its_line() {
        use std::fmt::Write;
        let mut csv = "x,y\n".to_owned();
        for row in 0..20 {
            let x = if row == 7 {
                "1o".to_owned()
            } else {
                row.to_string()
            };
            writeln!(csv, "{x},{}", row % 2).unwrap();
        }
        let error = chosen(&csv, &Experiment::default()).unwrap_err();
        assert!(
            error.starts_with("data/a.csv:9: column \"x\" holds \"1o\", but 19 of its 20 values"),
            "{error}"
        );
    }

    #[test]
    fn names_of_the_experiment_must_exist() {
        let experiment = Experiment {
            leave_out: vec!["lenght".to_owned()],
            ..Experiment::default()
        };
        let error = chosen("length,y\n1,2\n", &experiment).unwrap_err();
        assert!(
            error.contains("\"lenght\" under leave_out")
                && error.contains("did you mean \"length\"?"),
            "{error}"
        );
        let unnamed = chosen(",x,y\n0,1,2\n1,2,3\n", &Experiment::default()).unwrap_err();
        assert!(unnamed.contains("column 1 has no name"), "{unnamed}");
        assert!(
            chosen("x,y\n1,2\n1,3\n", &Experiment::default())
                .unwrap_err()
                .contains("no column to learn from")
        );
    }
}

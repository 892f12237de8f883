//! Decides what each column is, and which columns are of no use.

use std::collections::BTreeSet;

use model::{Column, ColumnKind, is_missing};

use super::{DataError, Texts};
use crate::experiment::{Experiment, nearest};

/// More categories than this are no category but a name, an address, a text.
const MOST_CATEGORIES: usize = 1000;

/// Up to so many categories are taken even where the table is short.
const FEW_CATEGORIES: usize = 10;

/// A column is meant to be numeric, with mistakes in it, where at least this
/// share of its values are numbers.
const MOSTLY: f64 = 0.9;

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
/// and those it does not.
pub(super) fn choose(
    texts: &Texts,
    target: usize,
    experiment: &Experiment,
) -> Result<(Vec<Placed>, Vec<LeftOut>), DataError> {
    check_names(texts, experiment)?;
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
    if taken.is_empty() {
        let reasons: Vec<String> = left_out
            .iter()
            .map(|l| format!("{}: {}", l.name, l.reason))
            .collect();
        return Err(DataError::Columns(format!(
            "there is no column to learn from ({})",
            if reasons.is_empty() {
                "the target is the only one".to_owned()
            } else {
                reasons.join("; ")
            }
        )));
    }
    Ok((taken, left_out))
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

/// What the present values of a column look like.
struct Values<'a> {
    present: usize,
    numbers: usize,
    distinct: BTreeSet<&'a str>,
}

impl<'a> Values<'a> {
    fn of(texts: &'a Texts, position: usize) -> Self {
        let mut values = Self {
            present: 0,
            numbers: 0,
            distinct: BTreeSet::new(),
        };
        for text in texts.column(position).filter(|text| !is_missing(text)) {
            values.present += 1;
            values.numbers += usize::from(text.parse::<f64>().is_ok());
            values.distinct.insert(text);
        }
        values
    }

    /// The column's kind; the inner error is a reason to leave it out.
    fn kind(
        self,
        texts: &Texts,
        position: usize,
        experiment: &Experiment,
    ) -> Result<Result<ColumnKind, String>, DataError> {
        let name = texts.names.get(position).map_or("", String::as_str);
        let listed = |names: &[String]| names.iter().any(|n| n == name);
        let (numeric, categorical) = (listed(&experiment.numeric), listed(&experiment.categorical));
        if let Some(reason) = self.constant(texts.rows.len()) {
            return Ok(Err(reason));
        }
        if numeric || (!categorical && self.numbers == self.present) {
            let id = !numeric && looks_like_id(name) && self.all_distinct_whole_numbers();
            return Ok(match id {
                true => Err("it numbers the rows; list it under numeric to keep it".to_owned()),
                false => Ok(ColumnKind::Numeric),
            });
        }
        if !categorical {
            self.refuse_mistyped(texts, position)?;
            if let Some(reason) = self.too_many() {
                return Ok(Err(reason));
            }
        }
        let categories = self.distinct.into_iter().map(str::to_owned).collect();
        Ok(Ok(ColumnKind::Categorical { categories }))
    }

    fn constant(&self, rows: usize) -> Option<String> {
        match self.distinct.first() {
            None => Some("it has no values".to_owned()),
            Some(only) if self.distinct.len() == 1 && self.present == rows => {
                Some(format!("it has the value {only:?} in every row"))
            }
            _ => None,
        }
    }

    /// An ID in the order of collection often gives the target away, and never
    /// means anything for a new row.
    fn all_distinct_whole_numbers(&self) -> bool {
        self.distinct.len() == self.present
            && self.distinct.iter().all(|text| text.parse::<i64>().is_ok())
    }

    #[expect(clippy::cast_precision_loss, reason = "a share of rows")]
    fn refuse_mistyped(&self, texts: &Texts, position: usize) -> Result<(), DataError> {
        if (self.numbers as f64) < MOSTLY * self.present as f64 || self.numbers <= FEW_CATEGORIES {
            return Ok(());
        }
        let wrong = |text: &str| !is_missing(text) && text.parse::<f64>().is_err();
        let Some(row) = texts.rows.iter().find(|row| wrong(row.field(position))) else {
            return Ok(());
        };
        let name = texts.names.get(position).map_or("", String::as_str);
        Err(DataError::Format {
            place: texts.place(row),
            problem: format!(
                "column {name:?} holds {:?}, but {} of its {} values are numbers; \
                 correct it, or list the column under categorical",
                row.field(position),
                self.numbers,
                self.present
            ),
        })
    }

    fn too_many(&self) -> Option<String> {
        let count = self.distinct.len();
        let sparse = count > FEW_CATEGORIES && count * 2 > self.present;
        (sparse || count > MOST_CATEGORIES).then(|| {
            format!(
                "its {} values are {count} different texts, too many to learn from; \
                 list it under categorical to keep it",
                self.present
            )
        })
    }
}

fn looks_like_id(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    matches!(name.as_str(), "index" | "unnamed: 0" | "rownum" | "row")
        || words.last() == Some(&"id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read;

    fn chosen(csv: &str, experiment: &Experiment) -> Result<(Vec<Placed>, Vec<LeftOut>), String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.csv"), csv).unwrap();
        let texts = read(dir.path(), "data", ',').unwrap();
        choose(&texts, texts.names.len() - 1, experiment).map_err(|e| e.to_string())
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

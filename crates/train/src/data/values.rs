//! What the values of a column say it is.

use std::collections::BTreeSet;

use model::{ColumnKind, is_missing};

use super::{DataError, Texts};
use crate::experiment::Experiment;

/// More categories than this are no category but a name, an address, a text.
const MOST_CATEGORIES: usize = 1000;

/// Up to so many categories are taken even where the table is short.
const FEW_CATEGORIES: usize = 10;

/// A column is meant to be numeric, with mistakes in it, where at least this
/// share of its values are numbers.
const MOSTLY: f64 = 0.9;

/// What the present values of a column look like.
pub(super) struct Values<'a> {
    present: usize,
    numbers: usize,
    distinct: BTreeSet<&'a str>,
}

impl<'a> Values<'a> {
    /// Looks at the column at `position`.
    pub(super) fn of(texts: &'a Texts, position: usize) -> Self {
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
    pub(super) fn kind(
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
        if sparse && self.distinct.iter().all(|text| is_number_with_comma(text)) {
            return Some(format!(
                "its {} values are numbers with decimal commas, which are not read; write them with \
                 points, as 12.05",
                self.present
            ));
        }
        (sparse || count > MOST_CATEGORIES).then(|| {
            format!(
                "its {} values are {count} different texts, too many to learn from; \
                 list it under categorical to keep it",
                self.present
            )
        })
    }
}

/// Whether a text is a number, or becomes one with a point for its comma.
fn is_number_with_comma(text: &str) -> bool {
    text.replacen(',', ".", 1).parse::<f64>().is_ok()
}

fn looks_like_id(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    matches!(name.as_str(), "index" | "unnamed: 0" | "rownum" | "row")
        || words.last() == Some(&"id")
}

//! The columns of a model that is continued: the new one takes all that it took.

use std::collections::BTreeSet;

use model::{Column, ColumnKind, Table, is_missing};

use super::columns::Placed;
use super::error::DataError;
use super::read::Texts;
use crate::experiment::Experiment;

/// Where a column lies that the data does not have: behind all others, so that every
/// row lacks a value there.
const NOWHERE: usize = usize::MAX;

/// Puts the columns of the table `known` before the `others`, in its order, which rows
/// without names go by. Each has its own categories and those of the data, and may lack
/// values where one of the two does.
///
/// # Errors
///
/// When a value is no number in a column that held numbers, or the experiment wants
/// another kind of column.
pub(super) fn merge(
    texts: &Texts,
    (target, known): (usize, &Table),
    experiment: &Experiment,
    others: Vec<Placed>,
) -> Result<Vec<Placed>, DataError> {
    let mut merged = Vec::new();
    for column in &known.columns {
        let position = texts.names.iter().position(|name| *name == column.name);
        if position == Some(target) || experiment.leave_out.contains(&column.name) {
            continue;
        }
        refuse_other_kind(column, experiment)?;
        merged.push(widened(column, texts, position.unwrap_or(NOWHERE))?);
    }
    merged.extend(others);
    Ok(merged)
}

/// The names of `placed` columns that the data does not have.
pub(super) fn absent(placed: &[Placed]) -> Vec<&str> {
    let nowhere = placed.iter().filter(|(position, _)| *position == NOWHERE);
    nowhere.map(|(_, column)| column.name.as_str()).collect()
}

/// A known column with what the texts at `position` have besides.
fn widened(known: &Column, texts: &Texts, position: usize) -> Result<Placed, DataError> {
    let present = || texts.column(position).filter(|text| !is_missing(text));
    let kind = match &known.kind {
        ColumnKind::Numeric => {
            refuse_texts(known, texts, position)?;
            ColumnKind::Numeric
        }
        ColumnKind::Categorical { categories } => {
            let known = categories.iter().map(String::as_str);
            let all: BTreeSet<&str> = known.chain(present()).collect();
            ColumnKind::Categorical {
                categories: all.into_iter().map(str::to_owned).collect(),
            }
        }
    };
    let column = Column {
        name: known.name.clone(),
        kind,
        missing: known.missing || texts.column(position).any(is_missing),
    };
    Ok((position, column))
}

fn refuse_other_kind(known: &Column, experiment: &Experiment) -> Result<(), DataError> {
    let (was, setting, names) = match known.kind {
        ColumnKind::Numeric => ("numbers", "categorical", &experiment.categorical),
        ColumnKind::Categorical { .. } => ("categories", "numeric", &experiment.numeric),
    };
    if !names.contains(&known.name) {
        return Ok(());
    }
    Err(DataError::Columns(format!(
        "the last model takes {was} in the column {:?}, which the experiment lists under {setting}: \
         take it off that list, or learn anew with mode: all",
        known.name
    )))
}

fn refuse_texts(known: &Column, texts: &Texts, position: usize) -> Result<(), DataError> {
    let wrong = |text: &str| !is_missing(text) && text.parse::<f64>().is_err();
    let Some(row) = texts.rows.iter().find(|row| wrong(row.field(position))) else {
        return Ok(());
    };
    Err(DataError::Format {
        place: texts.place(row),
        problem: format!(
            "column {:?} holds {:?}, and the last model takes numbers there; correct it, or learn \
             anew with mode: all",
            known.name,
            row.field(position)
        ),
    })
}

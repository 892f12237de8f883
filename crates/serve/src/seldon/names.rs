//! `data.names`: which value of a row belongs to which column.

use model::Table;

use crate::problem::Problem;

/// For each column of the model, the place of its value in a row of `width`
/// values: by name where names are given, else by position.
///
/// The names `t:0`, `t:1`, … say nothing: the servers of Seldon put them where a
/// message has none.
pub(super) fn order(
    table: &Table,
    names: &Option<Vec<String>>,
    width: usize,
) -> Result<Vec<usize>, Problem> {
    let names = names.as_deref().unwrap_or_default();
    let meaningless = |(index, name): (usize, &String)| *name == format!("t:{index}");
    if names.iter().enumerate().all(meaningless) {
        return by_position(table, width);
    }
    if names.len() != width {
        return Err(Problem::BadData(format!(
            "data.names has {} names, the rows have {width} values",
            names.len()
        )));
    }
    Ok(table.order_of(names)?)
}

fn by_position(table: &Table, width: usize) -> Result<Vec<usize>, Problem> {
    table
        .check_width(width)
        .map_err(|error| Problem::BadData(format!("each row: {error}")))?;
    Ok((0..width).collect())
}

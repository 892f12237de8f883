//! From all rows of a table to those that a continued model learns from, and the
//! linear model that it starts with.

use anyhow::{Context, Result, ensure};
use model::Task;

use super::Delta;
use super::continued::wanted;
use crate::data::{Dataset, Target, Texts};
use crate::experiment::Experiment;
use crate::graph;
use crate::local::Continued;

/// Leaves the rows of new files and a share of the others, of each class; the classes
/// of the model that is continued stay known.
///
/// # Errors
///
/// When that model is not a linear one of the same target, or no new row has a target.
pub(crate) fn continue_table(
    data: &mut Dataset,
    texts: &Texts,
    delta: &Delta,
    experiment: &Experiment,
) -> Result<()> {
    let continued = continued(data, delta)?;
    let rows = data.rows.iter().enumerate().map(|(index, row)| {
        let path = texts.rows.get(*row).and_then(|row| texts.path(row));
        let is_new = path.is_some_and(|path| delta.new.contains(&**path));
        let code = match &data.target {
            Target::Classes { codes, .. } => codes.get(index).copied(),
            Target::Numbers(_) => None,
        };
        (is_new, code.unwrap_or_default())
    });
    let wanted = wanted(rows, "row", experiment).with_context(|| {
        format!(
            "the new files have no row with a value of {:?}: add some, or learn anew with mode: all",
            data.target_name
        )
    })?;
    data.keep(&Vec::from_iter(wanted));
    data.target.know(&continued.labels);
    data.continued = Some(continued);
    Ok(())
}

/// The model that is continued, which tells what `data` is to tell.
fn continued(data: &Dataset, delta: &Delta) -> Result<Continued> {
    let last = &delta.last.manifest;
    let what = |task: Task, target: &str| match task {
        Task::Regression => format!("numbers of {target:?}"),
        _ => format!("classes of {target:?}"),
    };
    let (before, now) = (
        what(last.task, &last.target),
        what(data.task(), &data.target_name),
    );
    ensure!(
        before == now,
        "the last model, {}, predicts {before}, and this one is to predict {now}: learn anew with \
         mode: all",
        last.version
    );
    let table = delta.table().with_context(|| {
        format!(
            "the last model, {}, does not take a table: learn anew with mode: all",
            last.version
        )
    })?;
    let (encoder, linear) = graph::linear(&delta.last.graph, table).with_context(|| {
        format!(
            "the last model, {}, is not linear, and only a linear one can be continued: learn anew \
             with mode: all and search.models: [linear]",
            last.version
        )
    })?;
    Ok(Continued {
        table: table.clone(),
        labels: last.labels.clone(),
        encoder,
        linear,
    })
}

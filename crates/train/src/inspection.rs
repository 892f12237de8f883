//! What a person should look at in the rows of a table.

use fit::{select, to_probabilities};

use crate::data::{self, Dataset, Split, Target};
use crate::local::Unseen;
use crate::metrics::{DataFigures, Suspect, suspects};

/// Rows that were found.
#[derive(Debug)]
pub(crate) struct Inspection {
    /// Groups of rows with the same values in all columns that the model takes.
    pub(crate) alike: Vec<Vec<usize>>,
    /// Training rows whose labels are doubted, by their positions in the table; none
    /// where no model could be asked.
    pub(crate) suspects: Option<Vec<Suspect>>,
}

impl Inspection {
    /// Looks at all rows, and at the training rows with what was said of them `unseen`.
    pub(crate) fn of(data: &Dataset, split: &Split, unseen: Option<&Unseen>) -> Self {
        Self {
            alike: data::twins(&data.equal),
            suspects: unseen.and_then(|unseen| suspected(data, split, unseen)),
        }
    }

    /// How many there are.
    pub(crate) fn figures(&self, data: &Dataset) -> DataFigures {
        let differ = self.alike.iter().filter(|group| differ(data, group));
        DataFigures {
            alike_rows: self.alike.iter().map(Vec::len).sum(),
            alike_groups: self.alike.len(),
            alike_groups_that_differ: differ.count(),
            suspected_labels: self.suspects.as_ref().map(Vec::len),
        }
    }
}

/// Whether the targets of rows are not all the same.
pub(crate) fn differ(data: &Dataset, rows: &[usize]) -> bool {
    match &data.target {
        Target::Classes { codes, .. } => select(codes, rows)
            .windows(2)
            .any(|w| w.first() != w.last()),
        Target::Numbers(numbers) => select(numbers, rows)
            .windows(2)
            .any(|w| w.first() != w.last()),
    }
}

fn suspected(data: &Dataset, split: &Split, unseen: &Unseen) -> Option<Vec<Suspect>> {
    let Target::Classes { codes, .. } = &data.target else {
        return None;
    };
    let rows = select(&split.training, &unseen.rows);
    let mut probabilities = unseen.scores.clone();
    to_probabilities(&mut probabilities);
    let found = suspects(&probabilities, &select(codes, &rows)).into_iter();
    let found = found.filter_map(|suspect| {
        let row = rows.get(suspect.row).copied()?;
        Some(Suspect { row, ..suspect })
    });
    Some(found.collect())
}

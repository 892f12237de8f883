//! The order in which pipelines run.

use anyhow::{Result, bail};

use super::Descriptor;

/// Each pipeline after those whose output it reads.
///
/// # Errors
///
/// When two have one name, or some read each other's output in a circle.
pub(crate) fn ordered(mut left: Vec<Descriptor>) -> Result<Vec<Descriptor>> {
    for (index, pipeline) in left.iter().enumerate() {
        if let Some(other) = left
            .iter()
            .take(index)
            .find(|other| other.name() == pipeline.name())
        {
            bail!(
                "{} and {} both make the pipeline {:?}",
                other.file.display(),
                pipeline.file.display(),
                pipeline.name()
            );
        }
    }
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let waits = |pipeline: &Descriptor| {
            let inputs = pipeline.spec.input.leaves();
            inputs
                .iter()
                .any(|input| left.iter().any(|other| other.name() == input.repo))
        };
        let Some(next) = left.iter().position(|pipeline| !waits(pipeline)) else {
            let names: Vec<&str> = left.iter().map(Descriptor::name).collect();
            bail!(
                "the pipelines {} read each other's output in a circle",
                names.join(", ")
            );
        };
        ordered.push(left.remove(next));
    }
    Ok(ordered)
}

//! Finds pictures and what they show.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use model::is_missing;

use super::examples::{Content, Examples, Kind};
use super::labelled::{self, Classes, Loaded, Told, digest, is_table};
use crate::TrainingOptions;
use crate::data::{self, PICTURES, all_files, has_extension, instead};
use crate::experiment::{Experiment, Labels};
use crate::progress::step;

/// Reads the names of all pictures below the data folder, and their classes.
pub(super) fn read(args: &TrainingOptions, experiment: &Experiment) -> Result<Examples> {
    let folder = args.data_folder();
    let files = all_files(&folder)?;
    let (pictures, others): (Vec<String>, Vec<String>) = files
        .into_iter()
        .partition(|path| has_extension(path, &PICTURES));
    if pictures.is_empty() {
        bail!(
            "there is no picture (*.jpg, *.jpeg, *.png, *.webp) in the input {}{}; put each into a \
             folder named after its class (as dogs/1.jpg), or its class before its number (as \
             dog.1.jpg)",
            args.input,
            instead(&others)
        );
    }
    let csv = || listed(args, experiment, &pictures);
    let told = match experiment.labels {
        Some(Labels::Csv) => {
            labelled::need_table(args, &others)?;
            csv()?
        }
        Some(Labels::Folder) => labelled::by_folder(&pictures),
        Some(Labels::Prefix) => labelled::by_prefix(&pictures),
        None if others.iter().any(|path| is_table(path)) => csv().context(
            "the pictures have a CSV file beside them; if it does not tell their classes, set \
             `labels: folder` or `labels: prefix` in the experiment file",
        )?,
        None => labelled::detect(&pictures, Kind::Pictures)?,
    };
    let by = told.by;
    let mut examples = labelled::examples((&folder, &pictures), Kind::Pictures, told, load)?;
    for path in &others {
        if by == Labels::Csv && is_table(path) {
            let found = digest(&folder.join(path))?;
            examples.files.0.insert(path.clone(), found);
        } else {
            step(format_args!(
                "left out the file {path}, which is no picture"
            ));
        }
    }
    Ok(examples)
}

fn load(_: &str, path: &Path) -> Result<Loaded> {
    let digest = digest(path)?;
    Ok((digest, Ok(Content::File(path.to_owned(), digest))))
}

/// The classes that the CSV files tell.
fn listed(args: &TrainingOptions, experiment: &Experiment, pictures: &[String]) -> Result<Told> {
    let texts = data::read(&args.data_folder(), &args.input, experiment.delimiter)?;
    let (content, target) = texts.content_and_target(experiment, "file")?;
    let known: BTreeSet<&String> = pictures.iter().collect();
    let mut classes = Classes::new();
    for row in &texts.rows {
        let (name, class) = (row.field(content), row.field(target));
        let beside = texts.beside(row, name);
        let path = [name.to_owned(), beside]
            .into_iter()
            .find(|p| known.contains(p));
        let Some(path) = path else {
            bail!("{}: there is no picture {name:?}", texts.place(row));
        };
        if is_missing(class) {
            continue;
        }
        if let Some(other) = classes.insert(path, class.to_owned())
            && other != class
        {
            bail!(
                "{}: the picture {name:?} is {class:?} here and {other:?} in an earlier line",
                texts.place(row)
            );
        }
    }
    Ok(Told {
        by: Labels::Csv,
        target_name: texts.names.get(target).cloned().unwrap_or_default(),
        classes,
    })
}

//! Finds pictures and what they show.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use model::{Digest, Inventory};

use super::examples::{Content, Example, Examples, Kind, coded};
use crate::TrainingOptions;
use crate::data::{self, all_files, hidden, instead};
use crate::experiment::{Experiment, Labels};
use crate::progress::{Progress, step, warn};
use crate::run::counted;

const EXTENSIONS: [&str; 4] = ["jpeg", "jpg", "png", "webp"];

/// The class of each picture that has one.
type Classes = BTreeMap<String, String>;

/// Reads the names of all pictures below the data folder, and their classes.
pub(super) fn read(args: &TrainingOptions, experiment: &Experiment) -> Result<Examples> {
    let folder = args.data_folder();
    let files = all_files(&folder)?;
    let (pictures, others): (Vec<String>, Vec<String>) =
        files.into_iter().partition(|path| is_picture(path));
    if pictures.is_empty() {
        bail!(
            "there is no picture (*.jpg, *.jpeg, *.png, *.webp) in the input {}{}; put each into a \
             folder named after its class (as dogs/1.jpg), or its class before its number (as \
             dog.1.jpg)",
            args.input,
            instead(&others)
        );
    }
    let tables: Vec<&String> = others
        .iter()
        .filter(|path| has_extension(path, &["csv", "tsv"]))
        .collect();
    let csv = || listed(args, experiment, &pictures);
    let (by, target_name, classes) = match experiment.labels {
        Some(Labels::Csv) => csv()?,
        Some(Labels::Folder) => (Labels::Folder, "folder".to_owned(), by_folder(&pictures)),
        Some(Labels::Prefix) => (Labels::Prefix, "prefix".to_owned(), by_prefix(&pictures)),
        None if !tables.is_empty() => csv().context(
            "the pictures have a CSV file beside them; if it does not tell their classes, set \
             `labels: folder` or `labels: prefix` in the experiment file",
        )?,
        None => detect(&pictures)?,
    };
    let mut examples = examples(&folder, &pictures, &classes)?;
    examples.labelled_by = Some(by);
    examples.target_name = target_name;
    for path in &others {
        let content = by == Labels::Csv && tables.contains(&path);
        match content {
            true => {
                let found = digest(&folder.join(path))?;
                examples.files.0.insert(path.clone(), found);
            }
            false => step(format_args!(
                "left out the file {path}, which is no picture"
            )),
        }
    }
    step(format_args!(
        "found {} of {} by {by:?}",
        counted(examples.items.len(), "picture"),
        counted(examples.labels.len(), "class").replace("classs", "classes")
    ));
    Ok(examples)
}

fn has_extension(path: &str, wanted: &[&str]) -> bool {
    let extension = Path::new(path).extension().unwrap_or_default();
    !hidden(path) && wanted.iter().any(|w| extension.eq_ignore_ascii_case(w))
}

fn is_picture(path: &str) -> bool {
    has_extension(path, &EXTENSIONS)
}

fn digest(path: &Path) -> Result<Digest> {
    let digest = File::open(path).and_then(Digest::of_reader);
    digest.with_context(|| format!("cannot read {}", path.display()))
}

fn examples(folder: &Path, pictures: &[String], classes: &Classes) -> Result<Examples> {
    let mut known = Vec::new();
    let mut files = Inventory::default();
    let mut unlabelled = Vec::new();
    let progress = Progress::new("read the pictures' digests", pictures.len());
    for name in pictures {
        let path: PathBuf = folder.join(name);
        let found = digest(&path)?;
        progress.advance(1);
        files.0.insert(name.clone(), found);
        match classes.get(name) {
            Some(class) => known.push((name.clone(), class.clone(), Content::File(path, found))),
            None => unlabelled.push(name),
        }
    }
    if let Some(first) = unlabelled.first() {
        let count = counted(unlabelled.len(), "picture");
        warn(&format!("left out {count} without a class, as {first}"));
    }
    let all: Vec<String> = known.iter().map(|(_, class, _)| class.clone()).collect();
    let (labels, codes) = coded(&all);
    let items = known
        .into_iter()
        .zip(codes)
        .map(|((name, _, content), code)| Example {
            name,
            code,
            content,
        });
    Ok(Examples {
        kind: Kind::Pictures,
        items: items.collect(),
        labels,
        target_name: String::new(),
        labelled_by: None,
        files,
        broken: Vec::new(),
        cut: 0,
        known_before: BTreeSet::new(),
    })
}

/// The folder that each picture lies in; none for one that lies in no folder.
fn by_folder(pictures: &[String]) -> Classes {
    let class = |path: &String| {
        let parent = Path::new(path).parent()?.file_name()?.to_str()?;
        Some((path.clone(), parent.to_owned()))
    };
    pictures.iter().filter_map(class).collect()
}

/// What stands before the number at the end of each picture's name: `dog` of
/// `dog.12.jpg`.
fn by_prefix(pictures: &[String]) -> Classes {
    let class = |path: &String| {
        let stem = Path::new(path).file_stem()?.to_str()?;
        let stem = stem.trim_end_matches(|c: char| c.is_ascii_digit());
        let stem = stem.trim_end_matches(['.', '_', '-', ' ', '(']);
        (!stem.is_empty()).then(|| (path.clone(), stem.to_owned()))
    };
    pictures.iter().filter_map(class).collect()
}

/// Where the classes are from, if only one way makes sense.
fn detect(pictures: &[String]) -> Result<(Labels, String, Classes)> {
    let (folders, prefixes) = (by_folder(pictures), by_prefix(pictures));
    let sensible = |classes: &Classes| {
        let names: BTreeSet<&String> = classes.values().collect();
        classes.len() == pictures.len() && names.len() > 1 && names.len() * 2 <= pictures.len()
    };
    match (sensible(&folders), sensible(&prefixes)) {
        (true, false) => Ok((Labels::Folder, "folder".to_owned(), folders)),
        (false, true) => Ok((Labels::Prefix, "prefix".to_owned(), prefixes)),
        (true, true) if same(&folders, &prefixes) => {
            Ok((Labels::Folder, "folder".to_owned(), folders))
        }
        (true, true) => bail!(
            "the classes may be the folders of the pictures or the begins of their names: set \
             `labels: folder` or `labels: prefix` in the experiment file"
        ),
        (false, false) => bail!(
            "neither the folders of the pictures (as dogs/1.jpg) nor the begins of their names (as \
             dog.1.jpg) give two or more classes of two or more: name them so, or list all in a CSV \
             file with the columns file and label"
        ),
    }
}

/// Whether both put the same pictures together.
fn same(a: &Classes, b: &Classes) -> bool {
    let pairs: BTreeSet<(&String, &String)> = a.values().zip(b.values()).collect();
    let left: BTreeSet<&String> = a.values().collect();
    let right: BTreeSet<&String> = b.values().collect();
    pairs.len() == left.len() && pairs.len() == right.len()
}

/// The classes that the CSV files tell.
fn listed(
    args: &TrainingOptions,
    experiment: &Experiment,
    pictures: &[String],
) -> Result<(Labels, String, Classes)> {
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
        if class.is_empty() {
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
    let name = texts.names.get(target).cloned().unwrap_or_default();
    Ok((Labels::Csv, name, classes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str]) -> Result<(Labels, Vec<String>), String> {
        let paths: Vec<String> = paths.iter().map(|p| (*p).to_owned()).collect();
        let (by, _, classes) = detect(&paths).map_err(|e| e.to_string())?;
        let classes: BTreeSet<String> = classes.into_values().collect();
        Ok((by, classes.into_iter().collect()))
    }

    #[test]
    fn classes_are_found_where_they_are_clear() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let cases: [(&[&str], Labels, &[&str]); 3] = [
            (
                &["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/x.jpg"],
                Labels::Folder,
                &["a", "b"],
            ),
            (
                &["cat.1.jpg", "cat.2.jpg", "big-dog_1.png", "big-dog_2.png"],
                Labels::Prefix,
                &["big-dog", "cat"],
            ),
            (
                &[
                    "cats/cat.1.jpg",
                    "cats/cat.2.jpg",
                    "dogs/dog.1.jpg",
                    "dogs/dog.2.jpg",
                ],
                Labels::Folder,
                &["cats", "dogs"],
            ),
        ];
        for (paths, by, classes) in cases {
            assert_eq!(found(paths).unwrap(), (by, names(classes)));
        }
        let both = found(&["x/cat.1.jpg", "x/dog.1.jpg", "y/cat.2.jpg", "y/dog.2.jpg"]);
        assert!(both.unwrap_err().contains("`labels: folder` or"));
        assert!(
            found(&["1.jpg", "2.jpg"])
                .unwrap_err()
                .contains("columns file and label")
        );
    }
}

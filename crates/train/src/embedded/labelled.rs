//! Examples that are a file each, and the classes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use model::{Digest, Inventory};

use super::examples::{Content, Example, Examples, Kind, coded};
use crate::TrainingOptions;
use crate::data::{TABLES, has_extension, instead};
use crate::experiment::Labels;
use crate::progress::{Progress, step, warn};
use crate::run::counted;

/// The class of each file that has one.
pub(super) type Classes = BTreeMap<String, String>;

/// Classes, and what tells them.
#[derive(Debug)]
pub(super) struct Told {
    /// In which way they are told.
    pub(super) by: Labels,
    /// What the target is called: a column, `folder` or `prefix`.
    pub(super) target_name: String,
    /// The classes.
    pub(super) classes: Classes,
}

/// Whether a path below the data folder is a CSV file.
pub(super) fn is_table(path: &str) -> bool {
    has_extension(path, &TABLES)
}

/// Looks whether one of `files` can be what `labels: csv` means.
///
/// # Errors
///
/// When there is no CSV file.
pub(super) fn need_table(args: &TrainingOptions, files: &[String]) -> Result<()> {
    ensure!(
        files.iter().any(|path| is_table(path)),
        "labels is csv, and there is no *.csv or *.tsv file in the input {}{}: add one, or set \
         `labels: folder` or `labels: prefix`",
        args.input,
        instead(files)
    );
    Ok(())
}

/// The digest of a file.
pub(super) fn digest(path: &Path) -> Result<Digest> {
    let digest = File::open(path).and_then(Digest::of_reader);
    digest.with_context(|| format!("cannot read {}", path.display()))
}

/// What a file is: its digest, and what is embedded of it or why nothing can be.
pub(super) type Loaded = (Digest, Result<Content, String>);

/// The `files` of `folder` that have a class, as `load` gives them.
pub(super) fn examples(
    (folder, files): (&Path, &[String]),
    kind: Kind,
    told: Told,
    load: impl Fn(&str, &Path) -> Result<Loaded>,
) -> Result<Examples> {
    let (mut known, mut classes) = (Vec::new(), Vec::new());
    let mut inventory = Inventory::default();
    let mut unlabelled = Vec::new();
    let progress = Progress::new(kind.reading(), files.len());
    for name in files {
        let (digest, content) = load(name, &folder.join(name))?;
        progress.advance(1);
        inventory.0.insert(name.clone(), digest);
        match told.classes.get(name) {
            Some(class) => {
                known.push((name.clone(), content));
                classes.push(class.clone());
            }
            None => unlabelled.push(name),
        }
    }
    if let Some(first) = unlabelled.first() {
        let count = counted(unlabelled.len(), kind.noun());
        warn(&format!("left out {count} without a class, as {first}"));
    }
    let (labels, codes) = coded(&classes);
    let mut examples = Examples {
        kind,
        items: Vec::new(),
        labels,
        target_name: told.target_name,
        labelled_by: Some(told.by),
        files: inventory,
        broken: Vec::new(),
        cut: 0,
        known_before: BTreeSet::new(),
    };
    for ((name, content), code) in known.into_iter().zip(codes) {
        match content {
            Ok(content) => examples.items.push(Example {
                name,
                code,
                content,
            }),
            Err(reason) => examples.broken.push((name, reason)),
        }
    }
    step(format_args!(
        "found {} of {} by {:?}",
        counted(examples.items.len() + examples.broken.len(), kind.noun()),
        counted(examples.labels.len(), "class").replace("classs", "classes"),
        told.by
    ));
    Ok(examples)
}

/// The classes by the folder that each file lies in; none for one that lies in no folder.
pub(super) fn by_folder(files: &[String]) -> Told {
    let class = |path: &String| {
        let parent = Path::new(path).parent()?.file_name()?.to_str()?;
        Some((path.clone(), parent.to_owned()))
    };
    Told {
        by: Labels::Folder,
        target_name: "folder".to_owned(),
        classes: files.iter().filter_map(class).collect(),
    }
}

/// The classes by what stands before the number at the end of each file's name: `dog` of
/// `dog.12.jpg`.
pub(super) fn by_prefix(files: &[String]) -> Told {
    let class = |path: &String| {
        let stem = Path::new(path).file_stem()?.to_str()?;
        let stem = stem.trim_end_matches(|c: char| c.is_ascii_digit());
        let stem = stem.trim_end_matches(['.', '_', '-', ' ', '(']);
        (!stem.is_empty()).then(|| (path.clone(), stem.to_owned()))
    };
    Told {
        by: Labels::Prefix,
        target_name: "prefix".to_owned(),
        classes: files.iter().filter_map(class).collect(),
    }
}

/// The classes, if only one of the two ways gives two or more of two or more files.
///
/// # Errors
///
/// When both do and differ, or none does.
pub(super) fn detect(files: &[String], kind: Kind) -> Result<Told> {
    let (folders, prefixes) = (by_folder(files), by_prefix(files));
    let of_prefix = is_sensible(&prefixes, files) && may_be_prefixes(kind, &prefixes.classes);
    let (noun, [in_folder, by_name]) = (kind.noun(), kind.places());
    match (is_sensible(&folders, files), of_prefix) {
        (true, false) => Ok(folders),
        (false, true) => Ok(prefixes),
        (true, true) if same(&folders.classes, &prefixes.classes) => Ok(folders),
        (true, true) => bail!(
            "the classes may be the folders of the {noun}s or the begins of their names: set \
             `labels: folder` or `labels: prefix` in the experiment file"
        ),
        (false, false) => bail!(
            "neither the folders of the {noun}s (as {in_folder}) nor the begins of their names (as \
             {by_name}) give two or more classes of two or more: name them so, or list all in a CSV \
             file with the columns {} and label; or set `labels: folder` or `labels: prefix`, which \
             leaves out what has no class",
            kind.column()
        ),
    }
}

/// Whether every one of `files` has a class, and these are fewer than half of them, and
/// more than one.
pub(super) fn is_sensible(told: &Told, files: &[String]) -> bool {
    let names: BTreeSet<&String> = told.classes.values().collect();
    told.classes.len() == files.len() && names.len() > 1 && names.len() * 2 <= files.len()
}

/// Collections of texts call them by numbers, as `pos/17_8.txt`, which are no classes.
fn may_be_prefixes(kind: Kind, classes: &Classes) -> bool {
    let has_letter = |name: &String| name.chars().any(char::is_alphabetic);
    kind == Kind::Pictures || classes.values().all(has_letter)
}

/// Whether both put the same files together.
fn same(a: &Classes, b: &Classes) -> bool {
    let pairs: BTreeSet<(&String, &String)> = a.values().zip(b.values()).collect();
    let left: BTreeSet<&String> = a.values().collect();
    let right: BTreeSet<&String> = b.values().collect();
    pairs.len() == left.len() && pairs.len() == right.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: Kind, paths: &[&str]) -> Result<(Labels, Vec<String>), String> {
        let paths: Vec<String> = paths.iter().map(|p| (*p).to_owned()).collect();
        let told = detect(&paths, kind).map_err(|e| e.to_string())?;
        let classes: BTreeSet<String> = told.classes.into_values().collect();
        Ok((told.by, classes.into_iter().collect()))
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
            let expected = (by, names(classes));
            assert_eq!(found(Kind::Pictures, paths).unwrap(), expected);
        }
        let both = ["x/cat.1.jpg", "x/dog.1.jpg", "y/cat.2.jpg", "y/dog.2.jpg"];
        for kind in [Kind::Pictures, Kind::Texts] {
            let error = found(kind, &both).unwrap_err();
            assert!(error.contains("`labels: folder` or"), "{error}");
        }
        let none = found(Kind::Pictures, &["1.jpg", "2.jpg"]).unwrap_err();
        assert!(none.contains("columns file and label"), "{none}");
    }

    #[test]
    fn numbers_are_no_classes_of_texts() {
        let paths = ["pos/0_9.txt", "pos/1_7.txt", "neg/0_1.txt", "neg/1_2.txt"];
        let (by, classes) = found(Kind::Texts, &paths).unwrap();
        assert_eq!((by, classes.len()), (Labels::Folder, 2));
        assert!(found(Kind::Pictures, &paths).is_err());
    }
}

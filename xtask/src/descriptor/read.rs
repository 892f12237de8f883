//! From files to descriptors.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::places::Places;
use super::rules::typed;
use super::{Descriptor, Finding, strict};

/// Reads all descriptors of a folder: its `*.json` and `*-pipeline.yaml` files.
/// Other YAML files of a use case are configuration.
///
/// # Errors
///
/// When the folder cannot be read, holds no descriptor, or a descriptor is wrong;
/// all findings of all files are told at once.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<Descriptor>> {
    let (descriptors, findings) = examine(folder)?;
    if !findings.is_empty() {
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        bail!("{}", findings.join("\n"));
    }
    if descriptors.is_empty() {
        bail!("{} holds no pipeline descriptor (*.json)", folder.display());
    }
    Ok(descriptors)
}

/// The descriptors of a folder that can be read, and all that is wrong with the
/// others.
///
/// # Errors
///
/// When the folder cannot be read.
pub(crate) fn examine(folder: &Path) -> Result<(Vec<Descriptor>, Vec<Finding>)> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_file() && is_descriptor(&path) {
            files.push(path);
        }
    }
    files.sort();
    let mut descriptors = Vec::new();
    let mut findings = Vec::new();
    for file in &files {
        match read_file(file) {
            Ok(read) => descriptors.extend(read),
            Err(found) => findings.extend(found),
        }
    }
    Ok((descriptors, findings))
}

fn is_descriptor(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| {
        let ends = |end| name.ends_with(end);
        ends(".json") || ends("-pipeline.yaml") || ends("-pipeline.yml")
    })
}

fn read_file(file: &Path) -> Result<Vec<Descriptor>, Vec<Finding>> {
    let whole = |error: anyhow::Error| {
        vec![Finding {
            file: file.to_owned(),
            line: None,
            path: None,
            what: format!("{error:#}"),
        }]
    };
    let text = fs::read_to_string(file).context("cannot be read");
    let text = text.map_err(whole)?;
    let documents = parse(file, &text).map_err(whole)?;
    let places = Places::of(&text);
    let mut descriptors = Vec::new();
    let mut findings = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        let read = strict::normalise(document).and_then(|fields| Ok((typed(&fields)?, fields)));
        match read {
            Ok((spec, fields)) => descriptors.push(Descriptor {
                file: file.to_owned(),
                index,
                fields,
                spec,
            }),
            Err(found) => findings.extend(found.into_iter().map(|finding| Finding {
                file: file.to_owned(),
                line: Some(places.line(index, &finding.path)),
                path: Some(finding.path),
                what: finding.what,
            })),
        }
    }
    if findings.is_empty() {
        Ok(descriptors)
    } else {
        Err(findings)
    }
}

/// The objects of a file: one, an array of them, or several YAML documents.
fn parse(file: &Path, text: &str) -> Result<Vec<Value>> {
    let is_json = file.extension().is_some_and(|end| end == "json");
    if is_json {
        // The YAML parser below would let comments and trailing commas pass; this
        // one would let a duplicate key pass.
        serde_json::from_str::<serde::de::IgnoredAny>(text).context("not JSON")?;
    }
    // YAML 1.2 as pachctl reads it, in which `y` and `no` are texts.
    let options = serde_saphyr::options! { strict_booleans: true };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)?;
    let flat = documents.into_iter().flat_map(|document| match document {
        Value::Array(items) => items,
        other => vec![other],
    });
    Ok(flat.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAIN: &str = r#"{"pipeline": {"name": "m"}, "input": {"pfs": {"repo": "d", "glob": "/"}},
        "transform": {"image": "x/train:1", "cmd": ["/train"]}}"#;

    fn read(name: &str, text: &str) -> Result<Vec<Descriptor>> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        read_folder(folder.path())
    }

    fn refused(name: &str, text: &str) -> String {
        format!("{:#}", read(name, text).unwrap_err())
    }

    #[test]
    fn one_several_and_yaml() {
        let names = |descriptors: Vec<Descriptor>| -> Vec<String> {
            descriptors.iter().map(|d| d.name().to_owned()).collect()
        };
        assert_eq!(names(read("a.json", TRAIN).unwrap()), ["m"]);
        let two = format!("[{TRAIN}, {}]", TRAIN.replace("\"m\"", "\"n\""));
        assert_eq!(names(read("a.json", &two).unwrap()), ["m", "n"]);
        let yaml = "pipeline: {name: y}\ninput: {pfs: {repo: d, glob: /}}\n\
                    transform:\n  image: x/train:1\n  cmd: [/train]\n---\n";
        let yaml = format!("{yaml}{}", TRAIN.replace('\n', " "));
        assert_eq!(names(read("a-pipeline.yaml", &yaml).unwrap()), ["y", "m"]);
        assert!(refused("experiment.yaml", "target: x").contains("holds no pipeline"));
    }

    #[test]
    fn what_pachctl_lets_pass_is_refused() {
        let comment = TRAIN.replacen('{', "{ # hello\n", 1);
        assert!(refused("a.json", &comment).contains("not JSON"));
        let comma = TRAIN.replace("[\"/train\"]", "[\"/train\",]");
        assert!(refused("a.json", &comma).contains("not JSON"));
        let twice = TRAIN.replacen('{', "{\"description\": \"a\", \"description\": \"b\",", 1);
        assert!(refused("a.json", &twice).contains("duplicate"));
    }

    #[test]
    fn a_finding_has_its_line() {
        let two = format!("[{TRAIN},\n{}]", TRAIN.replace("cmd", "cmdd"));
        let message = refused("a.json", &two);
        assert!(
            message.contains("a.json:4: transform.cmdd is not"),
            "{message}"
        );
        assert!(message.contains("did you mean \"cmd\"?"), "{message}");
        let yaml = "pipeline: {name: y}\ninput:\n  cross:\n  - pfs: {repo: d, glob: /}\n  - pfs:\n      repo: e\n      globb: /\n";
        let message = refused("a-pipeline.yaml", yaml);
        assert!(
            message.contains("a-pipeline.yaml:7: input.cross[1].pfs.globb"),
            "{message}"
        );
    }

    #[test]
    fn names_are_checked() {
        let message = refused("a.json", &TRAIN.replace("\"m\"", "\"-m\""));
        assert!(message.contains("pipeline.name"), "{message}");
        let message = refused(
            "a.json",
            &TRAIN.replace("\"d\"", "\"d\", \"name\": \"out\""),
        );
        assert!(message.contains("below /pfs"), "{message}");
        let message = refused("a.json", &TRAIN.replace("[\"/train\"]", "[]"));
        assert!(message.contains("nothing to run"), "{message}");
        let message = refused("a.json", &TRAIN.replace(", \"glob\": \"/\"", ""));
        assert!(message.contains("glob"), "{message}");
    }
}

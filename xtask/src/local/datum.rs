//! Datums: the units of input that a program is started on.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::Result;
use blake2::Blake2b;
use blake2::digest::Digest as _;
use blake2::digest::consts::U32;
use sha2::Sha256;

use super::glob::Glob;
use super::repo::Commit;
use super::tree::{self, below};
use crate::descriptor::{Input, PfsInput};

/// One unit of input: a path of each PFS input, or of a group several.
#[derive(Debug, Clone)]
pub(super) struct Datum<'a> {
    /// The parts, ordered by the inputs' names.
    pub(super) parts: Vec<Part<'a>>,
}

/// What one PFS input gives to a datum.
#[derive(Debug, Clone)]
pub(super) struct Part<'a> {
    pub(super) input: &'a PfsInput,
    pub(super) commit: &'a Commit,
    /// The path in the repo: `/`, `/file` or `/folder/`.
    pub(super) path: String,
    /// What `join_on` comes to for this path, or nothing.
    pub(super) join_on: String,
    /// What `group_by` comes to for this path, or nothing.
    pub(super) group_by: String,
}

impl Datum<'_> {
    /// The ID as Pachyderm computes it: BLAKE2b-256 over name, repo, branch and
    /// path of each input, each followed by its length (64 bits, big-endian).
    pub(super) fn id(&self) -> String {
        let mut hasher = Blake2b::<U32>::new();
        for part in &self.parts {
            let input = part.input;
            for text in [input.name(), &input.repo, input.branch(), &part.path] {
                hasher.update(text);
                hasher.update((text.len() as u64).to_be_bytes());
            }
        }
        tree::hex(&hasher.finalize())
    }

    /// What decides whether the datum must be processed again: its ID, the names
    /// and contents of its files but for those of a `reference`, and the pipeline's
    /// salt.
    pub(super) fn hash(&self, salt: &str) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.id());
        for part in self.parts.iter().filter(|part| !part.input.reference) {
            for (name, entry) in below(&part.commit.files, &part.path) {
                hasher.update(format!("{}:{name}{}", name.len(), entry.sha256));
            }
            // Ends the part: no file name is empty.
            hasher.update("0:");
        }
        hasher.update(salt);
        tree::hex(&hasher.finalize())
    }
}

/// The datums of `input`, given the commit that each repo is read at; each once.
///
/// # Errors
///
/// When a glob cannot be used.
pub(super) fn datums<'a>(
    input: &'a Input,
    commit_of: &impl Fn(&str) -> Option<&'a Commit>,
) -> Result<Vec<Datum<'a>>> {
    let mut datums = expand(input, commit_of)?;
    for datum in &mut datums {
        datum
            .parts
            .sort_by(|a, b| a.input.name().cmp(b.input.name()));
    }
    let mut seen = HashSet::new();
    datums.retain(|datum| seen.insert(datum.id()));
    Ok(datums)
}

fn expand<'a>(
    input: &'a Input,
    commit_of: &impl Fn(&str) -> Option<&'a Commit>,
) -> Result<Vec<Datum<'a>>> {
    let children = |inputs: &'a [Input]| -> Result<Vec<Vec<Datum<'a>>>> {
        let children = inputs.iter().map(|input| expand(input, commit_of));
        children.collect()
    };
    Ok(match input {
        Input::Pfs(input) => match commit_of(&input.repo) {
            Some(commit) => pfs(input, commit)?,
            None => Vec::new(),
        },
        Input::Union(inputs) => children(inputs)?.into_iter().flatten().collect(),
        Input::Cross(inputs) => product(&children(inputs)?),
        Input::Join(inputs) => join(children(inputs)?),
        Input::Group(inputs) => group(children(inputs)?),
        Input::Cron {} => Vec::new(),
    })
}

fn pfs<'a>(input: &'a PfsInput, commit: &'a Commit) -> Result<Vec<Datum<'a>>> {
    let glob = Glob::new(&input.glob)?;
    let key = |path: &str, template: &Option<String>| {
        let template = template.as_deref().unwrap_or_default();
        // As Pachyderm does, so that folders can be captured too.
        glob.fill(path.trim_end_matches('/'), template)
    };
    let datum = |path: String| Datum {
        parts: vec![Part {
            input,
            commit,
            join_on: key(&path, &input.join_on),
            group_by: key(&path, &input.group_by),
            path,
        }],
    };
    Ok(paths(commit, &glob).into_iter().map(datum).collect())
}

/// Every choice of one datum of each list, the last list going round first.
fn product<'a>(lists: &[Vec<Datum<'a>>]) -> Vec<Datum<'a>> {
    let start = vec![Datum { parts: Vec::new() }];
    lists.iter().fold(start, |product, other| {
        let pairs = product
            .iter()
            .flat_map(|a| other.iter().map(move |b| (a, b)));
        let join = |(a, b): (&Datum<'a>, &Datum<'a>)| Datum {
            parts: a.parts.iter().chain(&b.parts).cloned().collect(),
        };
        pairs.map(join).collect()
    })
}

/// For each key, in order, the product of what the inputs have under it. Where one
/// has nothing, only those with `outer_join` remain.
fn join(children: Vec<Vec<Datum<'_>>>) -> Vec<Datum<'_>> {
    let count = children.len();
    let mut keys: BTreeMap<String, Vec<Vec<Datum<'_>>>> = BTreeMap::new();
    for (index, part) in parts(children) {
        let lists = keys
            .entry(part.join_on.clone())
            .or_insert_with(|| vec![Vec::new(); count]);
        if let Some(list) = lists.get_mut(index) {
            list.push(Datum { parts: vec![part] });
        }
    }
    let datums = keys.into_values().flat_map(|mut lists| {
        if lists.iter().any(Vec::is_empty) {
            let is_outer = |datum: &Datum<'_>| datum.parts.iter().all(|part| part.input.outer_join);
            lists.retain(|list| list.first().is_some_and(is_outer));
        }
        if lists.is_empty() {
            Vec::new()
        } else {
            product(&lists)
        }
    });
    datums.collect()
}

/// One datum for each key, in order, with all that the inputs have under it.
fn group(children: Vec<Vec<Datum<'_>>>) -> Vec<Datum<'_>> {
    let mut keys: BTreeMap<String, Vec<Part<'_>>> = BTreeMap::new();
    for (_, part) in parts(children) {
        keys.entry(part.group_by.clone()).or_default().push(part);
    }
    keys.into_values().map(|parts| Datum { parts }).collect()
}

fn parts(children: Vec<Vec<Datum<'_>>>) -> impl Iterator<Item = (usize, Part<'_>)> {
    let children = children.into_iter().enumerate();
    children.flat_map(|(index, datums)| {
        let parts = datums.into_iter().flat_map(|datum| datum.parts);
        parts.map(move |part| (index, part))
    })
}

/// The files and folders that a glob matches, in order; none in an empty commit.
fn paths(commit: &Commit, glob: &Glob) -> BTreeSet<String> {
    if glob.is_whole() {
        let whole = (!commit.files.is_empty()).then(|| "/".to_owned());
        return whole.into_iter().collect();
    }
    let mut paths = BTreeSet::new();
    let mut above = "";
    for name in commit.files.keys() {
        let folders = name
            .match_indices('/')
            .filter_map(|(end, _)| name.get(..=end));
        // Files are in order: a folder that the one before was in is done.
        for folder in folders.filter(|folder| !above.starts_with(folder)) {
            if glob.matches(&format!("/{}", folder.trim_end_matches('/'))) {
                paths.insert(format!("/{folder}"));
            }
        }
        let end = name.rfind('/').and_then(|end| name.get(..=end));
        above = end.unwrap_or_default();
        let path = format!("/{name}");
        if glob.matches(&path) {
            paths.insert(path);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tree::{FileEntry, Tree};
    use serde_json::json;

    fn commit(files: &[(&str, &str)]) -> Commit {
        let entry = |(name, content): &(&str, &str)| {
            let sha256 = tree::digest_text(content);
            ((*name).to_owned(), FileEntry { size: 1, sha256 })
        };
        Commit {
            id: "c".to_owned(),
            parent: None,
            created: 0,
            job: None,
            files: files.iter().map(entry).collect::<Tree>(),
        }
    }

    fn input(value: serde_json::Value) -> Input {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_id_is_that_of_pachyderm() {
        let input = input(json!({"pfs": {"name": "data", "repo": "dogs-and-cats", "glob": "/"}}));
        let commit = commit(&[("cat.jpg", "x")]);
        let datums = datums(&input, &|_| Some(&commit)).unwrap();
        assert_eq!(
            datums[0].id(),
            "e3fbf5e3e68067b600f60424fc9a14d1c4384686dcc6e65ca2971fbd49149c6a"
        );
    }

    #[test]
    fn a_cross_is_the_product_ordered_by_name() {
        let input = input(json!({"cross": [
            {"pfs": {"name": "z", "repo": "r", "glob": "/*"}},
            {"pfs": {"name": "a", "repo": "r", "glob": "/"}},
        ]}));
        let commit = commit(&[("1/x", ""), ("1/y", ""), ("2", "")]);
        let found = datums(&input, &|_| Some(&commit)).unwrap();
        let paths: Vec<Vec<&str>> = found
            .iter()
            .map(|datum| datum.parts.iter().map(|part| part.path.as_str()).collect())
            .collect();
        assert_eq!(paths, [["/", "/1/"], ["/", "/2"]]);
        assert_eq!(found[0].parts[0].input.name(), "a");
    }

    #[test]
    fn an_empty_commit_has_no_datum() {
        let input = input(json!({"pfs": {"repo": "r", "glob": "/"}}));
        let empty = commit(&[]);
        assert!(datums(&input, &|_| Some(&empty)).unwrap().is_empty());
        assert!(datums(&input, &|_| None).unwrap().is_empty());
    }

    #[test]
    fn the_hash_follows_content_names_and_salt() {
        let input = input(json!({"pfs": {"repo": "r", "glob": "/*"}}));
        let hashes = |files: &[(&str, &str)], salt: &str| -> Vec<String> {
            let commit = commit(files);
            let found = datums(&input, &|_| Some(&commit)).unwrap();
            found.iter().map(|datum| datum.hash(salt)).collect()
        };
        let before = hashes(&[("a", "1"), ("b", "2")], "s");
        let after = hashes(&[("a", "1"), ("b", "3")], "s");
        assert_eq!(before[0], after[0]);
        assert_ne!(before[1], after[1]);
        assert_ne!(before, hashes(&[("a", "1"), ("b", "2")], "t"));
        assert_ne!(hashes(&[("a/x", "1")], "s"), hashes(&[("a/y", "1")], "s"));
    }

    /// The paths of the datums of an input over one commit of every repo.
    fn found(input_of: serde_json::Value, files: &[&str]) -> Vec<String> {
        let input = input(input_of);
        let files: Vec<(&str, &str)> = files.iter().map(|name| (*name, "")).collect();
        let commit = commit(&files);
        let found = datums(&input, &|_| Some(&commit)).unwrap();
        let shown = |datum: &Datum<'_>| {
            let parts = datum.parts.iter();
            let parts = parts.map(|part| format!("{}:{}", part.input.name(), part.path));
            parts.collect::<Vec<_>>().join(" ")
        };
        found.iter().map(shown).collect()
    }

    #[test]
    fn files_and_folders_match() {
        let all = found(
            json!({"pfs": {"name": "r", "repo": "r", "glob": "/**"}}),
            &["a/b/c", "a/d", "a-b", "e"],
        );
        assert_eq!(
            all,
            ["r:/a-b", "r:/a/", "r:/a/b/", "r:/a/b/c", "r:/a/d", "r:/e"]
        );
    }

    #[test]
    fn a_union_has_each_datum_once() {
        let pfs = |glob: &str| json!({"pfs": {"name": "r", "repo": "r", "glob": glob}});
        let all = found(json!({"union": [pfs("/b"), pfs("/*")]}), &["a", "b"]);
        assert_eq!(all, ["r:/b", "r:/a"]);
    }

    #[test]
    fn a_join_pairs_equal_keys() {
        let pfs = |name: &str, outer: bool| {
            let glob = format!("/{name}/(*)");
            json!({"pfs": {"name": name, "repo": "r", "glob": glob, "join_on": "$1",
                "outer_join": outer}})
        };
        let files = ["y/1", "y/2", "x/2", "x/3"];
        let inner = found(json!({"join": [pfs("y", false), pfs("x", false)]}), &files);
        assert_eq!(inner, ["x:/x/2 y:/y/2"]);
        let outer = found(json!({"join": [pfs("y", true), pfs("x", false)]}), &files);
        assert_eq!(outer, ["y:/y/1", "x:/x/2 y:/y/2"]);
    }

    #[test]
    fn a_group_gathers_equal_keys() {
        let pfs = |name: &str| {
            let glob = format!("/{name}/(?)*");
            json!({"pfs": {"name": name, "repo": "r", "glob": glob, "group_by": "$1"}})
        };
        let files = ["x/1a", "x/1b", "x/2", "y/1"];
        let groups = found(json!({"group": [pfs("y"), pfs("x")]}), &files);
        assert_eq!(groups, ["x:/x/1a x:/x/1b y:/y/1", "x:/x/2"]);
    }

    #[test]
    fn the_content_of_a_reference_is_not_hashed() {
        let input = input(json!({"pfs": {"repo": "r", "glob": "/", "reference": true}}));
        let hash = |text: &str| {
            let commit = commit(&[("a", text)]);
            datums(&input, &|_| Some(&commit)).unwrap()[0].hash("s")
        };
        assert_eq!(hash("1"), hash("2"));
    }
}

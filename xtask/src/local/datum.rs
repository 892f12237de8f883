//! Datums: the units of input that a program is started on.

use blake2::Blake2b;
use blake2::digest::Digest as _;
use blake2::digest::consts::U32;
use sha2::Sha256;

use super::repo::Commit;
use super::tree::{self, is_below};
use crate::descriptor::{Input, PfsInput};

/// One unit of input: a path of each PFS input.
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
    /// The path in the repo, `/` or `/top`.
    pub(super) path: String,
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
    /// and contents of its files, and the pipeline's salt.
    pub(super) fn hash(&self, salt: &str) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.id());
        for part in &self.parts {
            let files = part.commit.files.iter();
            for (name, entry) in files.filter(|(name, _)| is_below(name, &part.path)) {
                hasher.update(format!("{}:{name}{}", name.len(), entry.sha256));
            }
            // Ends the part: no file name is empty.
            hasher.update("0:");
        }
        hasher.update(salt);
        tree::hex(&hasher.finalize())
    }
}

/// The datums of `input`, given the commit that each repo is read at.
///
/// The runner refuses other inputs than `pfs` and `cross` before anything runs.
pub(super) fn datums<'a>(
    input: &'a Input,
    commit_of: &impl Fn(&str) -> Option<&'a Commit>,
) -> Vec<Datum<'a>> {
    let mut datums = expand(input, commit_of);
    for datum in &mut datums {
        datum
            .parts
            .sort_by(|a, b| a.input.name().cmp(b.input.name()));
    }
    datums
}

fn expand<'a>(input: &'a Input, commit_of: &impl Fn(&str) -> Option<&'a Commit>) -> Vec<Datum<'a>> {
    match input {
        Input::Pfs(input) => {
            let Some(commit) = commit_of(&input.repo) else {
                return Vec::new();
            };
            let part = |path| Part {
                input,
                commit,
                path,
            };
            let paths = paths(commit, &input.glob).into_iter();
            let datum = |path| Datum {
                parts: vec![part(path)],
            };
            paths.map(datum).collect()
        }
        Input::Cross(inputs) => {
            let start = vec![Datum { parts: Vec::new() }];
            inputs.iter().fold(start, |product, input| {
                let other = expand(input, commit_of);
                let pairs = product
                    .iter()
                    .flat_map(|a| other.iter().map(move |b| (a, b)));
                let join = |(a, b): (&Datum<'a>, &Datum<'a>)| Datum {
                    parts: a.parts.iter().chain(&b.parts).cloned().collect(),
                };
                pairs.map(join).collect()
            })
        }
        Input::Union(_) | Input::Join(_) | Input::Group(_) | Input::Cron {} => Vec::new(),
    }
}

/// The paths that a glob of the supported kinds matches; none in an empty commit.
fn paths(commit: &Commit, glob: &str) -> Vec<String> {
    if glob.trim_matches('/').is_empty() {
        let whole = (!commit.files.is_empty()).then(|| "/".to_owned());
        return whole.into_iter().collect();
    }
    let top = |name: &String| format!("/{}", name.split('/').next().unwrap_or_default());
    let mut paths: Vec<String> = commit.files.keys().map(top).collect();
    paths.dedup();
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
        let datums = datums(&input, &|_| Some(&commit));
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
        let found = datums(&input, &|_| Some(&commit));
        let paths: Vec<Vec<&str>> = found
            .iter()
            .map(|datum| datum.parts.iter().map(|part| part.path.as_str()).collect())
            .collect();
        assert_eq!(paths, [["/", "/1"], ["/", "/2"]]);
        assert_eq!(found[0].parts[0].input.name(), "a");
    }

    #[test]
    fn an_empty_commit_has_no_datum() {
        let input = input(json!({"pfs": {"repo": "r", "glob": "/"}}));
        let empty = commit(&[]);
        assert!(datums(&input, &|_| Some(&empty)).is_empty());
        assert!(datums(&input, &|_| None).is_empty());
    }

    #[test]
    fn the_hash_follows_content_names_and_salt() {
        let input = input(json!({"pfs": {"repo": "r", "glob": "/*"}}));
        let hashes = |files: &[(&str, &str)], salt: &str| -> Vec<String> {
            let commit = commit(files);
            let found = datums(&input, &|_| Some(&commit));
            found.iter().map(|datum| datum.hash(salt)).collect()
        };
        let before = hashes(&[("a", "1"), ("b", "2")], "s");
        let after = hashes(&[("a", "1"), ("b", "3")], "s");
        assert_eq!(before[0], after[0]);
        assert_ne!(before[1], after[1]);
        assert_ne!(before, hashes(&[("a", "1"), ("b", "2")], "t"));
        assert_ne!(hashes(&[("a/x", "1")], "s"), hashes(&[("a/y", "1")], "s"));
    }
}

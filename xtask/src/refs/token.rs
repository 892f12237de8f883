//! References in running text.

use std::ops::Range;

use semver::Version;

use crate::images::place::{PLACEHOLDER, Place};

/// A word that names one of the workspace's images, or might.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The image, a name of the workspace.
    pub(crate) name: String,
    /// Registry and project, as written.
    pub(crate) prefix: String,
    pub(crate) kind: Kind,
    /// Where the whole word stands in the text, in bytes.
    pub(crate) span: Range<usize>,
    pub(crate) prefix_span: Range<usize>,
    pub(crate) tag_span: Range<usize>,
}

/// What may be done with a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An image of the workspace at a version.
    Ours(Version),
    /// The same, but in another registry or project.
    Elsewhere(Version),
    /// Not to be changed, for this reason.
    Left(String),
}

/// Finds all words of `text` that end in the name of an image. A word is as
/// long as characters that a reference may hold follow each other, so that
/// `my-serve`, `serve-canary` and `x/serve/y` are words of their own.
pub(crate) fn find(text: &str, names: &[&str], place: &Place) -> Vec<Reference> {
    words(text)
        .filter_map(|span| {
            let word = text.get(span.clone())?;
            reference(word, span.start, names, place)
        })
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let part = |c: char| c.is_alphanumeric() || "._-:/@+".contains(c);
    text.split(move |c| !part(c))
        .filter(|word| !word.is_empty())
        .map(move |word| {
            let start = word.as_ptr().addr() - text.as_ptr().addr();
            start..start + word.len()
        })
}

fn reference(word: &str, at: usize, names: &[&str], place: &Place) -> Option<Reference> {
    // The way skopeo and podman say that a reference is meant.
    let skipped = if word.starts_with("docker://") { 9 } else { 0 };
    let bare = word.get(skipped..)?;
    let (tagged, digest) = match bare.split_once('@') {
        Some((tagged, digest)) => (tagged, Some(digest)),
        None => (bare, None),
    };
    let (prefix, last) = match tagged.rsplit_once('/') {
        Some((prefix, last)) => (Some(prefix), last),
        None => (None, tagged),
    };
    let (name, tag) = match last.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (last, None),
    };
    let name = names.iter().find(|known| **known == name)?;
    let kind = kind(prefix, tag, digest, place)?;
    let start = at + skipped;
    let prefix = prefix.unwrap_or_default();
    let tag_end = start + tagged.len();
    Some(Reference {
        name: (*name).to_owned(),
        prefix: prefix.to_owned(),
        kind,
        span: at..at + word.len(),
        prefix_span: start..start + prefix.len(),
        tag_span: tag_end - tag.map_or(0, str::len)..tag_end,
    })
}

/// What the word is; nothing when it is no reference at all, but a program or
/// a path of that name.
fn kind(
    prefix: Option<&str>,
    tag: Option<&str>,
    digest: Option<&str>,
    place: &Place,
) -> Option<Kind> {
    let left = |reason: String| Some(Kind::Left(reason));
    let ours = prefix.is_some_and(|prefix| is_ours(prefix, place));
    let registry = prefix.and_then(|prefix| prefix.split('/').next());
    let host = registry.is_some_and(|host| host.contains(['.', ':']) || host == "localhost");
    match (prefix, tag) {
        // `/serve` is a program, `models/serve` a folder.
        (_, None) if !host && digest.is_none() => return None,
        (None | Some(""), _) => return left("it names no registry".to_owned()),
        (Some(prefix), _) if prefix.contains("//") || prefix.starts_with('/') => {
            return left("it is no image reference".to_owned());
        }
        _ => {}
    }
    if let Some(digest) = digest {
        return left(format!("it is pinned to the digest {digest}"));
    }
    let Some(tag) = tag else {
        return left("it has no tag".to_owned());
    };
    match tag.parse::<Version>() {
        Ok(version) if version.build.is_empty() => Some(if ours {
            Kind::Ours(version)
        } else {
            Kind::Elsewhere(version)
        }),
        _ => left(format!("its tag {tag:?} is no version")),
    }
}

fn is_ours(prefix: &str, place: &Place) -> bool {
    let configured = prefix
        .strip_prefix(place.registry.as_str())
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|project| project == place.project);
    configured || prefix.split('/').any(|part| part == PLACEHOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            registry: "localhost:5000".to_owned(),
            project: "acme/ml".to_owned(),
        }
    }

    fn all(text: &str) -> Vec<Reference> {
        find(text, &["serve", "train"], &place())
    }

    /// The versions that would be raised.
    fn ours(text: &str) -> Vec<String> {
        let found = all(text).into_iter();
        found
            .filter_map(|reference| {
                assert!(text.get(reference.span.clone()).is_some());
                match reference.kind {
                    Kind::Ours(version) => {
                        let tag = text.get(reference.tag_span).unwrap();
                        assert_eq!(version.to_string(), tag);
                        Some(format!("{} {tag}", reference.name))
                    }
                    _ => None,
                }
            })
            .collect()
    }

    fn left(text: &str) -> String {
        match all(text).as_slice() {
            [
                Reference {
                    kind: Kind::Left(reason),
                    ..
                },
            ] => reason.clone(),
            [
                Reference {
                    kind: Kind::Elsewhere(version),
                    ..
                },
            ] => format!("elsewhere {version}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn finds_references_wherever_they_stand() {
        for (text, wanted) in [
            ("localhost:5000/acme/ml/serve:0.0.1", &["serve 0.0.1"][..]),
            (
                "--serving-image=localhost:5000/acme/ml/serve:0.0.10",
                &["serve 0.0.10"],
            ),
            (
                "--serving-image localhost:5000/acme/ml/serve:0.0.1-rc.1",
                &["serve 0.0.1-rc.1"],
            ),
            ("'localhost:5000/acme/ml/serve:0.0.1',x", &["serve 0.0.1"]),
            (
                "sh -c \"run \\\"localhost:5000/acme/ml/serve:0.0.1\\\"\"",
                &["serve 0.0.1"],
            ),
            (
                "localhost:5000/acme/ml/serve:0.0.1 localhost:5000/acme/ml/train:2.0.0",
                &["serve 0.0.1", "train 2.0.0"],
            ),
            ("gcr.io/PROJECT/serve:0.0.1", &["serve 0.0.1"]),
            (
                "docker://localhost:5000/acme/ml/serve:0.0.1",
                &["serve 0.0.1"],
            ),
        ] {
            assert_eq!(ours(text), wanted, "{text}");
        }
    }

    #[test]
    fn leaves_other_words_alone() {
        for text in [
            "",
            "serve",
            "/serve",
            "serve --port 9000",
            "/pfs/data/serve",
            "models/serve",
            "localhost:5000/acme/ml/serve-canary:0.0.1",
            "localhost:5000/acme/ml/my-serve:0.0.1",
            "localhost:5000/acme/ml/serve/y:0.0.1",
            "localhost:5000/acme/ml/preserve:0.0.1",
            "serve-0.0.1",
            "0.0.1",
        ] {
            assert_eq!(all(text), [], "{text}");
        }
    }

    #[test]
    fn says_why_a_reference_stays() {
        let digest = "localhost:5000/acme/ml/serve:0.0.1@sha256:aa";
        for (text, wanted) in [
            ("localhost:5000/acme/ml/serve", "it has no tag"),
            (
                "localhost:5000/acme/ml/serve:dev0.18",
                "its tag \"dev0.18\" is no version",
            ),
            (
                "localhost:5000/acme/ml/serve:04",
                "its tag \"04\" is no version",
            ),
            (
                "localhost:5000/acme/ml/serve:0.0.1.",
                "its tag \"0.0.1.\" is no version",
            ),
            (
                "localhost:5000/acme/ml/serve:1.0.0+2",
                "its tag \"1.0.0+2\" is no version",
            ),
            ("serve:0.0.1", "it names no registry"),
            ("$REGISTRY/serve:0.0.1", "elsewhere"),
            ("${REGISTRY}/serve:0.0.1", "it names no registry"),
            ("http://x/serve:0.0.1", "it is no image reference"),
            (digest, "it is pinned to the digest sha256:aa"),
            ("quay.io/other/serve:0.0.1", "elsewhere 0.0.1"),
            ("localhost:5000/acme/ml2/serve:0.0.1", "elsewhere 0.0.1"),
            ("xlocalhost:5000/acme/ml/serve:0.0.1", "elsewhere 0.0.1"),
            ("élocalhost:5000/acme/ml/serve:0.0.1", "elsewhere 0.0.1"),
        ] {
            assert!(left(text).starts_with(wanted), "{text}: {}", left(text));
        }
    }
}

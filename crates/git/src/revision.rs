//! Which commit a name means.

use gix_hash::{ObjectId, Prefix};
use gix_protocol::handshake::Ref;

use crate::Error;
use crate::session::{Session, named};

/// How many branches, and how many tags, an error names.
const LONGEST_LIST: usize = 20;

const SHORTEST_COMMIT: usize = 7;
const WHOLE_COMMIT: usize = 40;
const HEAD: &str = "HEAD";
const BRANCHES: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

/// The name of a revision, which may be one.
pub(crate) struct Revision<'a>(&'a str);

/// What a name means.
pub(crate) struct Found {
    /// A commit, or a tag of one.
    pub(crate) id: ObjectId,
    /// The full name; none for a commit.
    pub(crate) name: Option<String>,
}

impl<'a> Revision<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Error> {
        let refuse = |reason| {
            Err(Error::Revision {
                revision: text.to_owned(),
                reason,
            })
        };
        if text.is_empty() {
            return refuse("it is empty");
        }
        // The characters that no name has (`git help check-ref-format`).
        let is_wrong = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
        if text.contains(is_wrong) || text.contains("..") || text.contains("@{") {
            return refuse("give a branch, a tag or a commit, and nothing to compute one from");
        }
        Ok(Self(text))
    }

    /// Asks the server what the name means: a branch, else a tag, else a commit, as
    /// `git checkout` takes it.
    pub(crate) fn find(&self, session: &mut Session<'_>) -> Result<Found, Error> {
        let name = self.0;
        let mut prefixes = vec![HEAD, BRANCHES, TAGS];
        if name.starts_with("refs/") {
            prefixes.push(name);
        }
        let refs = session.refs(&prefixes)?;
        for full in [
            name.to_owned(),
            format!("{BRANCHES}{name}"),
            format!("{TAGS}{name}"),
        ] {
            let is_full = full == HEAD || full.starts_with("refs/");
            let mut exact = refs
                .iter()
                .filter(|r| named(r).is_some_and(|(n, _)| n == full));
            if let Some(found) = exact.next().filter(|_| is_full)
                && let Some((name, id)) = named(found)
            {
                let name = Some(target(found).unwrap_or(name));
                return Ok(Found { id, name });
            }
        }
        match self.digits() {
            Some(prefix) => self.commit(prefix, session, &refs),
            None => Err(self.unknown(session, &refs)),
        }
    }

    fn digits(&self) -> Option<Prefix> {
        let is_some = (SHORTEST_COMMIT..=WHOLE_COMMIT).contains(&self.0.len());
        let prefix = is_some.then(|| Prefix::from_hex(self.0));
        prefix.and_then(Result::ok)
    }

    fn commit(
        &self,
        prefix: Prefix,
        session: &mut Session<'_>,
        refs: &[Ref],
    ) -> Result<Found, Error> {
        if self.0.len() == WHOLE_COMMIT {
            let id = prefix.as_oid().to_owned();
            return Ok(Found { id, name: None });
        }
        match session.commits(prefix)?[..] {
            [id] => Ok(Found { id, name: None }),
            [] => Err(self.unknown(session, refs)),
            ref several => Err(Error::Ambiguous {
                url: session.remote().to_string(),
                revision: self.0.to_owned(),
                count: several.len(),
            }),
        }
    }

    fn unknown(&self, session: &Session<'_>, refs: &[Ref]) -> Error {
        let names: Vec<String> = refs.iter().filter_map(|r| Some(named(r)?.0)).collect();
        let branches = list("branches are", BRANCHES, &names);
        let tags = list("tags are", TAGS, &names);
        let known = match (branches, tags) {
            (None, None) => "it is empty".to_owned(),
            (Some(one), None) | (None, Some(one)) => format!("its {one}"),
            (Some(branches), Some(tags)) => format!("its {branches}, its {tags}"),
        };
        Error::NotFound {
            url: session.remote().to_string(),
            revision: self.0.to_owned(),
            known,
        }
    }
}

/// The branch that `HEAD` is of.
fn target(found: &Ref) -> Option<String> {
    match found {
        Ref::Symbolic { target, .. } => Some(target.to_string()),
        _ => None,
    }
}

fn list(what: &str, prefix: &str, names: &[String]) -> Option<String> {
    let names: Vec<&str> = names
        .iter()
        .filter_map(|n| n.strip_prefix(prefix))
        .collect();
    let shown = names.get(..LONGEST_LIST).unwrap_or(&names).join(", ");
    match names.len().saturating_sub(LONGEST_LIST) {
        _ if names.is_empty() => None,
        0 => Some(format!("{what} {shown}")),
        more => Some(format!("{what} {shown} and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_no_revisions() {
        for wrong in [
            "", "main~1", "main^", "a..b", "HEAD@{1}", "a b", "a:b", "x\n",
        ] {
            assert!(Revision::parse(wrong).is_err(), "{wrong:?}");
        }
        for (name, digits) in [
            ("main", false),
            ("abc123", false),
            ("abc1234", true),
            ("feature/x", false),
            ("0123456789012345678901234567890123456789", true),
            ("01234567890123456789012345678901234567890", false),
        ] {
            assert_eq!(Revision::parse(name).unwrap().digits().is_some(), digits);
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<_> = (0..22).map(|n| format!("refs/tags/v{n}")).collect();
        let text = list("tags are", TAGS, &names).unwrap();
        assert!(text.starts_with("tags are v0, v1") && text.ends_with("v19 and 2 more"));
        assert_eq!(list("branches are", BRANCHES, &names), None);
    }
}

//! What to raise, and to which version.

use anyhow::{Result, bail, ensure};
use semver::{BuildMetadata, Prerelease, Version};

use crate::images::place::check_tag;

/// The step from one version to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Patch,
    Minor,
    Major,
    /// To this very version.
    Exact(Version),
}

/// Separates `serve train minor` into names and step; `patch` when none is said.
///
/// # Errors
/// When the step is not the last word, or looks like a version and is none.
pub(crate) fn parse(words: &[String]) -> Result<(Vec<String>, Step)> {
    let mut names = words.to_vec();
    let step = match names.last().map(|word| step(word)) {
        Some(Some(step)) => {
            names.pop();
            step?
        }
        _ => Step::Patch,
    };
    for name in &names {
        if step_word(name) {
            bail!("{name:?} has to be the last word: `cargo xtask bump NAME… {name}`");
        }
    }
    Ok((names, step))
}

fn step(word: &str) -> Option<Result<Step>> {
    match word {
        "patch" => Some(Ok(Step::Patch)),
        "minor" => Some(Ok(Step::Minor)),
        "major" => Some(Ok(Step::Major)),
        _ if step_word(word) => Some(exact(word)),
        _ => None,
    }
}

/// No crate's name begins with a digit.
fn step_word(word: &str) -> bool {
    matches!(word, "patch" | "minor" | "major")
        || word
            .strip_prefix('v')
            .unwrap_or(word)
            .starts_with(|c: char| c.is_ascii_digit())
}

fn exact(word: &str) -> Result<Step> {
    let Ok(version) = word.parse::<Version>() else {
        bail!("{word:?} is no version; it takes three numbers, as 1.2.3 or 1.2.3-rc.1");
    };
    check_tag(&version)?;
    Ok(Step::Exact(version))
}

impl Step {
    /// The version after `from`. A pre-release becomes the release that it
    /// precedes, as semver orders them.
    ///
    /// # Errors
    /// When it is not higher, unless `downgrade` allows that.
    pub(crate) fn after(&self, from: &Version, downgrade: bool) -> Result<Version> {
        let mut to = from.clone();
        to.build = BuildMetadata::EMPTY;
        let released = to.pre.is_empty();
        to.pre = Prerelease::EMPTY;
        match self {
            Self::Patch if released => to.patch += 1,
            Self::Minor if released || to.patch > 0 => {
                (to.minor, to.patch) = (to.minor + 1, 0);
            }
            Self::Major if released || to.minor > 0 || to.patch > 0 => {
                (to.major, to.minor, to.patch) = (to.major + 1, 0, 0);
            }
            Self::Patch | Self::Minor | Self::Major => {}
            Self::Exact(version) => to = version.clone(),
        }
        let higher = to.cmp_precedence(from).is_gt();
        ensure!(
            higher || downgrade,
            "{to} is not higher than the present {from}; --allow-downgrade sets it nevertheless"
        );
        Ok(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn next(from: &str, step: &str) -> Result<String> {
        let (_, step) = parse(&words(step))?;
        let version = step.after(&from.parse().unwrap(), false)?;
        Ok(version.to_string())
    }

    #[test]
    fn follows_semver() {
        for (from, step, wanted) in [
            ("0.0.1", "patch", "0.0.2"),
            ("0.0.1", "", "0.0.2"),
            ("0.1.9", "minor", "0.2.0"),
            ("0.1.9", "major", "1.0.0"),
            ("0.0.2-rc.1", "patch", "0.0.2"),
            ("0.1.0-rc.1", "minor", "0.1.0"),
            ("0.1.1-rc.1", "minor", "0.2.0"),
            ("1.0.0-rc.1", "major", "1.0.0"),
            ("1.1.0-rc.1", "major", "2.0.0"),
            ("0.0.2-rc.1", "0.0.2-rc.2", "0.0.2-rc.2"),
            ("0.0.2-rc.2", "0.0.2-rc.10", "0.0.2-rc.10"),
            ("0.0.1+5", "patch", "0.0.2"),
        ] {
            assert_eq!(next(from, step).unwrap(), wanted, "{from} {step}");
        }
    }

    #[test]
    fn refuses_what_is_not_higher_or_no_version() {
        for (from, step, words) in [
            ("0.0.2", "0.0.2", "not higher"),
            ("0.0.2", "0.0.1", "--allow-downgrade"),
            ("0.0.2", "0.0.2-rc.1", "not higher"),
            ("0.0.2", "0.0.3+4", "docker tag"),
            ("0.0.2", "0.3", "three numbers"),
            ("0.0.2", "v0.0.3", "three numbers"),
            ("0.0.2", "04", "three numbers"),
            ("0.0.2", "minor serve", "last word"),
        ] {
            let error = next(from, step).unwrap_err().to_string();
            assert!(error.contains(words), "{step}: {error}");
        }
        let step = Step::Exact("0.0.1".parse().unwrap());
        assert!(step.after(&"0.0.2".parse().unwrap(), true).is_ok());
    }

    #[test]
    fn names_come_first() {
        let (names, step) = parse(&words("serve train minor")).unwrap();
        assert_eq!((names, step), (words("serve train"), Step::Minor));
    }
}

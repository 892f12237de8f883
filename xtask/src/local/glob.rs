//! Pachyderm's globs, which choose the datums of an input.
//!
//! The syntax is that of `ohmyglob`, which translates a glob into a regular
//! expression over the whole path: `*` and `?` stay within a path segment, `**`
//! does not; `[…]`, `{a,b}`, `\` and the extended `@(…)`, `?(…)`, `*(…)`, `+(…)`,
//! `!(…)` and `(…)`, which capture.

use anyhow::{Context, Result, bail};
use fancy_regex::{Captures, Regex};

/// A compiled glob.
#[derive(Debug)]
pub(super) struct Glob {
    /// `None` stands for `/`, the whole repo.
    regex: Option<Regex>,
}

impl Glob {
    /// Compiles a glob; one without a leading `/` gets it.
    ///
    /// # Errors
    ///
    /// When it is none: an open bracket, or an empty pattern in it.
    pub(super) fn new(glob: &str) -> Result<Self> {
        if glob.trim_matches('/').is_empty() {
            return Ok(Self { regex: None });
        }
        let compiled = || -> Result<Regex> {
            let mut reader = Reader::new(&format!("/{}", glob.trim_matches('/')));
            let pattern = reader.sequence(&[])?;
            Ok(Regex::new(&format!(r"\A{pattern}\z"))?)
        };
        let regex = compiled().with_context(|| format!("the glob {glob:?} cannot be used"))?;
        Ok(Self { regex: Some(regex) })
    }

    /// Whether it stands for the whole repo.
    pub(super) fn is_whole(&self) -> bool {
        self.regex.is_none()
    }

    fn captures<'a>(&self, path: &'a str) -> Option<Captures<'a, str>> {
        self.regex.as_ref()?.captures(path).ok().flatten()
    }

    /// Whether `path`, `/folder/file` without a `/` at its end, matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.captures(path).is_some()
    }

    /// `template` with `$1`, `$2`, … replaced by what was captured of `path`.
    pub(super) fn fill(&self, path: &str, template: &str) -> String {
        let mut filled = String::new();
        match self.captures(path) {
            Some(captures) => captures.expand(template, &mut filled),
            None => filled.push_str(template),
        }
        filled
    }
}

/// Translates a glob.
struct Reader {
    left: Vec<char>,
    at: usize,
}

impl Reader {
    fn new(glob: &str) -> Self {
        let left = glob.chars().collect();
        Self { left, at: 0 }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.left.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek(0);
        self.at += 1;
        next
    }

    /// Everything up to one of `ends`, which is left.
    fn sequence(&mut self, ends: &[char]) -> Result<String> {
        let mut pattern = String::new();
        while let Some(c) = self.peek(0).filter(|c| !ends.contains(c)) {
            if matches!(c, '*' | '?' | '+' | '@' | '!') && self.peek(1) == Some('(') {
                self.at += 2;
                pattern.push_str(&self.capture(c)?);
                continue;
            }
            self.at += 1;
            match c {
                '*' if self.peek(0) == Some('*') => {
                    self.at += 1;
                    pattern.push_str(".*");
                }
                '*' => pattern.push_str("[^/]*"),
                '?' => pattern.push_str("[^/]"),
                '(' => pattern.push_str(&self.capture('@')?),
                '{' => pattern.push_str(&format!("(?:{})", self.choices(',', '}')?)),
                '[' => pattern.push_str(&self.class()?),
                '\\' => {
                    let c = self.next().context("it ends with a \\")?;
                    pattern.push_str(&fancy_regex::escape(&c.to_string()));
                }
                c => pattern.push_str(&fancy_regex::escape(&c.to_string())),
            }
        }
        Ok(pattern)
    }

    fn choices(&mut self, between: char, end: char) -> Result<String> {
        let mut choices = Vec::new();
        loop {
            choices.push(self.sequence(&[between, end])?);
            match self.next() {
                Some(c) if c == end => return Ok(choices.join("|")),
                Some(_) => {}
                None => bail!("{end:?} is missing"),
            }
        }
    }

    fn capture(&mut self, quantifier: char) -> Result<String> {
        let inner = self.choices('|', ')')?;
        Ok(match quantifier {
            '@' => format!("({inner})"),
            '!' => {
                // At the end of the glob what is ruled out must be all of the rest.
                let end = if self.peek(0).is_some() { "" } else { r"\z" };
                format!("((?:(?!(?:{inner}){end})[^/]*))")
            }
            quantifier => format!("((?:{inner}){quantifier})"),
        })
    }

    fn class(&mut self) -> Result<String> {
        let mut class = String::from("[");
        if matches!(self.peek(0), Some('!' | '^')) {
            self.at += 1;
            class.push('^');
        }
        let start = self.at;
        loop {
            match self.next().context("']' is missing")? {
                ']' if self.at > start + 1 => break,
                '[' if self.peek(0) == Some(':') => class.push_str(&self.posix()?),
                '-' => class.push('-'),
                '\\' => {
                    let c = self.next().context("']' is missing")?;
                    class.push('\\');
                    class.push(c);
                }
                c if c.is_ascii_punctuation() => class.extend(['\\', c]),
                c => class.push(c),
            }
        }
        class.push(']');
        Ok(class)
    }

    /// The rest of `[:alpha:]`.
    fn posix(&mut self) -> Result<String> {
        let mut name = String::from("[");
        while let Some(c) = self.next() {
            name.push(c);
            if c == ']' {
                return Ok(name);
            }
        }
        bail!("':]' is missing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matches() {
        for (glob, matching, others) in [
            ("/*", &["/a", "/b.csv"][..], &["/a/b"][..]),
            ("*", &["/a"], &["/a/b"]),
            ("/*/*", &["/a/b"], &["/a", "/a/b/c"]),
            ("/data/*.csv", &["/data/x.csv"], &["/data/xcsv", "/x.csv"]),
            ("/**", &["/a", "/a/b", "/a/b/c"], &[]),
            ("/a?c", &["/abc"], &["/ac", "/a/c"]),
            ("/{a,b*}/x", &["/a/x", "/bb/x"], &["/c/x"]),
            ("/[a-c]", &["/b"], &["/d", "/-"]),
            ("/[!a-c]", &["/d"], &["/b"]),
            ("/[^.]x", &["/ax"], &["/.x"]),
            ("/[[:digit:]]", &["/4"], &["/a"]),
            (r"/a\*", &["/a*"], &["/ab"]),
            ("/!(b)", &["/a", "/bc"], &["/b"]),
            ("/!(b).csv", &["/a.csv"], &["/b.csv"]),
            ("/@(a|b)", &["/a", "/b"], &["/c", "/ab"]),
            ("/+(a|b)", &["/a", "/ab"], &["/", "/c"]),
            ("/x*(a)", &["/x", "/xaa"], &["/xb"]),
            ("/x?(a)", &["/x", "/xa"], &["/xaa"]),
            ("/a.b", &["/a.b"], &["/axb"]),
        ] {
            let compiled = Glob::new(glob).unwrap();
            for path in matching {
                assert!(compiled.matches(path), "{glob} {path}");
            }
            for path in others {
                assert!(!compiled.matches(path), "{glob} {path}");
            }
        }
        assert!(Glob::new("/").unwrap().is_whole());
    }

    #[test]
    fn captures_fill_a_template() {
        let glob = Glob::new("/(*)-(?)/*.csv").unwrap();
        assert_eq!(glob.fill("/shop-4/x.csv", "$2/$1"), "4/shop");
        let glob = Glob::new("/{x,y}/!(b)").unwrap();
        assert_eq!(glob.fill("/y/c", "$1"), "c");
    }

    #[test]
    fn what_is_open_is_refused() {
        for glob in ["/{a", "/[a", "/(a", r"/a\", "/[z-a]"] {
            let error = Glob::new(glob).unwrap_err().to_string();
            assert!(error.contains("cannot be used"), "{error}");
        }
    }
}

//! What a container file says of an image: one program and how it is started.
//!
//! xtask assembles images itself, so that one commit is one image ID whatever the
//! engine and its builder are. It understands the instructions that an image from
//! scratch with one program takes, and refuses every other one.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

/// A line of a container file, continued lines joined.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// Counted from 1.
    pub(crate) line: usize,
    /// In capitals: `FROM`.
    pub(crate) word: String,
    pub(crate) rest: String,
}

/// The instructions of a container file, in its order.
pub(crate) fn instructions(text: &str) -> Vec<Instruction> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') || (line.is_empty() && open.is_none()) {
            continue;
        }
        let (number, mut whole) = open.take().unwrap_or((index + 1, String::new()));
        match line.strip_suffix('\\') {
            Some(part) => {
                whole.push_str(part);
                open = Some((number, whole));
            }
            None => {
                whole.push_str(line);
                found.push(instruction(number, &whole));
            }
        }
    }
    found.extend(open.map(|(number, whole)| instruction(number, &whole)));
    found
}

fn instruction(line: usize, text: &str) -> Instruction {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Instruction {
        line,
        word: word.to_ascii_uppercase(),
        rest: rest.trim().to_owned(),
    }
}

/// The line that puts ONNX Runtime, and what it needs, into an image.
pub(crate) const LIBRARIES: &str = "libraries/ /";

/// Whether the image of this container file holds ONNX Runtime.
pub(crate) fn takes_libraries(text: &str) -> bool {
    let mut all = instructions(text).into_iter();
    all.any(|one| one.word == "COPY" && one.rest == LIBRARIES)
}

/// The `config` of the image of the program `name`, with the keys of the OCI
/// image specification.
///
/// # Errors
/// When the file says something that an image with one program from scratch
/// does not take, with the line.
pub(crate) fn config(text: &str, name: &str) -> Result<Map<String, Value>> {
    let mut config = Map::new();
    let (mut scratch, mut copied, mut libraries) = (false, false, false);
    for one in instructions(text) {
        let Instruction { line, word, rest } = &one;
        let said = || format!("line {line}: {word} {rest}");
        match word.as_str() {
            "FROM" if rest == "scratch" && !scratch => scratch = true,
            "COPY" if *rest == format!("{name} /{name}") && !copied => copied = true,
            "COPY" if rest == LIBRARIES && !libraries => libraries = true,
            "USER" => set(&mut config, "User", json!(rest)),
            "STOPSIGNAL" => set(&mut config, "StopSignal", json!(rest)),
            "ENTRYPOINT" => set(&mut config, "Entrypoint", words(rest).with_context(said)?),
            "CMD" => set(&mut config, "Cmd", words(rest).with_context(said)?),
            "EXPOSE" => add(&mut config, "ExposedPorts", ports(rest).with_context(said)?),
            "LABEL" => {
                let labels = pairs(rest).with_context(said)?;
                let labels = labels.into_iter().map(|(key, value)| (key, json!(value)));
                add(&mut config, "Labels", labels.collect());
            }
            "ENV" => {
                let variables = pairs(rest).with_context(said)?.into_iter();
                let variables = variables.map(|(key, value)| json!(format!("{key}={value}")));
                let list = config.entry("Env").or_insert_with(|| json!([]));
                if let Value::Array(list) = list {
                    list.extend(variables);
                }
            }
            _ => bail!(
                "{}: an image here is FROM scratch with COPY {name} /{name}, and takes \
                 COPY {LIBRARIES}, USER, ENTRYPOINT and CMD as JSON lists, EXPOSE, ENV, LABEL and STOPSIGNAL besides",
                said()
            ),
        }
    }
    ensure!(scratch, "there is no FROM scratch");
    ensure!(copied, "there is no COPY {name} /{name}");
    Ok(config)
}

fn set(config: &mut Map<String, Value>, key: &str, value: Value) {
    config.insert(key.to_owned(), value);
}

fn add(config: &mut Map<String, Value>, key: &str, more: Map<String, Value>) {
    let all = config.entry(key).or_insert_with(|| json!({}));
    if let Value::Object(all) = all {
        all.extend(more);
    }
}

/// `["/serve", "--port", "9000"]`.
fn words(text: &str) -> Result<Value> {
    let words: Vec<String> = serde_json::from_str(text)
        .context("it takes a JSON list of strings, since there is no shell")?;
    ensure!(!words.is_empty(), "the list is empty");
    Ok(json!(words))
}

/// `9000 6000/udp`, as the keys that the specification wants.
fn ports(text: &str) -> Result<Map<String, Value>> {
    let port = |port: &str| {
        let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        let known = matches!(protocol, "tcp" | "udp" | "sctp");
        ensure!(
            known && number.parse::<u16>().is_ok(),
            "{port:?} is no port"
        );
        Ok((format!("{number}/{protocol}"), json!({})))
    };
    text.split_whitespace().map(port).collect()
}

/// `KEY=VALUE` pairs; a value with blanks stands in double quotes.
fn pairs(text: &str) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').context("it takes KEY=VALUE")?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').context("a quote is not closed")?,
            None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        let plain = |text: &str| !text.contains(['$', '\\', '\'', '"']);
        ensure!(
            plain(key) && plain(value) && !key.contains(char::is_whitespace),
            "{key}={value}: variables, escapes and single quotes are not expanded here"
        );
        found.insert(key.to_owned(), value.to_owned());
        rest = after.trim_start();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# x\nFROM scratch\nUSER 8888:0\nexpose 9000 \\\n  6000/udp\n\
        ENV A=1 B=\"x y\"\nLABEL c=d\nENTRYPOINT [\"/serve\"]\nCOPY serve /serve\n";

    #[test]
    fn becomes_the_configuration() {
        let wanted = json!({
            "User": "8888:0",
            "ExposedPorts": {"9000/tcp": {}, "6000/udp": {}},
            "Env": ["A=1", "B=x y"],
            "Labels": {"c": "d"},
            "Entrypoint": ["/serve"],
        });
        assert_eq!(Value::Object(config(GOOD, "serve").unwrap()), wanted);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for (from, to, wanted) in [
            ("FROM scratch", "FROM alpine", "line 2: FROM alpine"),
            ("FROM scratch", "", "there is no FROM scratch"),
            (
                "COPY serve /serve",
                "COPY serve /bin/",
                "line 9: COPY serve /bin/",
            ),
            ("COPY serve /serve", "", "there is no COPY serve /serve"),
            ("LABEL c=d", "RUN true", "line 7: RUN true"),
            (
                "LABEL c=d",
                "LABEL c",
                "line 7: LABEL c: it takes KEY=VALUE",
            ),
            ("LABEL c=d", "ENV A=$B", "are not expanded"),
            ("9000", "http", "\"http\" is no port"),
            ("[\"/serve\"]", "/serve", "JSON list"),
        ] {
            let error = config(&GOOD.replace(from, to), "serve").unwrap_err();
            assert!(format!("{error:#}").contains(wanted), "{error:#}");
        }
    }
}

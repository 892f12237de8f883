//! Whether the container files agree with the crates.

use std::fs;

use anyhow::Result;

use super::Problem;
use crate::images::containerfile;
use crate::workspace::Workspace;

/// Adds what is wrong with `containers/`.
///
/// # Errors
/// When a file that is there cannot be read.
pub(crate) fn check(workspace: &Workspace, problems: &mut Vec<Problem>) -> Result<()> {
    for image in &workspace.images {
        let file = format!("containers/{}/Dockerfile", image.name);
        match fs::read_to_string(workspace.dockerfile(&image.name)) {
            Ok(text) => {
                let found = dockerfile(&text, &image.name).into_iter();
                problems.extend(found.map(|(line, message)| Problem {
                    file: file.clone(),
                    line,
                    message,
                    ..Problem::default()
                }));
            }
            Err(error) => problems.push(Problem {
                file,
                message: format!("the image {} has no container file: {error}", image.name),
                ..Problem::default()
            }),
        }
    }
    strangers(workspace, problems)
}

/// Folders of `containers/` that belong to no image.
fn strangers(workspace: &Workspace, problems: &mut Vec<Problem>) -> Result<()> {
    let folder = workspace.root.join("containers");
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if !workspace.images.iter().any(|image| image.name == name) {
            problems.push(Problem {
                file: format!("containers/{name}"),
                message: format!(
                    "{name} is not among `names` of [workspace.metadata.images] in Cargo.toml"
                ),
                ..Problem::default()
            });
        }
    }
    Ok(())
}

/// Lines and messages of what breaks the image's contract: from nothing, one
/// program in the root, started as such by a user with a number.
fn dockerfile(text: &str, name: &str) -> Vec<(Option<usize>, String)> {
    let lines = containerfile::instructions(text);
    let lines: Vec<(usize, &str, &str)> = lines
        .iter()
        .map(|one| (one.line, one.word.as_str(), one.rest.as_str()))
        .collect();
    let mut found = Vec::new();
    let program = format!("{name} /{name}");
    let entry = format!("[\"/{name}\"]");
    for (word, wanted) in [
        ("FROM", "scratch"),
        ("COPY", &program),
        ("ENTRYPOINT", &entry),
    ] {
        let such = lines.iter().filter(|(_, key, _)| *key == word);
        let mut such = such.filter(|(_, _, rest)| *rest != containerfile::LIBRARIES);
        match (such.next(), such.next()) {
            (Some((_, _, rest)), None) if *rest == wanted => {}
            (Some((line, _, rest)), None) => {
                found.push((
                    Some(*line),
                    format!("{word} {rest} should be {word} {wanted}"),
                ));
            }
            (None, _) => found.push((None, format!("there is no {word} {wanted}"))),
            (_, Some((line, ..))) => found.push((Some(*line), format!("a second {word}"))),
        }
    }
    let user = lines.iter().find(|(_, word, _)| *word == "USER");
    match user {
        Some((_, _, user)) if is_plain_user(user) => {}
        Some((line, _, user)) => found.push((
            Some(*line),
            format!("USER {user} should be a number other than 0, as 8888:0"),
        )),
        None => found.push((None, "there is no USER, and root it must not be".to_owned())),
    }
    if let (true, Err(error)) = (found.is_empty(), containerfile::config(text, name)) {
        found.push((None, format!("{error:#}")));
    }
    found
}

fn is_plain_user(user: &str) -> bool {
    let mut parts = user.split(':').map(|part| part.parse::<u32>());
    matches!(parts.next(), Some(Ok(1..))) && parts.all(|part| part.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "# x\nFROM scratch\nUSER 8888:0\nENTRYPOINT [\"/serve\"]\nCOPY serve /serve\n";

    #[test]
    fn says_what_breaks_the_contract() {
        assert_eq!(dockerfile(GOOD, "serve"), []);
        for (from, to, wanted) in [
            (
                "FROM scratch",
                "FROM alpine",
                "FROM alpine should be FROM scratch",
            ),
            (
                "COPY serve /serve",
                "COPY serve /bin/serve",
                "should be COPY serve /serve",
            ),
            ("COPY serve /serve", "", "there is no COPY"),
            ("[\"/serve\"]", "/serve", "should be ENTRYPOINT"),
            ("USER 8888:0", "", "no USER"),
            ("USER 8888:0", "USER 0", "other than 0"),
            ("USER 8888:0", "USER nobody", "other than 0"),
            ("USER 8888:0", "USER 1\nWORKDIR /x", "line 4: WORKDIR /x"),
            ("USER 8888:0", "USER 1\nCOPY x /x", "a second COPY"),
        ] {
            let found = dockerfile(&GOOD.replace(from, to), "serve");
            let [(_, message)] = found.try_into().unwrap();
            assert!(message.contains(wanted), "{message}");
        }
    }
}

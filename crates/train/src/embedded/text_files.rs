//! Finds texts that are a file each.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use model::Digest;

use super::examples::{Content, Examples, Kind};
use super::labelled::{self, Loaded, digest, is_table};
use crate::TrainingOptions;
use crate::data::{TEXTS, all_files, has_extension, instead};
use crate::experiment::{Experiment, Labels};
use crate::progress::step;

/// The largest file of a text, in bytes; no backbone reads as much.
const LARGEST: u64 = 1 << 20;

/// What some editors write before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads all text files below the data folder, with their classes; none where the
/// texts are the rows of CSV files.
///
/// # Errors
///
/// When there are neither, when both may be meant, or nothing tells the classes.
pub(super) fn read(args: &TrainingOptions, experiment: &Experiment) -> Result<Option<Examples>> {
    let folder = args.data_folder();
    let (texts, others): (Vec<String>, Vec<String>) = all_files(&folder)?
        .into_iter()
        .partition(|path| has_extension(path, &TEXTS));
    let has_tables = others.iter().any(|path| is_table(path));
    let told = match experiment.labels {
        Some(Labels::Csv) => return labelled::need_table(args, &others).map(|()| None),
        Some(Labels::Prefix) => labelled::by_prefix(&texts),
        Some(Labels::Folder) => labelled::by_folder(&texts),
        None if has_tables => return are_rows(&texts).map(|()| None),
        None if texts.is_empty() => bail!("{}", nothing(args, &others)),
        None => labelled::detect(&texts, Kind::Texts)?,
    };
    if texts.is_empty() {
        bail!("{}", nothing(args, &others));
    }
    let examples = labelled::examples((&folder, &texts), Kind::Texts, told, load)?;
    for path in &others {
        step(format_args!(
            "left out the file {path}, which is no *.txt file"
        ));
    }
    Ok(Some(examples))
}

/// Whether the rows of CSV files are meant, that lie beside `texts`.
fn are_rows(texts: &[String]) -> Result<()> {
    let in_folders = texts.iter().filter(|path| path.contains('/'));
    let in_folders: Vec<String> = in_folders.cloned().collect();
    if labelled::is_sensible(&labelled::by_folder(&in_folders), &in_folders) {
        bail!(
            "there are CSV files, and {} and others in folders: set `labels: csv` in the experiment \
             file if the texts are the rows of the CSV files, or `labels: folder` if they are the \
             *.txt files",
            in_folders.first().map_or("", String::as_str)
        );
    }
    Ok(())
}

fn nothing(args: &TrainingOptions, others: &[String]) -> String {
    format!(
        "there is no text in the input {}{}; put texts into a CSV file with the columns text and \
         label, or each into a *.txt file in a folder named after its class (as good/1.txt)",
        args.input,
        instead(others)
    )
}

fn load(name: &str, path: &Path) -> Result<Loaded> {
    let unreadable = || format!("cannot read {}", path.display());
    let size = fs::metadata(path).with_context(unreadable)?.len();
    if size > LARGEST {
        let most = LARGEST >> 20;
        let reason = format!("the file has more than {most} MiB");
        return Ok((digest(path)?, Err(reason)));
    }
    let bytes = fs::read(path).with_context(unreadable)?;
    let text = text_of(&bytes).map(|text| Content::Text(text, Arc::from(name)));
    Ok((Digest::of(&bytes), text))
}

/// The text that a file holds, without space around it, or why it holds none.
fn text_of(bytes: &[u8]) -> Result<String, String> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to();
        format!("it is not UTF-8 text from byte {place} on: save it as UTF-8")
    })?;
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        text if text.contains('\0') => Err("it holds binary data".to_owned()),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_utf_8_and_not_empty() {
        let read = |bytes: &[u8]| text_of(bytes);
        assert_eq!(read(b"\xef\xbb\xbf so, so\r\n").unwrap(), "so, so");
        assert_eq!(read("süß\n".as_bytes()).unwrap(), "süß");
        for (bytes, words) in [
            (&b"so\xff"[..], "from byte 2 on"),
            (b"\xff\xfes\0o\0", "not UTF-8"),
            (b"s\0o", "binary"),
            (b"\xef\xbb\xbf \n", "empty"),
            (b"", "empty"),
        ] {
            let reason = read(bytes).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        }
    }
}

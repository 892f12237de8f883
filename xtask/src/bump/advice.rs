//! What has to be done with the pipelines whose descriptors changed.

use super::plan::Affected;

/// A command for each file, in their order, with the pipelines it
/// is about.
///
/// Pachyderm skips the data it has processed: when only an argument changes, an
/// update alone has no effect until new data comes.
pub(crate) fn updates(affected: &[Affected]) -> Vec<String> {
    let mut affected: Vec<&Affected> = affected.iter().collect();
    affected.sort_by_key(|one| &one.file);
    let files = affected.chunk_by(|one, other| one.file == other.file);
    files.filter_map(update).collect()
}

fn update(affected: &[&Affected]) -> Option<String> {
    let file = &affected.first()?.file;
    let names = |image: bool| -> Vec<&str> {
        let such = affected.iter().filter(|one| one.image == image);
        such.map(|one| one.pipeline.as_str()).collect()
    };
    let command = format!("pachctl update pipeline -f {file}");
    Some(match (names(true).as_slice(), names(false).as_slice()) {
        (images, []) => format!("{command} (new image for {})", images.join(", ")),
        ([], arguments) => format!(
            "{command} --reprocess (new argument for {}, which has no effect on data that is \
             processed already)",
            arguments.join(", ")
        ),
        (images, arguments) => format!(
            "{command} (new image for {}; {} has a new argument only and needs --reprocess, \
             which takes all pipelines of a file: give it a file of its own)",
            images.join(", "),
            arguments.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn affected(pipeline: &str, file: &str, image: bool) -> Affected {
        Affected {
            pipeline: pipeline.to_owned(),
            file: file.to_owned(),
            image,
        }
    }

    #[test]
    fn an_argument_alone_needs_reprocessing() {
        let all = [
            affected("train", "a.json", true),
            affected("deploy", "b.json", false),
            affected("x", "c.json", true),
            affected("y", "c.json", false),
        ];
        let [a, b, c] = updates(&all).try_into().unwrap();
        assert_eq!(a, "pachctl update pipeline -f a.json (new image for train)");
        assert!(
            b.starts_with("pachctl update pipeline -f b.json --reprocess"),
            "{b}"
        );
        assert!(
            c.starts_with("pachctl update pipeline -f c.json (new image for x; y"),
            "{c}"
        );
    }
}

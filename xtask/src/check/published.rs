//! Whether the images that pipelines name are in their registries.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Problem;
use crate::refs::{Descriptor, Node};
use crate::registry::{self, Registry};

const LIMIT: Duration = Duration::from_secs(60);

/// Adds every image that its registry does not hold, and every registry that
/// does not say.
pub(crate) fn check(descriptors: &[Descriptor], problems: &mut Vec<Problem>) {
    for (reference, (descriptor, start, path)) in images(descriptors) {
        let (host, repository, tag) = registry::parts(&reference);
        let answer = Registry::new(&host, &repository, false, LIMIT).holds(&tag);
        let (message, help) = match answer {
            Ok(true) => continue,
            Ok(false) => (
                format!("{reference} is not in the registry"),
                Some("publish it with `cargo xtask images --push`".to_owned()),
            ),
            Err(error) => (format!("{reference}: {error:#}"), None),
        };
        problems.push(Problem {
            file: descriptor.path.display().to_string(),
            line: Some(descriptor.line(start).line),
            path: Some(path),
            message,
            help,
        });
    }
}

type Place<'a> = (&'a Descriptor, usize, String);

/// Each image with the first place that names it: the workers' own images, and
/// ours wherever they stand.
fn images(descriptors: &[Descriptor]) -> BTreeMap<String, Place<'_>> {
    let mut images = BTreeMap::new();
    for descriptor in descriptors {
        for document in &descriptor.documents {
            document.strings("", &mut |path, node: &Node| {
                let path = path.to_string();
                if path == "transform.image" || path.ends_with(".transform.image") {
                    let reference = node.text().unwrap_or_default().to_owned();
                    let place = (descriptor, node.span.start, path);
                    images.entry(reference).or_insert(place);
                }
            });
        }
        for hit in descriptor.hits.iter().filter(|hit| hit.pipeline.is_some()) {
            let start = hit.reference.span.start;
            let reference = descriptor.text.get(hit.reference.span.clone());
            let reference = reference.unwrap_or_default();
            let reference = reference.strip_prefix("docker://").unwrap_or(reference);
            let place = (descriptor, start, hit.path.clone());
            images.entry(reference.replace("\\/", "/")).or_insert(place);
        }
    }
    images
}

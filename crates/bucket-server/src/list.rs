//! Lists of objects, in pages.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::Answer;

/// Names of a page. The clouds' own pages have a thousand and more: a client that
/// takes the first for all must be seen with few objects.
const PAGE: usize = 3;

/// A line of a list.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Object(String, usize),
    /// What several objects' names begin with, up to the delimiter.
    Folder(String),
}

impl Line {
    fn name(&self) -> &str {
        match self {
            Self::Object(name, _) | Self::Folder(name) => name,
        }
    }
}

/// The list that a request wants; none, where it wants an object.
pub(crate) fn listed(
    path: &str,
    query: &str,
    objects: &BTreeMap<String, Answer>,
) -> Option<Vec<u8>> {
    let query: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
    let get = |name: &str| query.get(name).map_or("", |value| value.as_ref());
    let is_azure = get("comp") == "list";
    if !is_azure && get("list-type") != "2" {
        return None;
    }
    let bucket = format!("{}/", path.trim_end_matches('/'));
    let after = match is_azure {
        true => get("marker"),
        false => get("continuation-token"),
    };
    let lines = lines(&bucket, get("prefix"), get("delimiter"), objects);
    let mut rest = lines.into_iter().skip_while(|line| line.name() <= after);
    let page: Vec<Line> = rest.by_ref().take(PAGE).collect();
    let more = rest.next().is_some();
    let next = page.last().filter(|_| more).map(|line| line.name());
    let text = match is_azure {
        true => azure(&page, next),
        false => s3(&page, next),
    };
    Some(text.into_bytes())
}

fn lines(
    bucket: &str,
    prefix: &str,
    delimiter: &str,
    objects: &BTreeMap<String, Answer>,
) -> Vec<Line> {
    let mut folders = BTreeSet::new();
    let mut lines = Vec::new();
    for (path, answer) in objects {
        let Some(name) = path.strip_prefix(bucket) else {
            continue;
        };
        let Some(rest) = name.strip_prefix(prefix) else {
            continue;
        };
        let folder = rest.find(delimiter).filter(|_| !delimiter.is_empty());
        match (folder, answer) {
            (Some(end), _) => {
                let folder = name[..prefix.len() + end + delimiter.len()].to_owned();
                if folders.insert(folder.clone()) {
                    lines.push(Line::Folder(folder));
                }
            }
            (None, Answer::Content(bytes)) => {
                lines.push(Line::Object(name.to_owned(), bytes.len()));
            }
            (None, Answer::Status(_)) => lines.push(Line::Object(name.to_owned(), 0)),
        }
    }
    lines.sort_by(|a, b| a.name().cmp(b.name()));
    lines
}

fn s3(page: &[Line], next: Option<&str>) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult>".to_owned();
    let _ = write!(text, "<IsTruncated>{}</IsTruncated>", next.is_some());
    for line in page {
        let _ = match line {
            Line::Object(name, size) => write!(
                text,
                "<Contents><Key>{name}</Key><LastModified>2015-10-21T07:28:00.000Z</LastModified>\
                 <ETag>&quot;1&quot;</ETag><Size>{size}</Size></Contents>"
            ),
            Line::Folder(name) => {
                write!(
                    text,
                    "<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"
                )
            }
        };
    }
    if let Some(next) = next {
        let _ = write!(
            text,
            "<NextContinuationToken>{next}</NextContinuationToken>"
        );
    }
    text + "</ListBucketResult>"
}

fn azure(page: &[Line], next: Option<&str>) -> String {
    let mut text =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>".to_owned();
    for line in page {
        let _ = match line {
            Line::Object(name, size) => write!(
                text,
                "<Blob><Name>{name}</Name><Properties>\
                 <Last-Modified>Wed, 21 Oct 2015 07:28:00 GMT</Last-Modified><Etag>0x1</Etag>\
                 <Content-Length>{size}</Content-Length><Content-Type>text/plain</Content-Type>\
                 </Properties></Blob>"
            ),
            Line::Folder(name) => write!(text, "<BlobPrefix><Name>{name}</Name></BlobPrefix>"),
        };
    }
    let _ = write!(
        text,
        "</Blobs><NextMarker>{}</NextMarker>",
        next.unwrap_or_default()
    );
    text + "</EnumerationResults>"
}

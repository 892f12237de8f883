//! Generated descriptors: whatever stands in them, a bump changes exactly the
//! references that it should.

use std::fs;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::plan::{self, Raise, Rules};
use crate::images::place::Place;
use crate::workspace::Workspace;

const MANIFEST: &str = "[workspace]\n[workspace.metadata.images]\nregistry = \"localhost:5000\"\n\
    project = \"acme\"\nnames = [\"serve\"]\n";

/// A part of a string: words, or a reference with this version.
#[derive(Clone, Debug)]
enum Part {
    Noise(String),
    Ours(&'static str),
}

fn part() -> impl Strategy<Value = Part> {
    let words = prop::sample::select(vec![
        "serve",
        "/serve",
        "localhost:5000/acme/my-serve:0.0.1",
        "localhost:5000/acme/serve-canary:0.0.1",
        "localhost:5000/acme/serve/y:0.0.1",
        "localhost:5000/acme/serve",
        "localhost:5000/acme/serve:dev0.18",
        "localhost:5000/acme/serve:0.0.1@sha256:aa",
        "quay.io/acme/serve:0.0.1",
        "serve:0.0.1",
        "0.0.1",
        "é\u{1f600}",
        "\u{0}\u{7f}\t\n",
        "\\n\\",
    ]);
    prop_oneof![
        words.prop_map(|word| Part::Noise(word.to_owned())),
        "[ -~]{0,12}".prop_map(Part::Noise),
        prop::sample::select(vec!["0.0.1", "0.0.3", "0.0.0"]).prop_map(Part::Ours),
    ]
}

/// A string before and after, as `[before, after]`.
fn text() -> impl Strategy<Value = Value> {
    let joint = prop::sample::select(vec![" ", "\"", "'", ",", "=", "\n", "(", "\\", "|"]);
    prop::collection::vec((part(), joint), 0..5).prop_map(|parts| {
        let (mut before, mut after) = (String::new(), String::new());
        for (part, joint) in parts {
            let (old, new) = match part {
                Part::Noise(noise) => (noise.clone(), noise),
                Part::Ours(version) => {
                    let name = "localhost:5000/acme/serve";
                    (format!("{name}:{version}"), format!("{name}:0.0.9"))
                }
            };
            // Blanks on both sides: what stands beside it must not join it.
            before.push_str(&format!(" {old} {joint}"));
            after.push_str(&format!(" {new} {joint}"));
        }
        json!({"before": before, "after": after})
    })
}

/// A tree whose strings are as `text` gives them.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"before": null, "after": null})),
        any::<bool>().prop_map(|value| json!({"before": value, "after": value})),
        any::<i32>().prop_map(|value| json!({"before": value, "after": value})),
        text(),
        text(),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..5);
        let map = prop::collection::btree_map("[a-z/. \"]{1,6}", inner, 0..5);
        prop_oneof![
            list.prop_map(|items| both(|side| items
                .iter()
                .map(|item| item[side].clone())
                .collect())),
            map.prop_map(|entries| both(|side| {
                let entries = entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value[side].clone()));
                Value::Object(entries.collect::<Map<String, Value>>())
            })),
        ]
    })
}

fn both(side: impl Fn(&str) -> Value) -> Value {
    json!({"before": side("before"), "after": side("after")})
}

/// The descriptor with this tree in it, and at least one reference.
fn descriptor(tree: &Value, version: &str) -> Value {
    json!({
        "pipeline": {"name": "x"},
        "transform": {"image": format!("localhost:5000/acme/serve:{version}"), "x": tree},
    })
}

/// The text of `file` after a bump of serve from 0.0.1 to 0.0.9.
fn bumped(file: &str, text: &str) -> String {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let package = "name = \"serve\"\nversion = \"0.0.1\"\n";
    write("Cargo.toml", MANIFEST);
    write("crates/serve/Cargo.toml", &format!("[package]\n{package}"));
    write(&format!("pipelines/{file}"), text);
    let place = Place {
        registry: "localhost:5000".to_owned(),
        project: "acme".to_owned(),
    };
    let rules = Rules {
        place: &place,
        move_from: None,
        allow_downgrade: false,
        unused: false,
    };
    let raise = Raise {
        name: "serve".to_owned(),
        from: "0.0.1".parse().unwrap(),
        to: "0.0.9".parse().unwrap(),
    };
    let workspace = Workspace::at(root.path()).unwrap();
    let plan = plan::plan(&workspace, &[raise], &rules).unwrap();
    assert_eq!(plan.problems, Vec::<String>::new(), "{text}");
    let change = plan
        .changes
        .iter()
        .find(|change| change.path.ends_with(file));
    change.unwrap().after.clone()
}

/// The ways in which people and programs write the same JSON.
fn json_texts(value: &Value) -> Vec<String> {
    let pretty = serde_json::to_string_pretty(value).unwrap();
    let slashes = pretty.replace('/', "\\/");
    let ascii: String = pretty
        .chars()
        .map(|c| {
            let mut units = [0; 2];
            let escaped = |unit: &mut u16| format!("\\u{unit:04x}");
            if c.is_ascii() {
                c.to_string()
            } else {
                c.encode_utf16(&mut units).iter_mut().map(escaped).collect()
            }
        })
        .collect();
    let windows = format!("\u{feff}{}\r\n \t", pretty.replace('\n', "\r\n"));
    vec![value.to_string(), pretty, slashes, ascii, windows]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn json_changes_in_its_references_alone(tree in tree()) {
        let before = json_texts(&descriptor(&tree["before"], "0.0.1"));
        let after = json_texts(&descriptor(&tree["after"], "0.0.9"));
        for (before, after) in before.iter().zip(&after) {
            prop_assert_eq!(&bumped("x.json", before), after);
        }
    }

    #[test]
    fn yaml_changes_in_its_references_alone(tree in tree()) {
        let text = |value: &Value| serde_saphyr::to_string(value).unwrap();
        let before = text(&descriptor(&tree["before"], "0.0.1"));
        let after = text(&descriptor(&tree["after"], "0.0.9"));
        prop_assert_eq!(bumped("x.yaml", &before), after);
    }

    #[test]
    fn references_of_any_text_are_within_it(text in "[ -~éß\\n]{0,60}") {
        let place = Place { registry: "localhost:5000".to_owned(), project: "acme".to_owned() };
        let soup = format!("{text}/serve:0.0.1{text} acme/serve{text}");
        for found in crate::refs::find(&soup, &["serve"], &place) {
            let word = soup.get(found.span.clone()).unwrap();
            prop_assert!(word.contains("serve"));
            prop_assert!(soup.get(found.tag_span).is_some());
            prop_assert!(soup.get(found.prefix_span).is_some());
        }
    }
}

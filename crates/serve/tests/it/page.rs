//! The page for people.

use serde_json::{Value, json};

use crate::support::package;
use crate::support::server::{Server, bare, command};

fn card(server: &Server) -> Value {
    let cards = server.get("/page/card").json();
    assert_eq!(cards["models"].as_array().unwrap().len(), 1, "{cards}");
    cards["models"][0].clone()
}

#[test]
fn it_is_one_document_that_asks_nobody_else() {
    let server = Server::start(&package::iris());
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("cache-control"), "no-cache");
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'; ",
        "script-src 'sha256-",
        "style-src 'sha256-",
        "connect-src 'self'; ",
        "frame-ancestors 'none'; ",
    ] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for part in ["http:", "https:", "src=", "innerHTML", "style=\""] {
        let known = page.body.replace("http://www.w3.org/2000/svg", "");
        assert!(!known.contains(part), "{part}");
    }
    let metrics = server.scrape("/metrics").body;
    assert!(metrics.contains(r#"method="page""#), "{metrics}");
}

#[test]
fn it_can_be_turned_off() {
    let package = package::iris();
    let server = Server::ready(command(package.folder()).env("SERVE_PAGE", "false"));
    for path in ["/", "/page/card"] {
        let reply = server.get(path);
        assert_eq!(reply.status, 404, "{path}: {}", reply.body);
        assert!(reply.body.contains("there is no path"), "{}", reply.body);
    }
    assert_eq!(server.get("/v2/models/iris").status, 200);
}

#[test]
fn the_card_of_a_table() {
    let package = package::mixed();
    let card = card(&Server::start(&package));
    let expected = json!({
        "name": "mixed", "version": package::VERSION, "digest": package.digest.to_string(),
        "takes": {"kind": "rows", "columns": [
            {"name": "length", "type": "numeric", "missing": true},
            {"name": "colour", "type": "categorical", "categories": ["blue", "red"], "missing": false},
        ]},
        "task": "classification", "target": "target", "labels": ["no", "yes"],
        "metrics": {"accuracy": 0.75},
        "provenance": {
            "repo": "mixed-data", "pipeline": "mixed-train", "data_commit": "7d4a", "data_files": 1,
            "backbone": null, "trained_by": "train 0.0.1",
        },
        "outlier_threshold": null,
        "custom": {"digest": package.digest.to_string()},
    });
    assert_eq!(card, expected);
}

#[test]
fn the_cards_of_pictures_texts_and_the_conformance_model() {
    let pictures = card(&Server::start(&package::colours()));
    let takes = json!({"kind": "pictures", "max_pixels": 50_000_000});
    assert_eq!(pictures["takes"], takes);
    assert!(pictures["outlier_threshold"].as_f64().unwrap() > 0.0);
    let texts = card(&Server::start(&package::words()));
    assert_eq!(texts["takes"], json!({"kind": "texts"}));
    let echo = card(&Server::ready(bare().arg("--echo")));
    assert_eq!(echo["takes"], json!({"kind": "tensors"}));
    assert_eq!(
        (&echo["name"], &echo["task"]),
        (&json!("echo"), &json!(null))
    );
}

#[test]
fn what_is_not_served_is_told() {
    let models = tempfile::tempdir().unwrap();
    package::write(&models.path().join("good"), "good", "1", 2.0);
    package::write(&models.path().join("bad"), "bad", "1", 2.0);
    std::fs::write(models.path().join("bad/model.onnx"), "no graph").unwrap();
    let server = Server::ready(&mut command(models.path().to_str().unwrap()));
    let cards = server.get("/page/card").json();
    assert_eq!(cards["models"][0]["name"], "good", "{cards}");
    let lost = &cards["unavailable"][0];
    assert_eq!(lost["name"], "bad", "{cards}");
    assert!(
        lost["reason"].as_str().unwrap().contains("damaged"),
        "{lost}"
    );
}

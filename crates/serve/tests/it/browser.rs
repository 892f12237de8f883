//! The page for people, as people use it.

use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::json;
use tempfile::TempDir;

use crate::support::browser::{Browser, ENTER, TAB};
use crate::support::eventually;
use crate::support::package::{self, flower};
use crate::support::server::{Server, bare, command};

/// Waits until an element shows a text, and gives all that it shows.
fn shows(browser: &Browser, selector: &str, text: &str) -> String {
    eventually(|| browser.text(selector).contains(text));
    browser.text(selector)
}

fn opened(server: &Server) -> Browser {
    let browser = Browser::start();
    browser.look(1000, "light");
    browser.open(&server.url("/"));
    eventually(|| browser.run("return !document.querySelector('main').hidden") == true);
    browser
}

/// Nothing that the page does is against its own policy.
fn is_lawful(browser: &Browser) {
    let complaints = browser.complaints();
    let own = |text: &&String| !text.contains("status of 400");
    assert_eq!(complaints.iter().find(own), None);
}

/// A JPEG of a red field with a darker edge, as a camera writes one.
fn photograph(folder: &Path) -> String {
    let pixel = |x, _| Rgb([255 - u8::try_from(x / 16).unwrap(), 60, 20]);
    let path = folder.join("field.jpg");
    let picture = RgbImage::from_fn(640, 480, pixel);
    picture.save_with_format(&path, ImageFormat::Jpeg).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs chromium and chromedriver on the path"]
fn a_picture_is_predicted_in_a_browser() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&package::colours());
    let browser = opened(&server);
    assert_eq!(browser.text("h1"), "colours");
    let card = browser.text("#card");
    for part in ["classification of target", "a picture", "red, green, blue"] {
        assert!(card.contains(part), "{part} in {card}");
    }
    assert_eq!(browser.label("#picture"), "Picture");
    assert_eq!(browser.role("#answer"), "status");

    browser.keys("#picture", &photograph(folder.path()));
    browser.click("#predict");
    let answer = shows(&browser, "#answer", "target: red");
    assert!(answer.contains('%'), "{answer}");
    let table = browser.text("#details table");
    let place = |label| table.find(label).unwrap();
    assert!(
        place("red") < place("green") && place("green") < place("blue"),
        "{table}"
    );
    assert!(browser.text("#outlier").contains("An outlier"));
    assert_eq!(
        browser.run("return document.querySelector('img').naturalWidth"),
        640
    );
    shows(&browser, "#figures", "1 of 1 row");
    shows(&browser, "#figures", "1 so far, 0 failed");
    let plot = browser.label("figure:nth-child(3) svg");
    assert!(plot.starts_with("Outliers: 1 of 1 row"), "{plot}");
    browser.screenshot("picture");
    is_lawful(&browser);

    let broken = folder.path().join("broken.jpg");
    std::fs::write(&broken, "no picture at all").unwrap();
    browser.keys("#picture", broken.to_str().unwrap());
    browser.click("#predict");
    let answer = shows(&browser, "#answer", "Error: ");
    assert!(answer.contains("no JPEG, PNG or WebP"), "{answer}");
    assert_eq!(browser.text("#details"), "");
    browser.screenshot("broken-picture");

    // A picture from the clipboard, which is a green pixel.
    browser.run(
        "const canvas = document.createElement('canvas'); canvas.width = canvas.height = 8;
         const context = canvas.getContext('2d');
         context.fillStyle = '#00ff00'; context.fillRect(0, 0, 8, 8);
         return new Promise((done) => canvas.toBlob((blob) => {
           const clipboardData = new DataTransfer();
           clipboardData.items.add(new File([blob], 'green.png', {type: 'image/png'}));
           document.dispatchEvent(new ClipboardEvent('paste', {clipboardData}));
           done();
         }));",
    );
    assert_eq!(browser.text("#answer"), "Pasted green.png");
    browser.click("#predict");
    shows(&browser, "#answer", "target: green");
    is_lawful(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver on the path"]
fn a_row_is_predicted_by_keyboard_on_a_narrow_screen() {
    let package = package::watched();
    let server = Server::ready(command(package.folder()).args(["--detect-batch-size", "50"]));
    let browser = opened(&server);
    browser.look(360, "dark");
    // Drift, once a window of flowers with the same petals is full.
    for number in 0..50 {
        let [length, width, petal, _] = flower(number);
        let row = json!({"data": {"ndarray": [[length, width, petal, 2.4]]}});
        server.post("/predict", &row.to_string());
    }
    for (index, value) in ["5.1", "3.5", "4", "2.0"].into_iter().enumerate() {
        let field = format!("#column-{index}");
        assert_eq!(browser.role(&field), "spinbutton");
        browser.keys(&field, value);
    }
    assert_eq!(browser.label("#column-2"), "petal_length");
    browser.keys("#column-3", ENTER);
    let answer = shows(&browser, "#answer", "target: setosa");
    assert_eq!(answer, "target: setosa, 50%");
    shows(&browser, "#figures", "1 of 1 windows drifted");
    let beyond = browser.run(
        "const {scrollWidth, clientWidth} = document.documentElement;
         return scrollWidth - clientWidth",
    );
    assert_eq!(beyond, 0, "it must not scroll sideways");
    browser.screenshot("row-narrow-dark");
    browser.run("document.querySelector('#figures').scrollIntoView()");
    browser.screenshot("figures-narrow-dark");
    is_lawful(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver on the path"]
fn texts_tensors_and_several_models_in_a_browser() {
    let server = Server::start(&package::words());
    let browser = opened(&server);
    browser.keys("#text", "rose <b>rose</b>");
    browser.press(TAB);
    assert_eq!(browser.run("return document.activeElement.id"), "predict");
    browser.press(ENTER);
    shows(&browser, "#answer", "target: up");
    browser.screenshot("text");
    is_lawful(&browser);

    let echo = Server::ready(bare().arg("--echo"));
    browser.open(&echo.url("/"));
    shows(&browser, "#card", "conformance model");
    browser.click("#predict");
    shows(&browser, "#details", r#""model_name": "echo""#);
    is_lawful(&browser);

    let models = tempfile::tempdir().unwrap();
    package::write(&models.path().join("a"), "one", "1", 1.0);
    package::write(&models.path().join("b"), "a <i>name</i>", "2", 2.0);
    let several = Server::ready(&mut command(models.path().to_str().unwrap()));
    browser.open(&several.url("/"));
    shows(&browser, "h1", "one");
    browser.keys("#model", "a <i>");
    shows(&browser, "h1", "a <i>name</i>");
    browser.keys("#column-0", "21");
    browser.keys("#column-0", ENTER);
    shows(&browser, "#answer", "target: 42");
    // The page follows the server, and keeps what is not concerned.
    several.post("/v2/repository/models/one/unload", "");
    shows(&browser, "#state", "one is not served: unloaded");
    assert_eq!(browser.text("#answer"), "target: 42");
    is_lawful(&browser);
}

#[test]
#[ignore = "needs chromium and chromedriver on the path"]
fn a_category_is_chosen_and_a_missing_value_left_out() {
    let server = Server::start(&package::mixed());
    let browser = opened(&server);
    assert_eq!(browser.label("#column-0"), "length (may be missing)");
    assert_eq!(browser.role("#column-1"), "combobox");
    // Without a colour, which is never missing, the form is not sent.
    browser.click("#predict");
    assert_eq!(browser.text("#answer"), "");
    browser.keys("#column-1", "red");
    browser.click("#predict");
    // A missing length is 1: a quarter, and a half for red.
    let answer = shows(&browser, "#answer", "target: yes");
    assert_eq!(answer, "target: yes, 75%");
    browser.screenshot("columns");
    is_lawful(&browser);
}

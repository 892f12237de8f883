//! A browser without a screen, driven by `chromedriver` over the `WebDriver` protocol
//! (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::{Client, Reply};

/// The protocol's key of a reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The key Enter, in the protocol's private characters.
pub(crate) const ENTER: &str = "\u{e007}";

/// The key Tab.
pub(crate) const TAB: &str = "\u{e004}";

/// How long the browser may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running browser; closed when dropped.
pub(crate) struct Browser {
    driver: Child,
    client: Client,
    session: String,
    /// Removed with it.
    _profile: TempDir,
}

impl Browser {
    /// Starts `chromedriver`, which must be on the path, and a browser.
    pub(crate) fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver is on the path");
        let said = BufReader::new(driver.stdout.take().unwrap());
        let port = said.lines().find_map(|line| {
            let line = line.unwrap();
            let port = line.rsplit_once("successfully on port ")?.1;
            Some(port.trim_end_matches('.').to_owned())
        });
        let profile = tempfile::tempdir().unwrap();
        let data = format!("--user-data-dir={}", profile.path().display());
        let mut browser = Self {
            session: format!("http://127.0.0.1:{}/session", port.unwrap()),
            client: Client::patient(PATIENCE),
            driver,
            _profile: profile,
        };
        // In a container there is neither a sandbox nor much shared memory.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            &data,
        ];
        let capabilities = json!({"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }});
        let session = browser.post("", &json!({"capabilities": capabilities}));
        let id = session["sessionId"].as_str().unwrap();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// Makes the window this wide, on a phone's terms, and dark or light.
    pub(crate) fn look(&self, width: u16, scheme: &str) {
        let metrics =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        for (command, parameters) in [
            ("Emulation.setDeviceMetricsOverride", metrics),
            ("Emulation.setEmulatedMedia", scheme),
        ] {
            let body = json!({"cmd": command, "params": parameters});
            self.post("/goog/cdp/execute", &body);
        }
    }

    /// Types into an element; into one for files, the paths of files.
    pub(crate) fn keys(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("{element}/value"), &json!({"text": text}));
    }

    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.post(&format!("{element}/click"), &json!({}));
    }

    /// Presses a key wherever the focus is.
    pub(crate) fn press(&self, key: &str) {
        let actions = ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key}));
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.post("/actions", &json!({"actions": [keyboard]}));
    }

    /// What an element shows.
    pub(crate) fn text(&self, selector: &str) -> String {
        self.of_element(selector, "text")
    }

    /// What a screen reader calls an element.
    pub(crate) fn label(&self, selector: &str) -> String {
        self.of_element(selector, "computedlabel")
    }

    /// What a screen reader takes an element for.
    pub(crate) fn role(&self, selector: &str) -> String {
        self.of_element(selector, "computedrole")
    }

    /// What a script returns in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// What the browser has complained of since the last call.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": "browser"}));
        let entries = entries.as_array().unwrap().iter();
        entries
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Keeps what is to be seen as `target/page/NAME.png`.
    pub(crate) fn screenshot(&self, name: &str) -> PathBuf {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let folder = target.join("page");
        std::fs::create_dir_all(&folder).unwrap();
        let picture = self.get("/screenshot");
        let file = STANDARD.decode(picture.as_str().unwrap()).unwrap();
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, file).unwrap();
        path
    }

    fn of_element(&self, selector: &str, what: &str) -> String {
        let element = self.element(selector);
        let found = self.get(&format!("{element}/{what}"));
        found.as_str().unwrap().to_owned()
    }

    /// The path of the first element that a CSS selector finds.
    fn element(&self, selector: &str) -> String {
        let found = self.post(
            "/element",
            &json!({"using": "css selector", "value": selector}),
        );
        format!("/element/{}", found[ELEMENT].as_str().unwrap())
    }

    fn get(&self, path: &str) -> Value {
        value(&self.client.get(&format!("{}{path}", self.session)))
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let body = body.to_string();
        value(&self.client.post(&url, "application/json", &body))
    }
}

/// What a good answer says.
fn value(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["value"].take()
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session, the driver does not.
        self.client.send("DELETE", &self.session, &[], "");
        let _ended = self.driver.kill();
        let _reaped = self.driver.wait();
    }
}

//! What pachd keeps and does.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

/// The state, and the folder it lies in.
pub(crate) struct Pachd {
    folder: PathBuf,
    pub(crate) state: Value,
}

impl Pachd {
    pub(crate) fn load(folder: PathBuf) -> Self {
        let text = fs::read_to_string(folder.join("state.json")).ok();
        let empty = || json!({"clock": 0, "repos": {}, "secrets": {}, "pipelines": {}, "jobs": []});
        let state = text.map_or_else(empty, |text| serde_json::from_str(&text).unwrap());
        Self { folder, state }
    }

    pub(crate) fn save(&self) {
        fs::write(self.folder.join("state.json"), self.state.to_string()).unwrap();
    }

    /// Whether this is to go wrong.
    pub(crate) fn fault(&self, line: &str) -> bool {
        let faults = fs::read_to_string(self.folder.join("faults")).unwrap_or_default();
        faults.lines().any(|fault| fault == line)
    }

    pub(crate) fn tick(&mut self) -> u64 {
        let clock = self.state["clock"].as_u64().unwrap() + 1;
        self.state["clock"] = clock.into();
        clock
    }

    pub(crate) fn map(&self, key: &str) -> &Map<String, Value> {
        self.state[key].as_object().unwrap()
    }

    pub(crate) fn create_repo(&mut self, name: &str) -> Result<String, String> {
        if self.map("repos").contains_key(name) {
            return Err(format!("repo default/{name} already exists"));
        }
        self.state["repos"][name] = json!({"head": null});
        Ok(String::new())
    }

    pub(crate) fn create_secret(&mut self, text: &str) -> Result<String, String> {
        let secret: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let name = secret["metadata"]["name"].as_str().unwrap().to_owned();
        if self.map("secrets").contains_key(&name) {
            return Err(format!(
                "failed to create secret: secrets \"{name}\" already exists"
            ));
        }
        self.state["secrets"][name] = secret["data"].clone();
        Ok(String::new())
    }

    pub(crate) fn inspect_secret(&self, name: &str) -> Result<String, String> {
        if self.map("secrets").contains_key(name) {
            return Ok(format!(
                "NAME TYPE   CREATED\n{name} Opaque 2 minutes ago\n"
            ));
        }
        Err(format!(
            "failed to get secret: secrets \"{name}\" not found"
        ))
    }

    /// A commit in a source repo, and the jobs that it causes.
    pub(crate) fn put_file(&mut self, file: &str) -> Result<String, String> {
        let repo = file.split('@').next().unwrap().to_owned();
        if !self.map("repos").contains_key(&repo) {
            return Err(format!("repo default/{repo} not found"));
        }
        let id = self.id();
        self.state["repos"][&repo] = json!({"head": id});
        self.cause(&repo, &id);
        Ok(String::new())
    }

    /// `create pipeline` and `update pipeline`.
    pub(crate) fn send(
        &mut self,
        text: &str,
        update: bool,
        reprocess: bool,
    ) -> Result<String, String> {
        let mut spec: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let name = spec["pipeline"]["name"]
            .as_str()
            .ok_or("no pipeline name")?
            .to_owned();
        if self.fault(&format!("send {name}")) {
            return Err(format!("pipeline \"default/{name}\": admission refused"));
        }
        self.validate(&spec)?;
        let old = self.map("pipelines").get(&name).cloned();
        if old.is_some() && !update {
            return Err(format!("pipeline \"default/{name}\" already exists"));
        }
        // pachctl adds the project before it sends a specification.
        spec["pipeline"]["project"] = json!({"name": "default"});
        let version = old
            .as_ref()
            .map_or(0, |old| old["version"].as_u64().unwrap())
            + 1;
        let salt = match &old {
            Some(old) if !reprocess => old["salt"].clone(),
            _ => self.id().into(),
        };
        let done = old.as_ref().map_or(json!([]), |old| old["done"].clone());
        let head = old.as_ref().map_or(Value::Null, |old| old["head"].clone());
        let stopped = old.is_some_and(|old| old["stopped"] == true);
        self.state["pipelines"][&name] = json!({
            "spec": spec, "version": version, "salt": salt, "done": done, "stopped": stopped,
            "head": head,
        });
        self.kill(&name);
        if !stopped {
            let id = self.id();
            self.start(&name, &id);
            self.cause(&name, &id);
        }
        if self.fault(&format!("cut {name}")) {
            return Err("error reading from server: EOF".to_owned());
        }
        Ok(String::new())
    }

    fn validate(&self, spec: &Value) -> Result<(), String> {
        for secret in spec["transform"]["secrets"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let name = secret["name"].as_str().unwrap();
            if !self.map("secrets").contains_key(name) {
                return Err(format!("missing Kubernetes secret {name}"));
            }
        }
        for repo in inputs(&spec["input"]) {
            let known = self.map("repos").contains_key(&repo);
            if !known && !self.map("pipelines").contains_key(&repo) {
                return Err(format!("repo default/{repo} not found"));
            }
        }
        Ok(())
    }

    pub(crate) fn id(&mut self) -> String {
        let clock = self.tick();
        format!("{clock:012x}4{clock:019x}")
    }
}

/// The repos that an input reads.
pub(crate) fn inputs(input: &Value) -> Vec<String> {
    let mut repos = Vec::new();
    for (kind, value) in input.as_object().into_iter().flatten() {
        match kind.as_str() {
            "pfs" => repos.push(value["repo"].as_str().unwrap().to_owned()),
            _ => repos.extend(value.as_array().into_iter().flatten().flat_map(inputs)),
        }
    }
    repos
}

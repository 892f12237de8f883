//! What pachctl prints with `--raw`.

use serde_json::{Map, Value, json};

use crate::jobs::ended;
use crate::pachd::Pachd;

impl Pachd {
    pub(crate) fn list_pipelines(&self) -> String {
        // Without details, and without a separator.
        let names = self.map("pipelines").keys();
        let infos = names.map(|name| {
            let mut info = self.pipeline_info(name);
            info.as_object_mut().unwrap().remove("details");
            format!("{info:#}")
        });
        infos.collect()
    }

    pub(crate) fn inspect_pipeline(&self, name: &str) -> Result<String, String> {
        self.known(name)?;
        Ok(format!("{:#}\n", self.pipeline_info(name)))
    }

    fn known(&self, name: &str) -> Result<(), String> {
        if self.map("pipelines").contains_key(name) {
            return Ok(());
        }
        Err(format!("pipeline \"default/{name}\" not found"))
    }

    fn pipeline_info(&self, name: &str) -> Value {
        let pipeline = &self.state["pipelines"][name];
        let mut jobs = self.state["jobs"].as_array().unwrap().iter();
        let last = jobs.rfind(|job| job["pipeline"] == name);
        let failed = self.fault(&format!("crash {name}"));
        let mut info = json!({
            "pipeline": pipeline["spec"]["pipeline"],
            "version": pipeline["version"].to_string(),
            "spec_commit": {"id": "7c5d4c9f1d8b4a6f8e0d2b3c4d5e6f70"},
            "state": if failed { "PIPELINE_FAILURE" } else { "PIPELINE_STANDBY" },
            "type": "PIPELINE_TYPE_TRANSFORM",
            "parallelism": "1",
            "details": details(&pipeline["spec"]),
        });
        if failed {
            info["reason"] = "failed to pull the image".into();
        }
        if pipeline["stopped"] == true {
            info["stopped"] = true.into();
        }
        if let Some(last) = last {
            info["last_job_state"] = last["state"].clone();
        }
        if !self.fault("old") {
            info["user_spec_json"] = pipeline["spec"].to_string().into();
        }
        info
    }

    pub(crate) fn list_repos(&self) -> String {
        let pipelines = self.map("pipelines").keys();
        let names = self.map("repos").keys().chain(pipelines);
        let infos = names.map(|name| {
            let project = json!({"name": "default"});
            let info = json!({"repo": {"name": name, "type": "user", "project": project},
                              "created": "2026-01-01T00:00:00Z", "size_bytes_upper_bound": "12"});
            format!("{info:#}")
        });
        infos.collect()
    }

    /// The newest first, those of the present version.
    pub(crate) fn list_jobs(&mut self, name: &str) -> Result<String, String> {
        self.known(name)?;
        self.go_on();
        let version = &self.state["pipelines"][name]["version"];
        let jobs = self.state["jobs"].as_array().unwrap().iter().rev();
        let jobs = jobs.filter(|job| job["pipeline"] == name && job["version"] == *version);
        Ok(jobs.map(|job| format!("{:#}", job_info(job))).collect())
    }

    pub(crate) fn logs(&self, of: &str) -> Result<String, String> {
        let job = self.job(of)?;
        if job["state"] == "JOB_CREATED" {
            return Err("no log messages were found".to_owned());
        }
        let end = if ended(job) { "the last line\n" } else { "" };
        Ok(format!("the first line\n{end}"))
    }

    pub(crate) fn wait_commit(&self, of: &str) -> Result<String, String> {
        let job = self.job(of)?;
        let name = job["pipeline"].as_str().unwrap();
        let mut info = json!({"commit": {"id": job["id"]}, "finished": "2026-01-01T00:00:00Z"});
        if self.fault(&format!("commit {name}")) {
            info["error"] = "validation failed: duplicate path".into();
        }
        Ok(format!("{info:#}"))
    }

    fn job(&self, of: &str) -> Result<&Value, String> {
        let (name, id) = of.split_once('@').unwrap();
        let mut jobs = self.state["jobs"].as_array().unwrap().iter();
        let found = jobs.find(|job| job["pipeline"] == name && job["id"] == id);
        found.ok_or_else(|| format!("job default/{of} not found"))
    }
}

fn job_info(job: &Value) -> Value {
    let count = |key: &str| job[key].as_u64().unwrap();
    let (processed, skipped, failed) = (count("processed"), count("skipped"), count("failed"));
    let clock = job["created"].as_u64().unwrap();
    let mut info = json!({
        "job": {"pipeline": {"project": {"name": "default"}, "name": job["pipeline"]},
                "id": job["id"]},
        "pipeline_version": job["version"].to_string(),
        "state": job["state"],
        "created": format!("2026-01-01T{:02}:{:02}:{:02}Z", clock / 3600, clock / 60 % 60, clock % 60),
    });
    let counts = [
        ("data_processed", processed),
        ("data_skipped", skipped),
        ("data_failed", failed),
        ("data_total", processed + skipped + failed),
    ];
    for (key, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        info[key] = count.to_string().into();
    }
    if job["reason"] != "" {
        info["reason"] = job["reason"].clone();
    }
    info
}

/// What pachd makes of a specification: its defaults, and facts of its own.
fn details(spec: &Value) -> Value {
    let mut details = spec.as_object().unwrap().clone();
    details.remove("pipeline");
    let tries = details.remove("datum_tries").unwrap_or(3.into());
    details.insert("datum_tries".to_owned(), tries.to_string().into());
    for (key, value) in [
        ("output_branch", "master"),
        ("reprocess_spec", "until_success"),
    ] {
        details.entry(key).or_insert(value.into());
    }
    for (key, value) in [("created_at", "2026-01-01T00:00:00Z"), ("salt", "5a")] {
        details.insert(key.to_owned(), value.into());
    }
    fill(details.get_mut("input").unwrap());
    Value::Object(details)
}

fn fill(input: &mut Value) {
    let inputs = input.as_object_mut().unwrap();
    for (kind, value) in inputs.iter_mut() {
        match (kind.as_str(), value) {
            ("pfs", Value::Object(pfs)) => fill_pfs(pfs),
            (_, value) => value.as_array_mut().into_iter().flatten().for_each(fill),
        }
    }
}

fn fill_pfs(pfs: &mut Map<String, Value>) {
    let repo = pfs["repo"].clone();
    pfs.entry("name").or_insert(repo);
    for (key, value) in [
        ("branch", "master"),
        ("repo_type", "user"),
        ("project", "default"),
    ] {
        pfs.entry(key).or_insert(value.into());
    }
}

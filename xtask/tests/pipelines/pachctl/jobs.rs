//! Jobs: one for each pipeline below a change, which go on each time somebody
//! looks.

use serde_json::{Value, json};

use crate::pachd::{Pachd, inputs};

const STATES: [&str; 5] = [
    "JOB_CREATED",
    "JOB_STARTING",
    "JOB_RUNNING",
    "JOB_FINISHING",
    "JOB_SUCCESS",
];

impl Pachd {
    /// Starts a job of this pipeline in the commit set `id`.
    pub(crate) fn start(&mut self, name: &str, id: &str) {
        let version = self.state["pipelines"][name]["version"].clone();
        let created = self.tick();
        let job = json!({
            "id": id, "pipeline": name, "version": version, "created": created,
            "state": STATES[0], "reason": "", "processed": 0, "skipped": 0, "failed": 0,
        });
        self.state["jobs"].as_array_mut().unwrap().push(job);
    }

    /// Starts jobs of all pipelines that read `repo`, directly or not.
    pub(crate) fn cause(&mut self, repo: &str, id: &str) {
        let reads = |spec: &Value| inputs(&spec["input"]).iter().any(|input| input == repo);
        let pipelines = self.map("pipelines").iter();
        let below: Vec<String> = pipelines
            .filter(|(_, pipeline)| reads(&pipeline["spec"]) && pipeline["stopped"] != true)
            .map(|(name, _)| name.clone())
            .collect();
        for name in below {
            self.start(&name, id);
            self.cause(&name, id);
        }
    }

    /// Ends what runs: nobody asks the program.
    pub(crate) fn kill(&mut self, name: &str) {
        for job in self.state["jobs"].as_array_mut().unwrap() {
            if job["pipeline"] == name && !ended(job) {
                job["state"] = "JOB_KILLED".into();
                job["reason"] = "pipeline updated".into();
            }
        }
    }

    /// Each job gets one state further.
    pub(crate) fn go_on(&mut self) {
        let mut jobs = self.state["jobs"].as_array().unwrap().clone();
        for index in 0..jobs.len() {
            let all = jobs.clone();
            self.step(&mut jobs[index], &all);
        }
        self.state["jobs"] = jobs.into();
    }

    fn step(&mut self, job: &mut Value, all: &[Value]) {
        let name = job["pipeline"].as_str().unwrap().to_owned();
        let stuck = ["crash", "hang"].map(|fault| self.fault(&format!("{fault} {name}")));
        if ended(job) || stuck.contains(&true) {
            return;
        }
        let spec = self.state["pipelines"][&name]["spec"].clone();
        let sources = inputs(&spec["input"]);
        let above = |other: &&Value| {
            other["id"] == job["id"] && sources.iter().any(|source| other["pipeline"] == **source)
        };
        let above: Vec<&Value> = all.iter().filter(above).collect();
        if above.iter().any(|other| !ended(other)) {
            return;
        }
        if above.iter().any(|other| other["state"] != "JOB_SUCCESS") {
            job["state"] = "JOB_UNRUNNABLE".into();
            job["reason"] = "unrunnable because the following upstream provenance failed".into();
            return;
        }
        let at = STATES
            .iter()
            .position(|state| job["state"] == *state)
            .unwrap();
        job["state"] = STATES[at + 1].into();
        if at + 2 == STATES.len() {
            self.end(job, &name, &sources);
        }
    }

    /// One datum, if every input has content; it is skipped when it was processed
    /// under the same salt.
    fn end(&mut self, job: &mut Value, name: &str, sources: &[String]) {
        let heads: Vec<Value> = sources.iter().map(|source| self.head(source)).collect();
        if heads.iter().any(Value::is_null) {
            return;
        }
        if self.fault(&format!("job {name}")) {
            job["state"] = "JOB_FAILURE".into();
            job["failed"] = 1.into();
            job["reason"] = "datum 1f3b failed".into();
            return;
        }
        let pipeline = &mut self.state["pipelines"][name];
        let datum = json!([pipeline["salt"], heads]);
        let done = pipeline["done"].as_array_mut().unwrap();
        if done.contains(&datum) {
            job["skipped"] = 1.into();
        } else {
            done.push(datum);
            job["processed"] = 1.into();
            pipeline["head"] = job["id"].clone();
        }
    }

    fn head(&self, repo: &str) -> Value {
        match self.map("repos").get(repo) {
            Some(repo) => repo["head"].clone(),
            None => self.state["pipelines"][repo]["head"].clone(),
        }
    }
}

pub(crate) fn ended(job: &Value) -> bool {
    let ends = ["JOB_SUCCESS", "JOB_FAILURE", "JOB_KILLED", "JOB_UNRUNNABLE"];
    ends.iter().any(|end| job["state"] == *end)
}

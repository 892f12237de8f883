//! A run of deploy on a stub.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use super::{Pfs, stderr};
use crate::stub::{Behaviour, CLIENT_SECRET, Stub, TOKEN};

/// One folder, one stub, one target: what several runs of deploy share.
pub(crate) struct Scene {
    pub(crate) stub: Stub,
    pub(crate) target: &'static str,
    pub(crate) name: &'static str,
    pub(crate) extra: Vec<String>,
    /// Seconds; generous where success is wanted, as the machine may be busy.
    pub(crate) deadline: &'static str,
    pub(crate) poll: &'static str,
    pub(crate) pfs: Pfs,
}

impl Scene {
    pub(crate) fn new(target: &'static str) -> Self {
        let stub = Stub::start();
        let pfs = Pfs::new("");
        std::fs::write(pfs.path("token"), TOKEN).unwrap();
        std::fs::write(pfs.path("kubeconfig"), stub.kubeconfig(&pfs.path("token"))).unwrap();
        Self {
            stub,
            target,
            name: "iris",
            extra: Vec::new(),
            deadline: "30",
            poll: "100ms",
            pfs,
        }
    }

    pub(crate) fn command(&self, version: &str) -> std::process::Command {
        self.pfs.set_version(version);
        let mut command = self.pfs.deploy(&[
            "--deploy-name",
            self.name,
            "--serving-image",
            "registry.example/serve:0.0.1",
            "--namespace",
            "seldon",
            "--target",
            self.target,
        ]);
        command
            .args(["--deadline", self.deadline, "--poll", self.poll])
            .args(&self.extra)
            .env("KUBECONFIG", self.pfs.path("kubeconfig"))
            .env("SEL_URL", self.stub.url())
            .env("SEL_SECRET", CLIENT_SECRET);
        command
    }

    pub(crate) fn deploy(&self, version: &str) -> Output {
        self.command(version).output().unwrap()
    }

    #[track_caller]
    pub(crate) fn succeeds(&self, version: &str) -> Output {
        let output = self.deploy(version);
        assert!(output.status.success(), "{}", stderr(&output));
        output
    }

    #[track_caller]
    pub(crate) fn fails(&self, version: &str, said: &[&str]) -> Output {
        let output = self.deploy(version);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for words in said {
            assert!(text.contains(words), "{words:?} is not in:\n{text}");
        }
        output
    }

    pub(crate) fn behaves(&self, version: &str, behaviour: Behaviour) {
        self.stub
            .world()
            .behaviours
            .insert(version.to_owned(), behaviour);
    }

    pub(crate) fn key(&self) -> &'static str {
        match self.target {
            "kserve" => "InferenceService/seldon/iris",
            _ => "SeldonDeployment/seldon/iris",
        }
    }

    /// The versions that answer now.
    pub(crate) fn serving(&self) -> Vec<String> {
        self.stub.world().serving(self.key()).into_iter().collect()
    }

    /// Returns when version 2 has been written, and the operator is at work.
    pub(crate) fn wait_for_write(&self) {
        for _ in 0..1000 {
            let world = self.stub.world();
            let object = world.objects.get(self.key());
            if object.is_some_and(|stored| stored.object["metadata"]["generation"] == 2) {
                drop(world);
                std::thread::sleep(Duration::from_millis(300));
                return;
            }
            drop(world);
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("nothing was written");
    }

    /// The versions that answer, once only this one does, or soon after.
    pub(crate) fn settled(&self, version: &str) -> Vec<String> {
        for _ in 0..300 {
            if self.serving() == [version] {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.serving()
    }

    /// The version in the newest manifest: that of this run, or of an output
    /// commit `before` it.
    pub(crate) fn version_in_the_manifest(&self) -> String {
        let read = |folder: &str| {
            let path = self.pfs.path(folder).join("seldon-deployment.yaml");
            std::fs::read_to_string(path).ok()
        };
        let text = read("out").or_else(|| read("before")).unwrap_or_default();
        let rest = text.split("s3://bucket/").nth(1);
        let version = rest.and_then(|rest| rest.split('/').next());
        version.unwrap_or_default().to_owned()
    }

    pub(crate) fn gaps(&self) -> usize {
        self.stub.world().gaps.len()
    }

    pub(crate) fn record(&self) -> Value {
        let text = std::fs::read_to_string(self.pfs.path("out/deployment.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

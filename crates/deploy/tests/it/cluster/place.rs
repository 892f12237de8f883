//! Where the suite runs: a namespace, an admin, and the account of deploy.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::stub::{ADMIN_TOKEN, Stub, TOKEN};
use crate::support::Pfs;

pub(super) struct Place {
    pub(super) namespace: String,
    /// The kubeconfig of somebody who may do everything.
    pub(super) admin: PathBuf,
    /// `kubeconfig` in it is that of deploy.
    pub(super) pfs: Pfs,
    stub: Option<Stub>,
}

impl Place {
    pub(super) fn stub() -> Self {
        let stub = Stub::start();
        stub.world().operator = false;
        let pfs = Pfs::new("");
        let admin = pfs.path("admin");
        std::fs::write(&admin, stub.kubeconfig_of(&json!({"token": ADMIN_TOKEN}))).unwrap();
        let deploy = stub.kubeconfig_of(&json!({"token": TOKEN}));
        std::fs::write(pfs.path("kubeconfig"), deploy).unwrap();
        Self {
            namespace: "seldon".to_owned(),
            admin,
            pfs,
            stub: Some(stub),
        }
    }

    pub(super) fn real() -> Self {
        let variable = |name: &str| {
            let value = std::env::var_os(name);
            PathBuf::from(value.unwrap_or_else(|| panic!("set {name}")))
        };
        let place = Self {
            namespace: format!("deploy-test-{}", std::process::id()),
            admin: variable("DEPLOY_TEST_KUBECONFIG"),
            pfs: Pfs::new(""),
            stub: None,
        };
        let namespace = place.namespace.as_str();
        let crd = variable("SELDON_CRD");
        let crd = crd.to_str().unwrap();
        place.kubectl(&["apply", "--server-side", "-f", crd], "");
        let name = "crd/seldondeployments.machinelearning.seldon.io";
        place.kubectl(&["wait", "--for=condition=established", name], "");
        place.kubectl(&["create", "namespace", namespace], "");
        let manifest =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/deploy-rbac.yaml");
        let manifest = std::fs::read_to_string(manifest).unwrap();
        let manifest = manifest.replace("namespace: pachyderm", &format!("namespace: {namespace}"));
        place.kubectl(&["apply", "-n", namespace, "-f", "-"], &manifest);
        let token = place.kubectl(&["create", "token", "deploy", "-n", namespace], "");
        let config = place.kubectl(&["config", "view", "--raw", "--minify", "-o", "json"], "");
        let mut config: Value = serde_json::from_str(&config).unwrap();
        config["users"][0]["user"] = json!({"token": token.trim()});
        std::fs::write(place.pfs.path("kubeconfig"), config.to_string()).unwrap();
        place
    }

    /// Runs kubectl as the admin, with this input, and returns what it prints.
    fn kubectl(&self, args: &[&str], input: &str) -> String {
        let mut child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(&self.admin)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "kubectl {args:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.stub.is_none() && !std::thread::panicking() {
            self.kubectl(
                &["delete", "namespace", &self.namespace, "--wait=false"],
                "",
            );
        }
    }
}

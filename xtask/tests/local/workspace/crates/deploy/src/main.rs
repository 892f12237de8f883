//! A stand-in that writes a manifest for the version it is given.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let pfs = PathBuf::from(env::var("PFS_ROOT").unwrap_or("/pfs".to_owned()));
    let name = env::args().nth(1).unwrap();
    let info = fs::read_to_string(pfs.join("data/model-info.yaml")).unwrap();
    let value = |key: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap().trim().to_owned()
    };
    let (version, uri) = (value("version:"), value("uri:"));
    // The second argument names a secret that the server gets.
    let env = env::args().nth(2).map_or(String::new(), |secret| {
        format!(
            "
          env:
          - name: THE_SECRET
            valueFrom: {{secretKeyRef: {{name: {secret}, key: k}}}}"
        )
    });
    let manifest = format!(
        "apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {{name: {name}}}
spec:
  predictors:
  - name: default
    progressDeadlineSeconds: 5
    graph:
      name: main
      type: MODEL
      modelUri: {uri}
      parameters: [{{name: model_version, type: STRING, value: \"{version}\"}}]
    componentSpecs:
    - spec:
        containers:
        - name: main
          image: localhost:5000/stand-in/serve:0.0.1{env}
          readinessProbe: {{httpGet: {{path: /health/status, port: http}}}}
"
    );
    fs::write(pfs.join("out/seldon-deployment.yaml"), manifest).unwrap();
}

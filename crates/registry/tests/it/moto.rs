//! An S3 server that is not ours.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use registry::{Asked, Registry};
use storage::Access;

use crate::python::python;
use crate::support::package;

/// It checks signatures, and knows conditional writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs python3 and PyPI"]
async fn in_an_s3_server_of_others() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/s3_server.py");
    let mut server = Command::new(python("moto", &["moto[iam,s3,server]==5.2.5"]))
        .args([script, "models"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let [url, key, secret] = lines
        .map_while(Result::ok)
        .take(3)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let given = |secret: &str| {
        let variables = [
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", &key),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ];
        Access::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
    };
    let registry = Registry::open("s3://models/team", &given(&secret))
        .await
        .unwrap();
    let publishing = (1..=4).map(|number| {
        let registry = registry.clone();
        tokio::spawn(async move {
            let (_kept, folder) = package(&format!("job-{number}"), f64::from(number) / 10.0);
            let condition = "accuracy >= previous".parse().unwrap();
            registry
                .publish(&folder, Some(&condition))
                .await
                .unwrap()
                .version
                .number
        })
    });
    let mut numbers = Vec::new();
    for publisher in publishing.collect::<Vec<_>>() {
        numbers.push(publisher.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let latest = registry.find("iris", &Asked::Latest).await.unwrap();
    assert_eq!(latest.name, "job-4");
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("model");
    registry.fetch(&latest, &target).await.unwrap();
    model::Package::open_pinned(&target, latest.package).unwrap();

    let stranger = Registry::open("s3://models/team", &given("another"))
        .await
        .unwrap();
    let error = stranger
        .find("iris", &Asked::Latest)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("SignatureDoesNotMatch") && !error.contains("another"),
        "{error}"
    );
    drop(server.stdin.take());
    server.wait().unwrap();
}

//! The last model in the output of this pipeline, and what is new, as the Pachyderm of
//! a worker tells them.

use std::fs;
use std::path::{Component, Path};

use anyhow::{Context, Result};
use model::MANIFEST_FILE;
use pachyderm::{Difference, Pachyderm, RepoName};
use serde_json::Value;

use super::last::Last;
use crate::TrainingOptions;
use crate::job::data_commit;
use crate::progress::{step, warn};
use crate::publication::PACKAGE;

/// The variables with a token, the better one first: that of the user may read more
/// than that of the job.
const TOKENS: [&str; 2] = ["PAC_TOKEN", "PACH_TOKEN"];

/// A worker's Pachyderm, and what this job is to it.
pub(super) struct Worker {
    address: String,
    output: RepoName,
    /// The commit that this job writes.
    commit: String,
    data: RepoName,
    /// The commit that this job reads.
    data_commit: Option<String>,
}

impl Worker {
    /// The worker that started this program; none where it is none.
    pub(super) fn of(options: &TrainingOptions) -> Option<Self> {
        let port = options.peer_port?;
        let given = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
        let project = given(&options.project).unwrap_or("default".to_owned());
        let repo = |name: String| RepoName {
            project: project.clone(),
            name,
        };
        Some(Self {
            address: format!("http://127.0.0.1:{port}"),
            output: repo(given(&options.pipeline)?),
            commit: given(&options.output_commit)?,
            data: repo(options.repo.clone()),
            data_commit: data_commit(options),
        })
    }

    /// The last model, and what is new since its data, where Pachyderm tells that.
    ///
    /// # Errors
    ///
    /// When Pachyderm cannot be asked for the model, or that is not whole.
    pub(super) fn last(&self) -> Result<Option<(Last, Option<Difference>)>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start")?;
        runtime.block_on(self.ask())
    }

    async fn ask(&self) -> Result<Option<(Last, Option<Difference>)>> {
        let token = TOKENS.iter().find_map(|name| {
            let token = std::env::var(name).ok();
            token.filter(|token| !token.is_empty())
        });
        let mut pachyderm = Pachyderm::connect(&self.address, token.as_deref()).await?;
        let mut from = self.commit.clone();
        let last = loop {
            let Some(commit) = pachyderm.last_successful(&self.output, &from).await? else {
                return Ok(None);
            };
            if let Some(last) = self.fetch(&mut pachyderm, &commit).await? {
                break last;
            }
            // The commit of a job without data holds no model.
            from = commit;
        };
        let known = last.manifest.provenance.data_commit.as_deref();
        let (Some(old), Some(new)) = (known, self.data_commit.as_deref()) else {
            return Ok(Some((last, None)));
        };
        match pachyderm.difference(&self.data, old, new).await {
            Ok(difference) => Ok(Some((last, Some(difference)))),
            Err(error) => {
                warn(&format!("{error}; what is new is told by digests"));
                Ok(Some((last, None)))
            }
        }
    }

    /// The model in a commit of the output; none where it holds none.
    async fn fetch(&self, pachyderm: &mut Pachyderm, commit: &str) -> Result<Option<Last>> {
        let place = |name: &str| format!("{PACKAGE}/{name}");
        let manifest = place(MANIFEST_FILE);
        let Some(manifest) = pachyderm.file(&self.output, commit, &manifest).await? else {
            return Ok(None);
        };
        step(format_args!(
            "the last model is in {}@{commit}",
            self.output.name
        ));
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let described: Value = serde_json::from_slice(&manifest)
            .with_context(|| format!("the {MANIFEST_FILE} of the last model is damaged"))?;
        let files = described.get("files").and_then(Value::as_object);
        let names = files.into_iter().flat_map(|files| files.keys());
        write(folder.path(), MANIFEST_FILE, &manifest)?;
        for name in names.filter(|name| is_plain(name)) {
            if let Some(content) = pachyderm.file(&self.output, commit, &place(name)).await? {
                write(folder.path(), name, &content)?;
            }
        }
        Last::open(folder.path())
    }
}

fn write(folder: &Path, name: &str, content: &[u8]) -> Result<()> {
    fs::write(folder.join(name), content).context("cannot write the last model aside")
}

/// Whether a name stays in its folder; a package that lists another one is refused
/// when it is opened.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    )
}

//! Gets the backbones that a use case names and that are not here.

use anyhow::{Result, bail};

use super::Run;
use crate::workspace::Workspace;
use crate::{backbone, report};

impl Run<'_> {
    /// Gets every backbone that is not here, but for those whose repo holds one of an
    /// earlier run: that one stays.
    pub(super) fn get_backbones(&mut self, workspace: &Workspace) -> Result<()> {
        let mut kept = Vec::new();
        for mut source in std::mem::take(&mut self.plan.sources) {
            let repo = &source.repo;
            if source.to_get && self.state.repo(repo).head()?.is_some() {
                continue;
            }
            if source.to_get {
                report::status("Getting", format_args!("the backbone {repo}, once"));
                let own = self.plan.folder.join("backbone");
                if !backbone::get(workspace, repo)? {
                    bail!(
                        "the backbone {repo} is not here and cannot be had; try `cargo xtask \
                         backbone {repo} --wheel FILE`, or put one into {}/",
                        self.state.short(&own)
                    );
                }
                source.to_get = false;
            }
            kept.push(source);
        }
        self.plan.sources = kept;
        Ok(())
    }
}

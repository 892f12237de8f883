//! Runs again whenever the data changes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::Run;
use crate::local::serving::Supervisor;
use crate::local::tree;
use crate::{interrupt, report};

/// How often the sources are looked at.
const PAUSE: Duration = Duration::from_millis(300);

/// When each file of the sources was written, and its bytes.
type Look = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl Run<'_> {
    /// Serves until the user wishes to stop. What fails is told, and tried again
    /// with the next change.
    pub(super) fn watch(&self) -> Result<ExitCode> {
        let mut supervisor = None;
        let mut seen = None;
        while !interrupt::requested() {
            let now = self.look();
            // A file half written would make two versions: let it come to rest.
            if seen.as_ref() != Some(&now) && self.is_at_rest(&now) {
                if let Err(error) = self.again(&mut supervisor) {
                    report::error(format_args!("{error:#}"));
                }
                report::status("Watching", "the data; Ctrl-C ends it");
                seen = Some(now);
            }
            if let Some(supervisor) = &mut supervisor {
                supervisor.sync()?;
            }
            thread::sleep(PAUSE);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn again<'a>(&'a self, supervisor: &mut Option<Supervisor<'a>>) -> Result<()> {
        match self.pipelines()? {
            Some(wanted) => self.show(&wanted, supervisor),
            // Which job failed, and why, has been told.
            None => Ok(()),
        }
    }

    fn is_at_rest(&self, look: &Look) -> bool {
        thread::sleep(PAUSE);
        *look == self.look()
    }

    fn look(&self) -> Look {
        let mut look = Look::new();
        for source in &self.plan.sources {
            // What cannot be listed now is told by the run that needs it.
            for path in tree::list(&source.path).unwrap_or_default().into_values() {
                let found = path.metadata().ok();
                let written = found.as_ref().and_then(|found| found.modified().ok());
                look.insert(path, (written, found.map_or(0, |found| found.len())));
            }
        }
        look
    }
}

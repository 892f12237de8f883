//! What cargo knows of the workspace: packages, and who depends on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::programs;

/// The answer of `cargo metadata` for one target.
pub(crate) struct Graph {
    packages: BTreeMap<String, Package>,
    pub(crate) target_folder: PathBuf,
}

/// A package and what it is compiled with.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// Unique in the workspace, but with the workspace's path in it.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) repository: Option<String>,
    /// The registry or repository it comes from; none for a crate of ours.
    pub(crate) source: Option<String>,
    pub(crate) manifest: PathBuf,
    /// Run by the compiler, and so no part of a program.
    pub(crate) proc_macro: bool,
    pub(crate) features: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// An arrow of the graph. Dependencies of tests are left out.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) id: String,
    /// Whether it is part of the program, and not only of its making.
    pub(crate) runtime: bool,
}

impl Graph {
    /// Asks cargo. Nothing is downloaded that is there already.
    ///
    /// # Errors
    /// When a manifest is wrong or the lock file is not up to date.
    pub(crate) fn read(root: &Path, target: &str) -> Result<Self> {
        let sh = Shell::new()?;
        sh.change_dir(root);
        let cargo = programs::cargo();
        let command = cmd!(
            sh,
            "{cargo} metadata --format-version 1 --locked --filter-platform {target}"
        );
        let text = command.quiet().ignore_stderr().read();
        let text = match text {
            Ok(text) => text,
            // Once more, so that cargo's own words are seen.
            Err(_) => {
                let command = cmd!(sh, "{cargo} metadata --format-version 1 --locked");
                command
                    .quiet()
                    .read()
                    .context("cargo cannot read the workspace")?
            }
        };
        let metadata: Value = serde_json::from_str(&text)?;
        Self::of(&metadata).context("cargo metadata answers in an unknown form")
    }

    fn of(metadata: &Value) -> Option<Self> {
        let nodes = metadata.pointer("/resolve/nodes")?.as_array()?;
        let nodes: BTreeMap<&str, &Value> = nodes
            .iter()
            .filter_map(|node| Some((node.get("id")?.as_str()?, node)))
            .collect();
        let packages = metadata.get("packages")?.as_array()?;
        let packages = packages.iter().filter_map(|package| {
            let node = nodes.get(package.get("id")?.as_str()?)?;
            let package = Package::of(package, node)?;
            Some((package.id.clone(), package))
        });
        Some(Self {
            packages: packages.collect(),
            target_folder: metadata.get("target_directory")?.as_str()?.into(),
        })
    }

    /// The crate of the workspace with this name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn member(&self, name: &str) -> Result<&Package> {
        let mut ours = self
            .packages
            .values()
            .filter(|package| package.source.is_none());
        let member = ours.find(|package| package.name == name);
        member.with_context(|| format!("the workspace has no crate {name}"))
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Package> {
        self.packages.get(id)
    }

    /// The package and all that its program is made of, in order of name and
    /// version.
    pub(crate) fn closure(&self, package: &Package) -> Vec<&Package> {
        let mut open = vec![package.id.as_str()];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                let dependencies = self.packages.get(id).into_iter();
                let dependencies = dependencies.flat_map(|package| &package.dependencies);
                open.extend(dependencies.map(|dependency| dependency.id.as_str()));
            }
        }
        let mut all: Vec<&Package> = seen
            .iter()
            .filter_map(|id| self.packages.get(*id))
            .collect();
        all.sort_by_key(|package| (&package.name, &package.version, &package.source));
        all
    }

    /// Those of the closure that are in the program itself.
    pub(crate) fn runtime(&self, package: &Package) -> BTreeSet<&str> {
        let mut open = vec![package.id.as_str()];
        let mut seen = BTreeSet::new();
        while let Some((id, package)) = open.pop().and_then(|id| self.packages.get_key_value(id)) {
            if !package.proc_macro && seen.insert(id.as_str()) {
                let runtime = package.dependencies.iter().filter(|one| one.runtime);
                open.extend(runtime.map(|dependency| dependency.id.as_str()));
            }
        }
        seen
    }
}

impl Package {
    fn of(package: &Value, node: &Value) -> Option<Self> {
        let text = |key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
        let features = node.get("features")?.as_array()?.iter();
        let dependencies = node.get("deps")?.as_array()?.iter();
        Some(Self {
            id: text("id")?,
            name: text("name")?,
            version: text("version")?,
            license: text("license"),
            description: text("description"),
            repository: text("repository"),
            source: text("source"),
            manifest: text("manifest_path")?.into(),
            proc_macro: is_proc_macro(package),
            features: features
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            dependencies: dependencies.filter_map(Dependency::of).collect(),
        })
    }
}

fn is_proc_macro(package: &Value) -> bool {
    let targets = package.get("targets").and_then(Value::as_array);
    let mut targets = targets.into_iter().flatten();
    targets.any(|target| {
        let kinds = target.get("kind").and_then(Value::as_array);
        kinds.is_some_and(|kinds| kinds.contains(&Value::from("proc-macro")))
    })
}

impl Dependency {
    fn of(value: &Value) -> Option<Self> {
        let kinds = value.get("dep_kinds")?.as_array()?.iter();
        // null is a normal dependency.
        let kinds: Vec<Option<&str>> = kinds
            .map(|kind| kind.get("kind").and_then(Value::as_str))
            .filter(|kind| *kind != Some("dev"))
            .collect();
        let id = value.get("pkg")?.as_str()?.to_owned();
        let runtime = kinds.contains(&None);
        (!kinds.is_empty()).then_some(Self { id, runtime })
    }
}

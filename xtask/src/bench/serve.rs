//! The server beside those that it replaces, which are installed for this.

use std::path::Path;

use anyhow::Result;
use xshell::{Shell, cmd};

use super::python::Python;
use super::train;
use crate::workspace::Workspace;
use crate::{onnxruntime, programs};

/// The Python servers, and the variable that names the folder of each.
const PEERS: [(&str, Python); 2] = [
    (
        "SELDON_BIN",
        Python {
            name: "seldon-core",
            packages: &["setuptools<80", "seldon-core==1.18.2"],
        },
    ),
    (
        "MLSERVER_BIN",
        Python {
            name: "mlserver",
            // Its workers do not load a model with a newer uvloop.
            packages: &["mlserver==1.7.1", "uvloop==0.21.0"],
        },
    ),
];

/// Measures small requests, or where there is a folder of `pictures`, these.
pub(super) fn run(workspace: &Workspace, pictures: Option<&Path>) -> Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(&workspace.root);
    let pictures = pictures.map(super::folder).transpose()?;
    for (variable, python) in PEERS {
        sh.set_var(variable, python.install(&sh, workspace)?);
    }
    match pictures {
        Some(pictures) => of_pictures(&sh, workspace, &pictures),
        None => bench(&sh, workspace, "peers"),
    }
}

/// A model of the `pictures` is trained, started, and asked with the largest of them.
fn of_pictures(sh: &Shell, workspace: &Workspace, pictures: &Path) -> Result<()> {
    let library = onnxruntime::here(&workspace.root)?;
    let pfs = tempfile::tempdir()?;
    train::Trainer::new(sh, workspace, pictures)?.train(pfs.path())?;
    sh.set_var("ORT_DYLIB_PATH", library);
    sh.set_var("PACKAGE", pfs.path().join("out/model"));
    sh.set_var("PICTURES", pictures);
    bench(sh, workspace, "start")?;
    bench(sh, workspace, "pictures")
}

fn bench(sh: &Shell, workspace: &Workspace, name: &str) -> Result<()> {
    let cargo = programs::cargo();
    let bench = cmd!(sh, "{cargo} bench --bench {name}");
    Ok(programs::measuring(bench, sh, workspace)?.quiet().run()?)
}

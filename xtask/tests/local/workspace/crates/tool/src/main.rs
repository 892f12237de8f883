//! A stand-in for any program: joins the files of all inputs, in capitals, and puts
//! `$SUFFIX` behind. It fails on a file called `bad`, once for each job on one called
//! `flaky`, and takes its time over one called `slow`.

use std::path::{Path, PathBuf};
use std::{env, fs, process, thread, time::Duration};

fn main() {
    let pfs = PathBuf::from(env::var("PFS_ROOT").unwrap_or("/pfs".to_owned()));
    let mut inputs: Vec<PathBuf> = fs::read_dir(&pfs).unwrap().map(|it| it.unwrap().path()).collect();
    inputs.retain(|input| input.is_dir());
    inputs.retain(|input| !input.ends_with("out"));
    inputs.sort();
    let (mut names, mut text) = (Vec::new(), String::new());
    for input in inputs {
        for name in files(&input, Path::new("")) {
            let path = input.join(&name);
            handle(&path);
            text.push_str(&fs::read_to_string(&path).unwrap().to_uppercase());
            names.push(name.to_str().unwrap().to_owned());
        }
    }
    text.push_str(&env::var("SUFFIX").unwrap_or_default());
    let name = match env::args().nth(1) {
        Some(name) => name,
        None => names.join("-"),
    };
    let out = pfs.join("out").join(name);
    fs::create_dir_all(out.parent().unwrap()).unwrap();
    fs::write(out, text).unwrap();
}

fn files(folder: &Path, name: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = name.join(entry.file_name());
        if entry.path().is_dir() {
            found.extend(files(&entry.path(), &name));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

fn handle(path: &Path) {
    let once = env::temp_dir().join(env::var("PACH_JOB_ID").unwrap());
    match path.file_name().unwrap().to_str().unwrap() {
        "bad" => process::exit(3),
        "flaky" if !once.exists() => {
            fs::write(once, "").unwrap();
            process::exit(4);
        }
        "slow" => {
            fs::write(env::temp_dir().join("started"), "").unwrap();
            thread::sleep(Duration::from_millis(400));
        }
        _ => {}
    }
}

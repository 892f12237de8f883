//! Killed at any moment of a publication: `latest` always names a complete version,
//! and another attempt of the job completes it.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bucket_server::{Moment, Then};

use super::support::{Case, quick, served};
use crate::common::{Noise, Pfs};

/// Processes that are killed, in each kind of store.
const KILLS: u32 = 50;

#[test]
fn in_s3() {
    in_cloud("s3", 11);
}

#[test]
fn in_google_cloud_storage() {
    in_cloud("gs", 12);
}

#[test]
fn in_azure() {
    in_cloud("az", 13);
}

/// Of so many processes, one is killed when its record is written and not answered yet:
/// chance alone may never do that.
const COMMITTED: u64 = 10;

/// One job after the other is killed at a request of its publication, before it has
/// taken effect or before it is answered, and tried again.
fn in_cloud(scheme: &str, seed: u64) {
    let case = Case::new(scheme);
    let bucket = case.bucket.as_ref().unwrap();
    let mut noise = Noise::new(seed);
    case.publishes("job-0", &quick());
    let mut requests = bucket.take_requests().len();
    let (mut number, mut kills, mut committed) = (0, 0, 0);
    let mut latest = case.latest().unwrap();
    while kills < KILLS {
        number += 1;
        let id = format!("job-{number}");
        let request = (noise.uniform() * requests as f64) as usize;
        let moment = [Moment::Before, Moment::After][usize::from(noise.uniform() < 0.5)];
        let at = match number % COMMITTED {
            0 => At::Record,
            _ => At::Request(request, moment),
        };
        bucket.take_requests();
        let killed = killed_at(&case, &id, at);
        let is_new = check(&case, &latest.name, &id);
        kills += u32::from(killed);
        committed += u32::from(killed && is_new);
        assert!(killed || is_new);
        bucket.take_requests();
        latest = retried(&case, &id);
        // The next has as many, and some more.
        requests = bucket.take_requests().len();
        assert_eq!(latest.number, number + 1);
    }
    assert!(
        committed >= 1,
        "none of {kills} was killed after it had published"
    );
    assert!(
        committed <= 25,
        "only {} were interrupted",
        kills - committed
    );
}

/// When a process is killed.
#[derive(Clone, Copy)]
enum At {
    /// At this moment of the request of this number.
    Request(usize, Moment),
    /// When a record is there, and its writer does not know it yet.
    Record,
}

impl At {
    fn is_now(self, number: usize, line: &str, moment: Moment) -> bool {
        match self {
            Self::Request(at, when) => {
                let is_too_early = when == Moment::After && moment == Moment::Before;
                number > at || (number == at && !is_too_early)
            }
            Self::Record => {
                // Google's store is written to by POST, with the name in the query.
                let writes = line.starts_with("PUT ") || line.starts_with("POST ");
                writes && line.contains("versions") && moment == Moment::After
            }
        }
    }
}

/// Runs the job, and kills it then; gives whether it came so far.
fn killed_at(case: &Case, id: &str, at: At) -> bool {
    let process = Arc::new(Mutex::new(None::<Child>));
    let killed = Arc::new(AtomicBool::new(false));
    let (victim, is_killed) = (Arc::clone(&process), Arc::clone(&killed));
    let hook = move |number: usize, line: &str, moment| {
        if !at.is_now(number, line, moment) {
            return Then::GoOn;
        }
        if let Some(child) = victim.lock().unwrap().as_mut()
            && !is_killed.swap(true, Ordering::Relaxed)
        {
            child.kill().unwrap();
        }
        Then::Cut
    };
    let bucket = case.bucket.as_ref().unwrap();
    let pfs = quick();
    {
        let mut process = process.lock().unwrap();
        bucket.hook(Some(Arc::new(hook)));
        *process = Some(started(case, id, &pfs));
    }
    while process
        .lock()
        .unwrap()
        .as_mut()
        .unwrap()
        .try_wait()
        .unwrap()
        .is_none()
    {
        thread::sleep(Duration::from_millis(2));
    }
    bucket.hook(None);
    killed.load(Ordering::Relaxed)
}

fn started(case: &Case, id: &str, pfs: &Pfs) -> Child {
    let mut job = case.job(id, pfs);
    job.stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The latest version must be whole and one of the two; gives whether it is the new.
fn check(case: &Case, before: &str, id: &str) -> bool {
    let latest = case.latest().unwrap();
    assert!(
        latest.name == before || latest.name == id,
        "{}",
        latest.name
    );
    latest.name == id
}

/// Another attempt of the job completes its version, which is then the latest.
fn retried(case: &Case, id: &str) -> registry::Version {
    let pfs = quick();
    case.publishes(id, &pfs);
    let latest = case.latest().unwrap();
    assert_eq!(served(&pfs.out()), (id.to_owned(), latest.number));
    latest
}

/// A file system answers nobody: a process is killed some time after it has begun to
/// write to the registry, no later than it would have ended.
#[test]
fn in_a_folder() {
    let case = Case::new("file");
    let mut noise = Noise::new(14);
    case.publishes("job-0", &quick());
    let mut latest = case.latest().unwrap();
    let (mut committed, mut half, mut taken) = (0, 0, Duration::from_millis(20));
    for number in 1..=KILLS {
        let id = format!("job-{number}");
        let packages = case.root.path().join("iris/packages");
        let entries = count(&packages);
        let pfs = quick();
        let mut child = started(&case, &id, &pfs);
        while count(&packages) == entries && child.try_wait().unwrap().is_none() {}
        thread::sleep(taken.mul_f64(noise.uniform()));
        child.kill().unwrap();
        child.wait().unwrap();
        let is_new = check(&case, &latest.name, &id);
        committed += u32::from(is_new);
        half += u32::from(!is_new && count(&packages) > entries);
        let begin = Instant::now();
        latest = retried(&case, &id);
        // A fraction of an attempt is publication.
        taken = taken.min(begin.elapsed());
        assert_eq!(latest.number, u64::from(number) + 1);
    }
    assert!(
        half >= 10,
        "only {half} of {KILLS} were interrupted while they published"
    );
    assert!(committed <= KILLS - half);
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

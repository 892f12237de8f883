//! Many pictures, and pictures made to do harm: the memory that a training takes.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::pictures::{EXPERIMENT, colours, square, with_header, with_means};
use crate::common::{Noise, Pfs};

const MIB: u64 = 1 << 20;

/// What a run has come to.
struct Run {
    status: Option<i32>,
    said: String,
    /// The most memory that it has held, in bytes.
    peak: u64,
}

/// Trains with at most so many bytes of address space, where that is limited.
fn run(pfs: &Pfs, address_space: Option<u64>) -> Run {
    let train = pfs.command();
    let limit = address_space.map_or("unlimited".to_owned(), |b| (b >> 10).to_string());
    let said = pfs.path().join("said");
    let mut child = Command::new("bash")
        .args(["-c", &format!("ulimit -v {limit}; exec \"$0\" \"$@\"")])
        .arg(train.get_program())
        .args(train.get_args())
        .args(["--config", "/pfs/experiment.yaml"])
        .envs(
            train
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        )
        .stdout(Stdio::null())
        .stderr(File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let mut peak = 0;
    let status = loop {
        peak = held(child.id()).unwrap_or_default().max(peak);
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    Run {
        status,
        said: fs::read_to_string(said).unwrap(),
        peak,
    }
}

/// The most memory that a process has held so far, in bytes.
fn held(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

const SOURCES: [&str; 8] = [
    "turned-6.jpg",
    "progressive.jpg",
    "cmyk.jpg",
    "colour.png",
    "palette-clear.png",
    "deep.png",
    "lossy.webp",
    "lossless.webp",
];

fn picture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../model/tests/pictures");
    fs::read(folder.join(name)).unwrap()
}

/// Bytes that claim to be a picture, the same for the same number.
fn hostile(number: usize) -> (Vec<u8>, &'static str) {
    let mut noise = Noise::new(number as u64);
    let mut below = |end: usize| (noise.uniform() * end as f64) as usize;
    let source = SOURCES[number % SOURCES.len()];
    let ending = source.rsplit('.').next().unwrap();
    let mut bytes = picture(source);
    match number % 10 {
        0 => bytes.clear(),
        1 => bytes.truncate(below(bytes.len())),
        2 => bytes = (0..below(4096)).map(|_| below(256) as u8).collect(),
        // More pixels than any machine holds.
        3 => return (with_header(1 << (17 + below(14)), &[0x78, 1]), "png"),
        // The wrong decoder by its name.
        4 => return (bytes, if ending == "png" { "jpg" } else { "png" }),
        5 => bytes = format!("<svg width='{number}'>{}", "[".repeat(below(60_000))).into_bytes(),
        _ => {
            let reach = if below(2) == 0 { 96 } else { bytes.len() };
            for _ in 0..=below(8) {
                let at = below(reach.min(bytes.len()));
                bytes[at] = [0, 0xff, below(256) as u8][below(3)];
            }
        }
    }
    (bytes, ending)
}

/// As many pixels as are still taken, in a file of a few kilobytes.
fn bomb() -> Vec<u8> {
    const SIDE: usize = 7000;
    let pixels = vec![0; SIDE * (1 + 3 * SIDE)];
    let stream = miniz_oxide::deflate::compress_to_vec_zlib(&pixels, 1);
    assert!(stream.len() < 1 << 20, "{}", stream.len());
    with_header(SIDE as u32, &stream)
}

#[test]
fn a_thousand_hostile_pictures_end_in_the_report() {
    const BOMBS: usize = 4;
    let mut pfs = colours(|class, number| format!("{class}/good-{number}.png")).file(
        "experiment.yaml",
        format!("{EXPERIMENT}labels: folder\nmax_broken: 1.0\n"),
    );
    for number in BOMBS..1000 {
        let (bytes, ending) = hostile(number);
        let class = ["red", "blue"][number % 2];
        pfs = pfs.file(&format!("data/{class}/hostile-{number}.{ending}"), bytes);
    }
    let bomb = bomb();
    for number in 0..BOMBS - 1 {
        pfs = pfs.file(&format!("data/red/hostile-{number}.png"), &bomb);
    }
    // Larger than the memory that there is, on a disk that need not hold it.
    let huge = File::create(pfs.path().join("data/red/hostile-huge.png")).unwrap();
    huge.set_len(3 << 30).unwrap();
    let cores = std::thread::available_parallelism().unwrap().get() as u64;
    // Each core holds one picture of at most 50 million pixels.
    let limit = 512 * MIB + cores * 700 * MIB;
    let run = run(&pfs, Some(limit));
    assert_eq!(run.status, Some(0), "{}", run.said);
    let metrics = pfs.metrics();
    let used = [&metrics["training_rows"], &metrics["held_out_rows"]];
    let used: u64 = used.map(|rows| rows.as_u64().unwrap()).iter().sum();
    let broken = 1030 - used;
    assert!(broken > 400, "{broken} were broken");
    let report = pfs.report();
    let told = report.matches("hostile-").count() as u64;
    assert!(told >= broken, "{told} of {broken} are in the report");
    assert!(report.contains("more than 64 MiB"));
    assert!(run.said.contains("the report lists all"), "{}", run.said);
    println!(
        "{broken} of 1030 were broken; {} MiB at most of {} MiB",
        run.peak / MIB,
        limit / MIB
    );
    assert!(run.peak < limit);
}

/// A single penalty: to choose one is no matter of memory, and takes most of the time.
const ONE_TRIED: &str = "backbone: /pfs/backbone\nsearch: {folds: 2, l2: [1]}\n";

/// So many pictures of 16 × 16 pixels, each another one.
fn many(count: u32) -> Pfs {
    let pfs = with_means(Pfs::new()).file("experiment.yaml", ONE_TRIED);
    for class in ["red", "blue"] {
        fs::create_dir(pfs.path().join("data").join(class)).unwrap();
    }
    for number in 0..count {
        let [_, upper, high, low] = number.to_be_bytes();
        let (class, colour) = match number % 2 {
            0 => ("red", [200, high, low]),
            _ => ("blue", [high, low, 200]),
        };
        let path = Path::new("data")
            .join(class)
            .join(format!("{number:06}.png"));
        fs::write(pfs.path().join(path), square(16, colour, upper)).unwrap();
    }
    pfs
}

/// No picture is held after it was embedded: what grows is its name, its digest, its
/// class and its embedding, in the several lists that they stand in.
#[test]
#[ignore = "takes a minute"]
fn a_hundred_thousand_pictures_stream_through() {
    let peaks = [1_000, 100_000].map(|count| {
        let run = run(&many(count), None);
        assert_eq!(run.status, Some(0), "{}", run.said);
        println!("{count} pictures: {:.1} MiB", run.peak as f64 / MIB as f64);
        if count == 100_000 {
            let progress = |line: &str| line.contains(" %, ") && line.ends_with("s left");
            assert!(run.said.lines().any(progress), "{}", run.said);
        }
        run.peak
    });
    let grown = (peaks[1] - peaks[0]) / 99_000;
    println!("{grown} bytes a picture");
    assert!(grown < 2048, "{grown} bytes a picture");
}

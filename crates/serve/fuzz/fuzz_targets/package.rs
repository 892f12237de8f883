#![no_main]

libfuzzer_sys::fuzz_target!(init: guarded(), |bytes: &[u8]| serve::fuzzing::package(bytes));

/// Loading guards itself against panics of the crates that read its files. Without the
/// fuzzer's hook only one that gets out of it ends the run.
fn guarded() {
    drop(std::panic::take_hook());
}

//! See `deploy --help`.

fn main() {}

//! See `train --help`.

fn main() {}

//! See `serve --help`.

fn main() {}

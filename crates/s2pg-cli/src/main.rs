//! The command line

#[allow(dead_code, unused_imports)]
mod picture;
fn main() {}

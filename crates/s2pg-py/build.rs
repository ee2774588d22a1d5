//! Tells the Python module where MuJoCo's library is: beside it, in the wheel.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let beside = if cfg!(target_os = "macos") { "@loader_path" } else { "$ORIGIN" };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{beside}");
}

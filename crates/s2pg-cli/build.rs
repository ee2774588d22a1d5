//! Tells the binary and the tests of this crate where MuJoCo's library is.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Absent where the library was not found, which is then the error of the build script of s2pg-mujoco.
    if let Ok(dir) = std::env::var("DEP_S2PG_MUJOCO_DIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
    }
}

//! Tells the binary and its tests where MuJoCo's library is.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Absent where the library was not found, which is then that build script's error.
    if let Ok(dir) = std::env::var("DEP_S2PG_MUJOCO_DIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
    }
}

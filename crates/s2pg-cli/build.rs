//! Tells the programs and the tests of this package where MuJoCo's library is: beside the program, or where the build
//! found it. The package of a program of one's own has a copy of this file.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let beside = if cfg!(target_os = "macos") { "@loader_path" } else { "$ORIGIN" };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{beside}");
    // Absent where the library was not found, which is then the error of the build script of s2pg-mujoco.
    if let Ok(dir) = std::env::var("DEP_S2PG_MUJOCO_DIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
    }
}

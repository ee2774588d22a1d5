//! Compiles the presets in, and tells the tests of this crate where MuJoCo's library is.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Absent where the library was not found, which is then the error of the build script of s2pg-mujoco.
    if let Ok(dir) = std::env::var("DEP_S2PG_MUJOCO_DIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
    }

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets");
    let mut code = String::from("const PRESETS: &[Preset] = &[\n");
    for path in entries(&root).iter().flat_map(|group| entries(group)) {
        let name = path.strip_prefix(&root).expect("a preset is inside").with_extension("");
        let name = name.to_string_lossy().replace('\\', "/");
        let file = path.canonicalize().expect("a preset exists");
        code += &format!("    Preset {{ name: {name:?}, text: include_str!({file:?}) }},\n");
    }
    code += "];\n";
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("presets.rs");
    std::fs::write(out, code).expect("OUT_DIR can be written");
}

/// What a directory holds, in order; a change of it runs this script again.
fn entries(dir: &Path) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={}", dir.display());
    let found = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut found: Vec<PathBuf> = found.map(|entry| entry.expect("a readable entry").path()).collect();
    found.sort();
    found
}

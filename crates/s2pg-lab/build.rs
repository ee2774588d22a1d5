//! Compiles the presets in, with the commit that is built, and tells the tests of this crate where MuJoCo's library is.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Absent where the library was not found, which is then the error of the build script of s2pg-mujoco.
    if let Ok(dir) = std::env::var("DEP_S2PG_MUJOCO_DIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
    }

    println!("cargo::rustc-env=S2PG_COMMIT={}", commit().unwrap_or_else(|| "unknown".into()));

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

/// The commit that is built: what the variable S2PG_COMMIT says, or else git. A build for development does not ask git,
/// since each commit would then be a reason to compile this crate again.
fn commit() -> Option<String> {
    println!("cargo::rerun-if-env-changed=S2PG_COMMIT");
    if let Some(commit) = std::env::var("S2PG_COMMIT").ok().filter(|commit| !commit.is_empty()) {
        return Some(commit);
    }
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return None;
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = |arguments: &str| {
        let output = Command::new("git").current_dir(package).args(arguments.split(' ')).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    // Sources that were copied into another repository are of none of its commits.
    let root = Path::new(&git("rev-parse --show-toplevel")?).canonicalize().ok()?;
    if root != package.join("../..").canonicalize().ok()? {
        return None;
    }
    // Both change where another commit is checked out or made. A file that is not there would run this script each
    // time.
    let files = ["HEAD", "logs/HEAD"].map(|file| git(&format!("rev-parse --git-path {file}")));
    for file in files.into_iter().flatten().map(|file| package.join(file)).filter(|file| file.exists()) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    git("rev-parse --short=12 HEAD")
}

/// What a directory holds, in order; a change of it runs this script again.
fn entries(dir: &Path) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={}", dir.display());
    let found = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut found: Vec<PathBuf> = found.map(|entry| entry.expect("a readable entry").path()).collect();
    found.sort();
    found
}

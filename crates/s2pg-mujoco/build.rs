//! Provides MuJoCo's library: from `S2PG_MUJOCO_DIR`, from an earlier build, or from the pinned wheel through pip.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use std::{env, fs};

const VERSION: &str = "3.17.0";

struct Platform {
    name: &'static str,
    tag: &'static str,
    library: &'static str,
    wheel: &'static str,
    sha256: &'static str,
}

const PLATFORMS: [Platform; 3] = [
    Platform {
        name: "linux-x86_64",
        tag: "manylinux_2_28_x86_64",
        library: "libmujoco.so.3.17.0",
        wheel: "d66928d86a2d1b601bbaa4dc11db50214d17d5301bb8afd84721313b67ff0874",
        sha256: "23496b023ee80fb61ab71167e94bc649f9941710fde96b18bb8204fb332523ad",
    },
    Platform {
        name: "linux-aarch64",
        tag: "manylinux_2_28_aarch64",
        library: "libmujoco.so.3.17.0",
        wheel: "91a70ed9979c383ff1f5c03f25cc2e1280a8254c1a8e558d5dd7f4184f01efc9",
        sha256: "e2edd0204fb9229f75f332a4fcd1a32345bb9f90651dc0fddfa20ec0670db789",
    },
    Platform {
        name: "macos-aarch64",
        tag: "macosx_11_0_arm64",
        library: "libmujoco.3.17.0.dylib",
        wheel: "6c324addca24a24a7b0beff2ec49300e9d4481fd8ccd611514ba7ea8e4a5e870",
        sha256: "454d51fa639100018579716bd68e61285e9b53c9241b029680d82dec95bc8d53",
    },
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=S2PG_MUJOCO_DIR");
    println!("cargo::rerun-if-env-changed=S2PG_RELEASE");
    match library() {
        Ok(dir) => {
            let dir = dir.display();
            println!("cargo::rustc-link-search=native={dir}");
            println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
            // A program that leaves this machine has the library beside itself, and knows no place on this machine.
            if env::var_os("S2PG_RELEASE").is_none() {
                println!("cargo::metadata=dir={dir}");
            }
        }
        Err(sentence) => println!("cargo::error={sentence}"),
    }
}

/// The directory that holds the library.
fn library() -> Result<PathBuf, String> {
    let var = |name| env::var(name).unwrap();
    let name = format!("{}-{}", var("CARGO_CFG_TARGET_OS"), var("CARGO_CFG_TARGET_ARCH"));
    let Some(platform) = PLATFORMS.iter().find(|p| p.name == name) else {
        return Err(format!(
            "MuJoCo {VERSION} is not set up for {name}; there are linux-x86_64, linux-aarch64, macos-aarch64"
        ));
    };
    if let Some(dir) = env::var_os("S2PG_MUJOCO_DIR").filter(|dir| !dir.is_empty()) {
        let dir = fs::canonicalize(&dir).unwrap_or(dir.into());
        println!("cargo::rerun-if-changed={}", dir.join(platform.library).display());
        return match dir.join(platform.library).is_file() {
            true => Ok(dir),
            false => Err(format!(
                "S2PG_MUJOCO_DIR: there is no {} in {}; name a directory that holds it, or unset the variable",
                platform.library,
                dir.display()
            )),
        };
    }
    let root = Path::new(&var("CARGO_MANIFEST_DIR")).join("../..");
    let dir = fs::canonicalize(root).map_err(|e| e.to_string())?.join(".mujoco").join(VERSION).join(name);
    let file = dir.join(platform.library);
    println!("cargo::rerun-if-changed={}", file.display());
    if !has_hash(&file, platform.sha256) {
        fetch(platform, &dir).map_err(|why| {
            format!(
                "MuJoCo {VERSION} could not be fetched ({why}): install Python 3 with pip and connect to the network, \
                 or set S2PG_MUJOCO_DIR to a directory that holds {}",
                platform.library
            )
        })?;
    }
    Ok(dir)
}

fn has_hash(file: &Path, sha256: &str) -> bool {
    let Ok(bytes) = fs::read(file) else { return false };
    hmac_sha256::Hash::hash(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>() == sha256
}

/// Puts the library and its licences into `dir`, all at once.
fn fetch(platform: &Platform, dir: &Path) -> Result<(), String> {
    let temporary = dir.with_file_name(format!(".{}.{}.tmp", platform.name, std::process::id()));
    let result = unpack(platform, &temporary).and_then(|ready| {
        let _ = fs::remove_dir_all(dir);
        // Where two builds fetch at the same time, the second rename fails and the first one's files serve both.
        fs::rename(ready, dir).or_else(|e| match has_hash(&dir.join(platform.library), platform.sha256) {
            true => Ok(()),
            false => Err(format!("{}: {e}", dir.display())),
        })
    });
    let _ = fs::remove_dir_all(&temporary);
    result
}

/// Fetches the wheel into `temporary`, and returns the directory there into which the library was unpacked.
fn unpack(platform: &Platform, temporary: &Path) -> Result<PathBuf, String> {
    let at = |e: std::io::Error| format!("{}: {e}", temporary.display());
    let ready = temporary.join("ready");
    fs::create_dir_all(&ready).map_err(at)?;
    let requirements = temporary.join("requirements.txt");
    fs::write(&requirements, format!("mujoco=={VERSION} --hash=sha256:{}\n", platform.wheel)).map_err(at)?;
    let pip = "-m pip download --quiet --no-input --disable-pip-version-check --no-deps --require-hashes \
               --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311";
    let options = ["--platform", platform.tag, "--dest"].map(Path::new);
    python(pip, &[&options[..], &[temporary, "-r".as_ref(), &requirements]].concat())?;
    let files = fs::read_dir(temporary).map_err(at)?.flatten().map(|file| file.path());
    let mut wheels = files.filter(|path| path.extension().is_some_and(|e| e == "whl"));
    let wheel =
        wheels.find(|path| has_hash(path, platform.wheel)).ok_or("pip did not bring the wheel that was expected")?;
    python("-m zipfile -e", &[&wheel, temporary])?;
    let licences = format!("mujoco-{VERSION}.dist-info/licenses");
    for (from, to) in [("mujoco", platform.library), (&licences, "LICENSE"), (&licences, "LICENSES_THIRD_PARTY.md")] {
        fs::rename(temporary.join(from).join(to), ready.join(to)).map_err(|e| format!("{to}: {e}"))?;
    }
    let library = ready.join(platform.library);
    // A library that is younger than this script's start would be a reason to run the script, and the compiler, again.
    let before = SystemTime::now() - Duration::from_secs(3600);
    let set = fs::File::options().write(true).open(&library).and_then(|file| file.set_modified(before));
    set.map_err(|e| format!("{}: {e}", library.display()))?;
    match has_hash(&library, platform.sha256) {
        true => Ok(ready),
        false => Err(format!("{} in the wheel is not the one that was expected", platform.library)),
    }
}

/// Runs Python; an error is the last line that it wrote.
fn python(arguments: &str, paths: &[&Path]) -> Result<(), String> {
    let run = |python| Command::new(python).args(arguments.split_whitespace()).args(paths).output();
    let output = run("python3").or_else(|_| run("python")).map_err(|_| "there is no Python")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false => Err(stderr.trim().lines().last().unwrap_or("Python failed").into()),
    }
}

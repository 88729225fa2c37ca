//! Compiles the shim against the system's libwebrtc, or says exactly what to install.

use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::{env, fs};

const SOURCES: [&str; 5] = ["shim/audio.cc", "shim/goog_cc.cc", "shim/heap.cc", "shim/neteq.cc", "shim/ulpfec.cc"];
const HEADER: &str = "shim/shim.h";

fn main() {
    for file in SOURCES.iter().chain([&HEADER]) {
        println!("cargo::rerun-if-changed={file}");
    }
    let prefix = Path::new("/usr");
    let headers = prefix.join("include/tg_owt");
    let libraries = archives(prefix);
    let includes = [headers.join("api/neteq/neteq.h"), prefix.join("include/absl/types/optional.h")];
    if libraries.is_none() || !includes.iter().all(|header| header.is_file()) {
        eprintln!("peer-webrtc: libwebrtc is not installed. On Debian 12: apt-get install libtgowt-dev libabsl-dev");
        exit(1);
    }
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .opt_level(2)
        .define("WEBRTC_POSIX", None)
        .define("WEBRTC_LINUX", None)
        .flag("-isystem")
        .flag(headers)
        .cargo_warnings(false)
        .files(SOURCES);
    let objects = build.compile_intermediates();
    bundle(&build, &objects, &libraries.unwrap_or_default());
}

/// libwebrtc's archive and abseil's: 64 of them, which refer to each other in circles.
fn archives(prefix: &Path) -> Option<Vec<PathBuf>> {
    let candidates = fs::read_dir(prefix.join("lib")).ok()?.flatten().map(|entry| entry.path());
    let directory = candidates.chain([prefix.join("lib")]).find(|path| path.join("libtg_owt.a").is_file())?;
    let mut found: Vec<_> = fs::read_dir(directory)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name == "libtg_owt.a" || (name.starts_with("libabsl_") && name.ends_with(".a"))
        })
        .collect();
    found.sort();
    (found.len() > 1).then_some(found)
}

/// Links the shim with what it needs of the archives into one object: cargo has no way to say `--start-group` for those who
/// depend on this package.
fn bundle(build: &cc::Build, objects: &[PathBuf], archives: &[PathBuf]) {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let whole = out.join("peer_webrtc.o");
    let compiler = build.get_compiler();
    run(Command::new(compiler.path())
        .args(["-r", "-nostdlib", "-o"])
        .arg(&whole)
        .args(objects)
        .arg("-Wl,--start-group")
        .args(archives)
        .arg("-Wl,--end-group"));
    let archive = out.join("libpeer_webrtc.a");
    drop(fs::remove_file(&archive));
    run(build.get_archiver().arg("crs").arg(&archive).arg(&whole));
    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-lib=static=peer_webrtc");
    println!("cargo::rustc-link-lib=stdc++");
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        other => {
            eprintln!("peer-webrtc: {command:?}: {other:?}");
            exit(1);
        }
    }
}

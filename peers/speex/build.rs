//! Links the system's libspeexdsp, or says exactly what to install.

use std::path::Path;
use std::process::exit;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The header comes with the file that the linker needs.
    if !Path::new("/usr/include/speex/speex_jitter.h").is_file() {
        eprintln!("peer-speex: libspeexdsp is not installed. On Debian 12: apt-get install libspeexdsp-dev");
        exit(1);
    }
    println!("cargo::rustc-link-lib=speexdsp");
}

//! The program `call` from outside: exit codes, messages, files.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("test folders can be removed");
    }
    std::fs::create_dir_all(&folder).expect("test folders can be made");
    folder
}

fn call(out: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_call"));
    command.arg("--out").arg(out).args(arguments).output().expect("the program runs")
}

#[test]
fn a_call_writes_everything_and_twice_the_same() {
    let (first, second) = (folder("first"), folder("second"));
    for out in [&first, &second] {
        let output = call(out, &["--seconds", "3", "--net", "30%-loss", "--seed", "5"]);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).expect("text");
        for word in ["mouth to ear", "network loss", "residual loss", "redundancy overhead", "us per 10 ms"] {
            assert!(said.contains(word), "{word:?} is missing in:\n{said}");
        }
    }
    for name in ["near-heard.wav", "far-heard.wav"] {
        let read = |folder: &Path| std::fs::read(folder.join(name)).expect("the call wrote it");
        assert_eq!(read(&first), read(&second), "{name}");
    }
    let [a, b] = [&first, &second].map(|folder| {
        let text = std::fs::read_to_string(folder.join("report.json")).expect("the call wrote it");
        let mut report: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        report["cost"].take();
        report
    });
    assert_eq!(a, b);
    let page = std::fs::read_to_string(first.join("report.html")).expect("the call wrote it");
    assert!(page.contains("<svg") && !page.contains("NaN"));
    assert!(!page.contains("http"), "the page is self-contained");
}

#[test]
fn a_call_in_which_nothing_arrives_fails() {
    let output = call(&folder("dead"), &["--seconds", "1", "--net", "perfect", "--loss", "100"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn results_that_cannot_be_written_are_refused_before_the_call() {
    let file = folder("unwritable").join("file");
    std::fs::write(&file, "not a folder").expect("test files can be written");
    let output = call(&file, &["--seconds", "1"]);
    let message = String::from_utf8(output.stderr).expect("text");
    assert_eq!((output.status.code(), message.lines().count()), (Some(2), 1), "{message}");
}

#[test]
fn what_cannot_be_is_refused_in_one_line_and_writes_nothing() {
    let out = folder("refused");
    let (text, empty) = (out.join("text.wav"), out.join("empty.wav"));
    std::fs::write(&text, "no sound").expect("test files can be written");
    std::fs::write(&empty, "").expect("test files can be written");
    let results = out.join("results");
    let [text, empty] = [text, empty].map(|path| path.to_str().expect("a plain path").to_owned());
    for arguments in [
        &["--near", "no-such-file.wav"][..],
        &["--far", &text],
        &["--near", &empty],
        &["--seconds", "0"],
        &["--bitrate", "0"],
        &["--net", "nowhere"],
        &["--net", "perfect", "--loss", "90", "--burst", "1.5"],
        &["--nonsense"],
        &["connect", "not-an-address"],
    ] {
        let output = call(&results, arguments);
        let message = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{arguments:?}: {message}");
        assert!(!results.exists(), "{arguments:?} wrote something");
    }
}

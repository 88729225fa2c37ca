//! `docs/conformance.md` says what is true of the tree: the code it names is there, and so are the tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A row of a table: what the document says of one clause.
struct Row {
    clause: String,
    level: String,
    status: String,
    code: Vec<String>,
    tests: Vec<String>,
}

#[test]
fn every_clause_has_a_level_and_a_status() {
    for Row { clause, level, status, .. } in rows() {
        let known = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "RECOMMENDED", "OPTIONAL", "–"];
        assert!(level.split(", ").all(|word| known.contains(&word)), "{clause}: level {level}");
        let reasoned = ["deviates: ", "not yet: ", "left out: "].iter().any(|word| status.starts_with(word));
        assert!(status == "done" || reasoned, "{clause}: status {status}");
    }
}

#[test]
fn code_that_is_named_exists() {
    for Row { clause, code, .. } in rows() {
        assert!(!code.is_empty(), "{clause}: no code");
        for file in code {
            assert!(Path::new(ROOT).join(&file).is_file(), "{clause}: no file {file}");
        }
    }
}

#[test]
fn tests_that_are_named_exist() {
    let known = tests_of_the_tree();
    assert!(known.len() > 300, "{} tests found in the tree", known.len());
    for Row { clause, status, tests, .. } in rows() {
        assert!(status != "done" || !tests.is_empty(), "{clause}: done, but no test shows it");
        for test in tests {
            assert!(known.contains(&test), "{clause}: no test {test}");
        }
    }
}

/// A test named after a clause is in the document.
#[test]
fn clause_tests_are_named() {
    let named: BTreeSet<_> = rows().into_iter().flat_map(|row| row.tests).collect();
    for test in tests_of_the_tree() {
        let is_clause =
            ["rfc", "av1_rtp_", "av1_s", "draft_", "gcc02_", "ts26114_"].iter().any(|prefix| test.starts_with(prefix));
        assert!(!is_clause || named.contains(&test), "docs/conformance.md does not name {test}");
    }
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/conformance.md")).expect("the document is there");
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).filter_map(row).collect();
    assert!(rows.len() > 50, "{} rows found", rows.len());
    rows
}

/// The row of a table; `None` for its head and the line below.
fn row(line: &str) -> Option<Row> {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [clause, level, status, code, tests] = cells[..] else { panic!("not five cells: {line}") };
    if clause == "clause" || clause.starts_with("---") {
        return None;
    }
    Some(Row {
        clause: clause.to_owned(),
        level: level.to_owned(),
        status: status.to_owned(),
        code: names(code),
        tests: names(tests),
    })
}

/// What a cell names: between backticks, separated by commas; a dash for nothing.
fn names(cell: &str) -> Vec<String> {
    if cell == "–" {
        return Vec::new();
    }
    let name = |part: &str| part.strip_prefix('`')?.strip_suffix('`').map(str::to_owned);
    cell.split(", ").map(|part| name(part).unwrap_or_else(|| panic!("not a name: {part}"))).collect()
}

/// Names of the functions marked as tests in all packages.
fn tests_of_the_tree() -> BTreeSet<String> {
    let mut files = Vec::new();
    for package in ["rtc-core", "rtc-fec", "rtc-jitter", "rtc-bwe", "rtc-transport"] {
        for folder in ["src", "tests"] {
            collect(&Path::new(ROOT).join(package).join(folder), &mut files);
        }
    }
    files.iter().flat_map(|file| tests_in(&fs::read_to_string(file).expect("a source file is text"))).collect()
}

/// Adds the source files in `folder` and below.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of a package can be read") {
        let path = entry.expect("an entry of a folder can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Functions that follow `#[test]`, with nothing but other attributes and comments between.
fn tests_in(source: &str) -> Vec<String> {
    let (mut names, mut marked) = (Vec::new(), false);
    for line in source.lines().map(str::trim) {
        if line == "#[test]" {
            marked = true;
        } else if let Some((name, _)) = line.strip_prefix("fn ").and_then(|rest| rest.split_once('(')) {
            names.extend(marked.then(|| name.to_owned()));
            marked = false;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            marked = false;
        }
    }
    names
}

#[test]
fn tests_are_told_from_other_functions() {
    let source =
        "#[test]\n#[cfg(unix)]\n/// Why.\nfn one() {\n}\nfn two() {}\n#[test]\nconst X: u8 = 0;\nfn three() {}";
    assert_eq!(tests_in(source), ["one"]);
}

//! Saying results, and writing them so that a failure while writing leaves a folder as it was.

use std::io::Write;
use std::path::Path;

/// Says a line on standard output; who closed it does not want to hear it.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Makes sure that results can be put into `folder`, before anybody waits for them.
///
/// # Errors
/// As [`write_all`].
pub fn check(folder: &Path) -> Result<(), String> {
    write_all(folder, |_| Ok(()))
}

/// Fills `folder` with what `fill` writes: into a folder beside it first, moved over file by file once all is written.
///
/// # Errors
/// One line on what could not be written, `folder` then being as before; or on what could not be moved there in the end, when
/// it may hold a part.
pub fn write_all(folder: &Path, fill: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(fail)?;
    let draft = folder.join(format!(".draft-{}", std::process::id()));
    std::fs::create_dir(&draft).map_err(fail)?;
    let written = fill(&draft).and_then(|()| publish(&draft, folder).map_err(fail));
    let removed = std::fs::remove_dir_all(&draft).map_err(fail);
    written.and(removed)
}

fn publish(draft: &Path, folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(draft)? {
        let entry = entry?;
        std::fs::rename(entry.path(), folder.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_nothing_new() {
        let folder = std::env::temp_dir().join(format!("rtc-examples-output-{}", std::process::id()));
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let write = |draft: &Path| std::fs::write(draft.join("a"), "1").map_err(|error| error.to_string());
        assert!(write_all(&folder, |draft| write(draft).and_then(|()| Err("no".into()))).is_err());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        write_all(&folder, write).unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().map(name).collect::<Vec<_>>(), ["a"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

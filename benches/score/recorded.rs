//! Recordings, read where they are and never needed.

use std::fs;
use std::path::{Path, PathBuf};

use rtc_core::Frequency;

use crate::subject::PLAYER_RATE;

/// The files of a folder of `../shared/data`, by name.
pub(crate) fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(folder);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Without what comes after the first dot.
pub(crate) fn name_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.split('.').next()?.to_owned())
}

/// Recordings of speech at the player's rate, in the order of their names.
pub(crate) fn voices() -> Vec<Vec<i16>> {
    let speech =
        files("speech").into_iter().filter(|path| !name_of(path).is_some_and(|name| name.starts_with("music")));
    speech.filter_map(|path| read(&path, PLAYER_RATE)).collect()
}

/// A mono recording of 16 bits, if it is there at this rate.
pub(crate) fn wav(folder: &str, name: &str, rate: Frequency) -> Option<Vec<i16>> {
    let path = files(folder).into_iter().find(|path| name_of(path).is_some_and(|found| found == name))?;
    read(&path, rate)
}

fn read(path: &Path, rate: Frequency) -> Option<Vec<i16>> {
    let mut reader = hound::WavReader::open(path).ok()?;
    let spec = reader.spec();
    let fits = spec.sample_rate == rate.as_hz() && spec.channels == 1 && spec.bits_per_sample == 16;
    if fits { reader.samples::<i16>().collect::<Result<_, _>>().ok() } else { None }
}

//! Recorded networks, read where they are and never needed.

use core::time::Duration;
use std::fs;
use std::path::Path;

use rtc_core::testkit::trace::DelayTrace;
use rtc_transport::capture::RtpDumpReader;

use super::scenarios::{Delays, PTIME, relative};
use crate::recorded::{files, name_of};

/// Names and delays of all traces there are, by name.
pub(super) fn traces() -> Vec<(String, Delays)> {
    files("traces").into_iter().filter_map(|path| Some((name_of(&path)?, read_trace(&path)?))).collect()
}

fn read_trace(path: &Path) -> Option<Delays> {
    let bytes = fs::read(path).ok()?;
    if path.extension().is_some_and(|extension| extension == "rtp") {
        return parse_rtpdump(&bytes).map(relative);
    }
    let trace = DelayTrace::parse(core::str::from_utf8(&bytes).ok()?).ok()?;
    Some(relative(trace.delays().to_vec()))
}

/// The packets' own timestamps do not matter: one follows another each [`PTIME`].
fn parse_rtpdump(bytes: &[u8]) -> Option<Delays> {
    let reader = RtpDumpReader::new(bytes).ok()?;
    let start = reader.start();
    let mut arrivals: Vec<(i64, i64)> = Vec::new();
    let (mut number, mut last) = (0_i64, None);
    for packet in reader {
        let packet = packet.ok()?;
        let sequence = u16::from_be_bytes([*packet.bytes.get(2)?, *packet.bytes.get(3)?]);
        number += last.map_or(0, |last: u16| i64::from(sequence.wrapping_sub(last).cast_signed()));
        last = Some(sequence);
        arrivals.push((number, i64::try_from((packet.at - start).as_millis()).ok()?));
    }
    let first = arrivals.iter().map(|(number, _)| *number).min()?;
    let millis = i64::try_from(PTIME.as_millis()).ok()?;
    let delay = |(number, at): &(i64, i64)| at - millis * (number - first);
    let least = arrivals.iter().map(delay).min()?;
    let count = arrivals.iter().map(|(number, _)| number - first + 1).max()?;
    let mut delays: Delays = vec![None; usize::try_from(count).ok()?];
    for arrival in &arrivals {
        let slot = delays.get_mut(usize::try_from(arrival.0 - first).ok()?)?;
        *slot = Some(Duration::from_millis(u64::try_from(delay(arrival) - least).ok()?));
    }
    Some(delays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtpdump_gives_delays_by_sequence_number() {
        let mut file = b"#!rtpplay1.0 0.0.0.0/0\n0123456789abcdef".to_vec();
        for (sequence, at) in [(65_535_u16, 30_u32), (1, 65), (0, 90)] {
            file.extend(20_u16.to_be_bytes());
            file.extend(12_u16.to_be_bytes());
            file.extend(at.to_be_bytes());
            file.extend([0x80, 0]);
            file.extend(sequence.to_be_bytes());
            file.extend([0; 8]);
        }
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(parse_rtpdump(&file), Some(vec![ms(5), ms(45), ms(0)]));
        assert_eq!(parse_rtpdump(b"no dump"), None);
        assert_eq!(parse_rtpdump(&file[..file.len() - 1]), None);
    }
}

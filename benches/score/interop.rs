//! Interoperation: what one side encodes, the other decodes, byte by byte.

use std::collections::BTreeMap;

use indicatif::ProgressBar;
use rtc_core::RtpPacket;

use crate::report::{Metric, Report, Setting, Target};
use crate::{Options, peers};

/// Somebody's encoder and another's decoder, one of them ours.
pub(crate) struct Crossing {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> Result<Crossed, String>,
}

/// What came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crossed {
    sent: usize,
    /// Packets taken out on the way, each of which redundancy can bring back.
    lost: usize,
    /// Of these, brought back to the last byte.
    exact: usize,
    /// Packets received that were never sent, or were received before.
    wrong: usize,
}

impl Crossed {
    /// Looks for what was lost in what was received, byte by byte.
    #[cfg_attr(
        not(any(feature = "peers-rust", feature = "peers-system")),
        allow(dead_code, reason = "no peer is built in")
    )]
    pub(crate) fn between(sent: &[RtpPacket], lost: &[RtpPacket], received: &[RtpPacket]) -> Self {
        let mut times: BTreeMap<&[u8], usize> = BTreeMap::new();
        for packet in received {
            *times.entry(packet.as_ref()).or_default() += 1;
        }
        let exact = lost.iter().filter(|packet| times.contains_key(packet.as_ref())).count();
        let unknown = received.iter().filter(|packet| !sent.contains(packet)).count();
        let repeated: usize = times.values().map(|times| times - 1).sum();
        Self { sent: sent.len(), lost: lost.len(), exact, wrong: unknown + repeated }
    }
}

/// Runs all crossings; they take real time, as GStreamer's jitter buffer does.
pub(crate) fn run(options: &Options, bar: &ProgressBar, report: &mut Report) {
    if !options.wants_subject("ours") {
        return;
    }
    for (peer, crossings) in peers::crossings() {
        let (version, crossings) = match crossings {
            Ok(crossings) => crossings,
            Err(why) => {
                report.versions.insert(peer.into(), format!("not available: {why}"));
                continue;
            }
        };
        report.versions.insert(peer.into(), version);
        let wanted = |crossing: &&Crossing| options.wants_scenario(&format!("interop: {}", crossing.name));
        for crossing in crossings.iter().filter(wanted) {
            bar.set_message(crossing.name);
            match (crossing.run)() {
                Ok(crossed) => add(crossing, crossed, report),
                Err(error) => bar.suspend(|| eprintln!("{}: {error}", crossing.name)),
            }
        }
    }
}

fn add(crossing: &Crossing, crossed: Crossed, report: &mut Report) {
    let input = format!("{} of {} packets lost, never two in a row", crossed.lost, crossed.sent);
    let setting = Setting { scenario: crossing.name.into(), input, seeds: 1 };
    let exact = 100.0 * crossed.exact as f64 / crossed.lost as f64;
    report.add_targeted(&setting, Metric("brought back exactly", "% of lost"), exact, Target::AtLeast(100.0));
    report.add_targeted(&setting, Metric("wrong", "packets"), crossed.wrong as f64, Target::AtMost(0.0));
}

#[cfg(test)]
mod tests {
    use rtc_core::{PayloadType, RtpTime, SeqNum, Ssrc};

    use super::*;

    fn packet(seq: u16, payload: u8) -> RtpPacket {
        let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(0), Ssrc(1));
        packet.build(&[payload]).unwrap()
    }

    #[test]
    fn only_whole_packets_count_and_each_once() {
        let sent: Vec<_> = (0..5).map(|seq| packet(seq, 0)).collect();
        let lost = [packet(1, 0), packet(3, 0)];
        let through = |received: &[RtpPacket]| {
            let crossed = Crossed::between(&sent, &lost, received);
            (crossed.exact, crossed.wrong)
        };
        assert_eq!(through(&sent), (2, 0));
        assert_eq!(through(&sent[..3]), (1, 0));
        assert_eq!(through(&[packet(1, 1)]), (0, 1), "a wrong byte");
        assert_eq!(through(&[packet(3, 0), packet(3, 0)]), (1, 1), "the same again");
    }
}

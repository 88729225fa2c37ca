//! The round trip as extended reports tell it (RFC 3611 §4.4, §4.5).

use rtc_core::time::{Instant, NtpTime};

use crate::rtcp::{DELAY_LEN, DelaySinceReport, ExtendedBlock, ExtendedReport};

use super::Session;
use super::event::Event;

/// Most reference times answered in one report; others get their turn the next time.
const MAX_ANSWERS: usize = 16;
/// An extended report with a reference time, and the head of a block of answers.
const HEADS_LEN: usize = 8 + 12 + 4;

impl Session {
    /// What to add to a report: our reference time if we send no media, for which sender reports serve, and answers to those
    /// of others. `None` if extended reports were not agreed on, or there is nothing to tell.
    pub(super) fn extended_report(&mut self, now: Instant, sends: bool, room: usize) -> Option<ExtendedReport> {
        let fits = room.checked_sub(HEADS_LEN)? / DELAY_LEN;
        if !self.config.extended_reports {
            return None;
        }
        let mut blocks = Vec::new();
        if !sends {
            blocks.push(ExtendedBlock::ReferenceTime(self.ntp(now)));
        }
        let answers = self.sources.take_reference_times(fits.min(MAX_ANSWERS));
        let answer = |(ssrc, last_rr, arrived): (_, _, Instant)| DelaySinceReport {
            ssrc,
            last_rr,
            delay: NtpTime::short_of_duration(now - arrived),
        };
        let delays: Vec<_> = answers.into_iter().map(answer).collect();
        if !delays.is_empty() {
            blocks.push(ExtendedBlock::Delays(delays));
        }
        let sender = self.senders[0].stream.ssrc();
        (!blocks.is_empty()).then_some(ExtendedReport { sender, blocks })
    }

    pub(super) fn on_extended_report(&mut self, now: Instant, report: ExtendedReport) {
        if self.is_ours(report.sender) {
            self.on_own_source(now, report.sender);
            return;
        }
        let ntp = self.ntp(now);
        for block in &report.blocks {
            match block {
                ExtendedBlock::ReferenceTime(time) => {
                    if let Some(source) = self.sources.hear(now, report.sender) {
                        source.reference = Some((time.to_short(), now));
                    }
                }
                ExtendedBlock::Delays(delays) => {
                    for delay in delays {
                        if !self.is_ours(delay.ssrc) {
                            self.stats.foreign += 1;
                        } else if let Some(round_trip) = delay.round_trip(ntp) {
                            self.round_trip = Some(round_trip);
                            self.push_event(Event::RoundTrip { ssrc: report.sender, round_trip });
                        }
                    }
                }
                _ => {}
            }
        }
        let is_ours = |block| matches!(block, &ExtendedBlock::ReferenceTime(_) | &ExtendedBlock::Delays(_));
        if !report.blocks.iter().all(is_ours) {
            self.push_event(Event::ExtendedReport(report));
        }
    }
}

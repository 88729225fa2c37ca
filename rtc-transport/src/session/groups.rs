//! Several sources of one endpoint, of which one reports for all (RFC 8861).

use bytes::{Bytes, BytesMut};
use rtc_core::Ssrc;

use crate::rtcp::{ReportingSources, RtcpPacket, Sdes, SdesChunk, SdesItem, SdesType};

use super::Session;
use super::event::Event;
use super::outgoing::put;

/// Bytes of a packet that names one reporting source.
pub(super) const REPORTING_LEN: usize = 12;

impl Session {
    /// The names of some of our sources: the canonical one, and of the one that reports for all that of the group as well, if
    /// there is one; the others must not tell it (RFC 8861 §3.2.1).
    pub(super) fn describe(&self, sources: impl IntoIterator<Item = Ssrc>) -> Sdes {
        let item = |kind, text: &Bytes| SdesItem { kind, text: text.clone() };
        let reports = self.senders[0].stream.ssrc();
        let chunk = |source| {
            let group = self.config.reporting_group.as_ref().filter(|_| source == reports);
            let mut items = vec![item(SdesType::CNAME, &self.config.cname)];
            items.extend(group.map(|group| item(SdesType::REPORTING_GROUP, group)));
            SdesChunk { source, items }
        };
        Sdes { chunks: sources.into_iter().map(chunk).collect() }
    }

    /// Bytes of a chunk of [`describe`](Self::describe) at most.
    pub(super) fn description_len(&self) -> usize {
        let group = self.config.reporting_group.as_ref().map_or(0, |group| 2 + group.len());
        4 + (2 + self.config.cname.len() + group + 1).next_multiple_of(4)
    }

    /// Says that our first source reports for `others` (RFC 8861 §3.2.2), if it was agreed that it does.
    pub(super) fn write_reporting_sources(&self, others: &[Ssrc], out: &mut BytesMut) {
        if self.config.reporting_group.is_none() {
            return;
        }
        let sources = vec![self.senders[0].stream.ssrc()];
        for sender in others {
            put(out, &RtcpPacket::ReportingSources(ReportingSources { sender: *sender, sources: sources.clone() }));
        }
    }

    /// Believed only if all are of one endpoint, and those said to report of one group, which they name and the others do not.
    pub(super) fn on_reporting_sources(&mut self, report: ReportingSources) {
        let cname = |ssrc| self.sources.find(ssrc)?.cname.as_deref();
        let group = |ssrc| Some((cname(ssrc)?, self.sources.find(ssrc)?.group.as_deref()?));
        let first = report.sources.first().and_then(|ssrc| group(*ssrc));
        let is_whole = first.is_some_and(|(endpoint, _)| cname(report.sender) == Some(endpoint))
            && report.sources.iter().all(|ssrc| *ssrc != report.sender && group(*ssrc) == first);
        if !is_whole {
            self.stats.foreign += 1;
            return;
        }
        let ReportingSources { sender, sources } = report;
        if let Some(source) = self.sources.find_mut(sender).filter(|source| source.reported_by != sources) {
            source.reported_by.clone_from(&sources);
            self.push_event(Event::ReportedBy { ssrc: sender, by: sources });
        }
    }
}

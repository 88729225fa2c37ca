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
    /// The names of some of our sources: the canonical one, and that of the reporting group if there is one.
    pub(super) fn describe(&self, sources: impl IntoIterator<Item = Ssrc>) -> Sdes {
        let item = |kind, text: &Bytes| SdesItem { kind, text: text.clone() };
        let mut items = vec![item(SdesType::CNAME, &self.config.cname)];
        items.extend(self.config.reporting_group.as_ref().map(|group| item(SdesType::REPORTING_GROUP, group)));
        Sdes { chunks: sources.into_iter().map(|source| SdesChunk { source, items: items.clone() }).collect() }
    }

    /// Bytes of a chunk of [`describe`](Self::describe).
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

    /// Believed only if all are of one group and of one endpoint.
    pub(super) fn on_reporting_sources(&mut self, report: ReportingSources) {
        let group = |ssrc| {
            let source = self.sources.find(ssrc)?;
            Some((source.cname.as_deref()?, source.group.as_deref()?))
        };
        let own = group(report.sender);
        if own.is_none() || report.sources.iter().any(|ssrc| group(*ssrc) != own) {
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

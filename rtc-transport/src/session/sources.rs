use core::time::Duration;

use rtc_core::time::Instant;
use rtc_core::{ConfigError, Ssrc};

use crate::receiver::{ReceiveStream, ReceiverConfig};
use crate::rtcp::ReportBlock;

use super::messages::Heard;

/// The sources of the remote party, a bounded number.
#[derive(Debug)]
pub(super) struct Sources {
    entries: Vec<Source>,
    capacity: usize,
    config: ReceiverConfig,
    /// Whose turn it is to be reported on.
    turn: usize,
}

#[derive(Debug)]
pub(super) struct Source {
    pub(super) stream: ReceiveStream,
    pub(super) cname: Option<Box<[u8]>>,
    /// Its reporting group (RFC 8861), and who reports for it.
    pub(super) group: Option<Box<[u8]>>,
    pub(super) reported_by: Vec<Ssrc>,
    /// Its last reference time, in short form, and when it arrived; `None` once answered.
    pub(super) reference: Option<(u32, Instant)>,
    pub(super) messages: Heard,
    /// When anything last came from it.
    heard: Instant,
    /// When media last came from it.
    media: Option<Instant>,
}

impl Sources {
    pub(super) fn new(capacity: usize, config: ReceiverConfig) -> Result<Self, ConfigError> {
        // Streams are made as they come; whether they can be is known now.
        ReceiveStream::new(Ssrc(0), config)?;
        Ok(Self { entries: Vec::new(), capacity, config, turn: 0 })
    }

    /// The source, which is new if it is not known. `None` if there is no room: only sources that were never believed make
    /// any, the one longest silent first.
    pub(super) fn hear(&mut self, now: Instant, ssrc: Ssrc) -> Option<&mut Source> {
        let known = self.entries.iter().position(|source| source.stream.ssrc() == ssrc);
        let index = match known {
            Some(index) => index,
            None => self.add(now, ssrc)?,
        };
        let source = &mut self.entries[index];
        source.heard = source.heard.max(now);
        Some(source)
    }

    /// The source, if it is known.
    pub(super) fn find(&self, ssrc: Ssrc) -> Option<&Source> {
        self.entries.iter().find(|source| source.stream.ssrc() == ssrc)
    }

    /// The source, if it is known.
    pub(super) fn find_mut(&mut self, ssrc: Ssrc) -> Option<&mut Source> {
        self.entries.iter_mut().find(|source| source.stream.ssrc() == ssrc)
    }

    /// Reference times to answer, `limit` at most: source, short form, arrival.
    pub(super) fn take_reference_times(&mut self, limit: usize) -> Vec<(Ssrc, u32, Instant)> {
        let waiting = self.entries.iter_mut().filter_map(|source| {
            let (time, arrived) = source.reference?;
            source.reference = None;
            Some((source.stream.ssrc(), time, arrived))
        });
        waiting.take(limit).collect()
    }

    /// Forgets the source; false if it is not known.
    pub(super) fn remove(&mut self, ssrc: Ssrc) -> bool {
        let known = self.entries.iter().position(|source| source.stream.ssrc() == ssrc);
        known.map(|index| self.entries.remove(index)).is_some()
    }

    /// Forgets a source that has been silent for `timeout`.
    pub(super) fn take_silent(&mut self, now: Instant, timeout: Duration) -> Option<Ssrc> {
        let index = self.entries.iter().position(|source| source.heard + timeout <= now)?;
        Some(self.entries.remove(index).stream.ssrc())
    }

    /// Blocks on sources that sent something since they were last reported on, `limit` at most; others get their turn the
    /// next time (RFC 3550 §6.1).
    pub(super) fn take_reports(&mut self, now: Instant, limit: usize) -> Vec<ReportBlock> {
        let mut blocks = Vec::with_capacity(self.entries.len().min(limit));
        for _ in 0..self.entries.len() {
            if blocks.len() == limit {
                break;
            }
            self.turn = (self.turn + 1) % self.entries.len();
            blocks.extend(self.entries[self.turn].stream.take_report(now));
        }
        blocks
    }

    /// How many sent something since they were last reported on.
    pub(super) fn with_news(&self) -> usize {
        self.entries.iter().filter(|source| source.stream.has_news()).count()
    }

    pub(super) fn iter(&self) -> core::slice::Iter<'_, Source> {
        self.entries.iter()
    }

    /// When the first source will have been silent for `timeout`.
    pub(super) fn next_silent(&self, timeout: Duration) -> Option<Instant> {
        self.entries.iter().map(|source| source.heard + timeout).min()
    }

    /// Whether there is a remote party.
    pub(super) fn is_heard(&self) -> bool {
        !self.entries.is_empty()
    }

    fn add(&mut self, now: Instant, ssrc: Ssrc) -> Option<usize> {
        let stream = ReceiveStream::new(ssrc, self.config).ok()?;
        if self.entries.len() >= self.capacity {
            let strays = self.entries.iter().enumerate().filter(|(_, source)| !source.stream.is_valid());
            let (oldest, _) = strays.min_by_key(|(_, source)| source.heard)?;
            self.entries.remove(oldest);
        }
        self.entries.push(Source {
            stream,
            cname: None,
            group: None,
            reported_by: Vec::new(),
            reference: None,
            messages: Heard::default(),
            heard: now,
            media: None,
        });
        Some(self.entries.len() - 1)
    }
}

impl Source {
    /// Keeps the canonical name. Copied, as a slice would keep the whole datagram.
    pub(super) fn set_cname(&mut self, name: &[u8]) {
        if self.cname.as_deref() != Some(name) {
            self.cname = Some(name.into());
        }
    }

    /// Keeps the name of the reporting group.
    pub(super) fn set_group(&mut self, name: &[u8]) {
        if self.group.as_deref() != Some(name) {
            self.group = Some(name.into());
        }
    }

    pub(super) fn on_media(&mut self, now: Instant) {
        self.media = Some(now);
    }

    pub(super) fn sent_since(&self, since: Instant) -> bool {
        self.media.is_some_and(|last| last >= since)
    }
}

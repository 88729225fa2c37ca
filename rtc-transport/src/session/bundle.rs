use core::time::Duration;

use rtc_core::rtp::extension::{Mid, RepairedRid, Rid};
use rtc_core::time::Instant;
use rtc_core::{ConfigError, PayloadType, RtpPacket, SeqNum, Ssrc};

use crate::rtcp::{Sdes, SdesType};

/// A media section of the session description, as far as packets are matched with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MediaSection {
    /// Its name (`a=mid`), 1 to 255 bytes.
    pub mid: String,
    /// Its payload types. One that no other section has names the section.
    pub payload_types: Vec<PayloadType>,
    /// Sources that were signalled (`a=ssrc`).
    pub ssrcs: Vec<Ssrc>,
}

/// Settings of a [`Bundle`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BundleConfig {
    /// The sections, 256 at most.
    pub sections: Vec<MediaSection>,
    /// Identifiers of the header extension elements for the section, the stream, and the stream that one repairs (RFC 9143
    /// §15.1, RFC 8852). Default none.
    pub mid_id: Option<u8>,
    /// See `mid_id`.
    pub rid_id: Option<u8>,
    /// See `mid_id`.
    pub repaired_rid_id: Option<u8>,
    /// The most sources that are learnt from packets. Default 64: nine videos of three layers with retransmission, and some.
    pub max_sources: usize,
    /// How long a source that sent several packets keeps its place when others want it. Default 10 s.
    pub hold: Duration,
}

impl Default for BundleConfig {
    fn default() -> Self {
        Self {
            sections: Vec::new(),
            mid_id: None,
            rid_id: None,
            repaired_rid_id: None,
            max_sources: 64,
            hold: Duration::from_secs(10),
        }
    }
}

/// Where a packet belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route<'a> {
    /// Index of the section in [`BundleConfig::sections`].
    pub section: usize,
    /// Name of the stream within it, such as a layer of simulcast (`a=rid`).
    pub rid: Option<&'a str>,
    /// Whether it repairs that stream: retransmissions, error correction.
    pub repairs: bool,
}

/// What a [`Bundle`] did. `packets = by_mid + by_ssrc + by_payload_type + unknown + refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BundleStats {
    /// Packets asked about.
    pub packets: u64,
    /// Packets that named their section.
    pub by_mid: u64,
    /// Packets of a source whose section is known.
    pub by_ssrc: u64,
    /// Packets whose payload type only one section has.
    pub by_payload_type: u64,
    /// Packets of no section: an unknown name, or none and an ambiguous payload type.
    pub unknown: u64,
    /// Packets of one source too many.
    pub refused: u64,
    /// Sources forgotten to make room.
    pub evicted: u64,
}

/// Finds the media section of packets that share a transport: BUNDLE (RFC 9143 §9.2), with the streams of a section told apart
/// by name (RFC 8852).
///
/// A packet that names its section moves its source there; others go where their source was last, or where their payload type
/// points. Sources that sent but a packet or two make room for others, so that a flood of invented ones neither fills the table
/// nor drives out those that send. Authenticate packets first (SRTP): who can invent packets can still move a source.
#[derive(Debug)]
pub struct Bundle {
    config: BundleConfig,
    sources: Vec<Source>,
    stats: BundleStats,
}

#[derive(Debug)]
struct Source {
    ssrc: Ssrc,
    section: usize,
    rid: Option<Box<str>>,
    repairs: bool,
    signalled: bool,
    packets: u32,
    heard: Instant,
    /// The newest packet that named its section: an older one that comes late moves nothing.
    named: Option<SeqNum>,
}

/// So many packets make a source one that sends.
const SETTLED: u32 = 3;

impl Bundle {
    /// Knows what was signalled.
    ///
    /// # Errors
    /// [`ConfigError`] if there are more than 256 sections, two of one name, one whose name is not 1 to 255 bytes, or a source
    /// in two of them.
    pub fn new(config: BundleConfig) -> Result<Self, ConfigError> {
        let mut sources: Vec<Source> = Vec::new();
        if config.sections.len() > 256 {
            return Err(ConfigError::new("sections", "must be 256 at most"));
        }
        for (section, media) in config.sections.iter().enumerate() {
            Mid::new(&media.mid)?;
            if config.sections[..section].iter().any(|other| other.mid == media.mid) {
                return Err(ConfigError::new("mid", "must be different in each section (RFC 9143 §7.1)"));
            }
            for ssrc in &media.ssrcs {
                if sources.iter().any(|source| source.ssrc == *ssrc) {
                    return Err(ConfigError::new("ssrcs", "must be in one section each"));
                }
                sources.push(Source { signalled: true, ..Source::new(*ssrc, section, Instant::ZERO) });
            }
        }
        Ok(Self { config, sources, stats: BundleStats::default() })
    }

    /// Where the packet belongs; `None` if that is not known, and the packet is to be dropped.
    pub fn route(&mut self, now: Instant, packet: &RtpPacket) -> Option<Route<'_>> {
        self.stats.packets += 1;
        let known = self.sources.iter().position(|source| source.ssrc == packet.ssrc());
        let named = self.config.mid_id.and_then(|id| packet.read::<Mid<'_>>(id));
        let index = match (named, known) {
            (Some(Ok(mid)), _) => {
                let Some(section) = self.section(mid.as_str()) else {
                    self.stats.unknown += 1;
                    return None;
                };
                let index = self.known_or_new(now, packet.ssrc(), section)?;
                self.stats.by_mid += 1;
                self.sources[index].name(packet.seq(), section);
                index
            }
            (_, Some(index)) => {
                self.stats.by_ssrc += 1;
                index
            }
            (_, None) => {
                let Some(section) = self.only_section_of(packet.payload_type()) else {
                    self.stats.unknown += 1;
                    return None;
                };
                let index = self.known_or_new(now, packet.ssrc(), section)?;
                self.stats.by_payload_type += 1;
                index
            }
        };
        let repairs = self.config.repaired_rid_id.and_then(|id| packet.read::<RepairedRid<'_>>(id)?.ok());
        let rid = self.config.rid_id.and_then(|id| packet.read::<Rid<'_>>(id)?.ok());
        let source = &mut self.sources[index];
        source.heard = source.heard.max(now);
        source.packets = source.packets.saturating_add(1);
        match (repairs, rid) {
            (Some(repaired), _) => source.set_rid(repaired.as_str(), true),
            (None, Some(rid)) => source.set_rid(rid.as_str(), false),
            (None, None) => {}
        }
        Some(Route { section: source.section, rid: source.rid.as_deref(), repairs: source.repairs })
    }

    /// Takes the section names of a source description (RFC 9143 §15.1); of sources that are known already only, so that RTCP
    /// alone fills no table.
    pub fn on_sdes(&mut self, sdes: &Sdes) {
        for chunk in &sdes.chunks {
            let mid = chunk.items.iter().find(|item| item.kind == SdesType::MID);
            let section = mid.and_then(|item| self.section(core::str::from_utf8(&item.text).ok()?));
            let source = self.sources.iter_mut().find(|source| source.ssrc == chunk.source);
            if let (Some(section), Some(source)) = (section, source) {
                source.section = section;
            }
        }
    }

    /// Forgets a source that said goodbye, unless it was signalled.
    pub fn remove(&mut self, ssrc: Ssrc) {
        self.sources.retain(|source| source.ssrc != ssrc || source.signalled);
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> BundleStats {
        self.stats
    }

    fn section(&self, mid: &str) -> Option<usize> {
        self.config.sections.iter().position(|section| section.mid == mid)
    }

    fn only_section_of(&self, payload_type: PayloadType) -> Option<usize> {
        let has = |section: &MediaSection| section.payload_types.contains(&payload_type);
        let mut sections = self.config.sections.iter().enumerate().filter(|(_, section)| has(section));
        let (first, _) = sections.next()?;
        sections.next().is_none().then_some(first)
    }

    /// The place of a source, made if need be; `None`, and counted, if there is no room.
    fn known_or_new(&mut self, now: Instant, ssrc: Ssrc, section: usize) -> Option<usize> {
        if let Some(known) = self.sources.iter().position(|source| source.ssrc == ssrc) {
            return Some(known);
        }
        if self.sources.iter().filter(|source| !source.signalled).count() >= self.config.max_sources
            && !self.make_room(now)
        {
            self.stats.refused += 1;
            return None;
        }
        self.sources.push(Source::new(ssrc, section, now));
        Some(self.sources.len() - 1)
    }

    /// Forgets the source that is least likely to send again: one of few packets, or silent for long.
    fn make_room(&mut self, now: Instant) -> bool {
        let hold = self.config.hold;
        let may_go = |source: &Source| !source.signalled && (source.packets < SETTLED || source.heard + hold <= now);
        let candidates = self.sources.iter().enumerate().filter(|(_, source)| may_go(source));
        let Some((index, _)) = candidates.min_by_key(|(_, source)| source.heard) else { return false };
        self.sources.swap_remove(index);
        self.stats.evicted += 1;
        true
    }
}

impl Source {
    fn new(ssrc: Ssrc, section: usize, heard: Instant) -> Self {
        Self { ssrc, section, rid: None, repairs: false, signalled: false, packets: 0, heard, named: None }
    }

    /// Moves the source to the section that packet `seq` named, unless a newer one named another.
    fn name(&mut self, seq: SeqNum, section: usize) {
        if self.named.is_none_or(|newest| seq.is_newer_than(newest)) {
            (self.named, self.section) = (Some(seq), section);
        }
    }

    fn set_rid(&mut self, rid: &str, repairs: bool) {
        if self.rid.as_deref() != Some(rid) {
            self.rid = Some(rid.into());
        }
        self.repairs = repairs;
    }
}

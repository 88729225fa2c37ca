//! Probing at the start: bursts at a multiple of the start rate, doubled while the path delivers them.

use core::time::Duration;

use rtc_core::Bitrate;
use rtc_core::bwe::{ProbeCluster, ProbeId, SentPacket};
use rtc_core::time::Instant;

use crate::config::ProbeConfig;

/// A probe nothing was heard of for this long is given up.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Share of a probe's packets that must have arrived for it to say anything.
const MIN_DELIVERED: f64 = 0.8;
/// A probe delivered faster than this multiple of how it was sent was held back and let go: it says nothing.
const MAX_COMPRESSION: f64 = 2.0;
/// A probe delivered at less than this fraction of how it was sent met the capacity of the link...
const SATURATED: f64 = 0.9;
/// ... of which this much is used, to leave room for the queue it made.
const SATURATED_USE: f64 = 0.95;

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Finding {
    /// A rate the path carries, in b/s.
    pub(crate) rate: f64,
    /// Whether that is all it carries.
    pub(crate) saturated: bool,
}

#[derive(Debug)]
pub(crate) struct Prober {
    config: ProbeConfig,
    next_id: u32,
    /// Rate of the next probe, in b/s; `None` when there is nothing left to learn.
    next_rate: Option<f64>,
    running: Option<Cluster>,
}

#[derive(Debug, Clone, Copy)]
struct Cluster {
    id: ProbeId,
    rate: f64,
    asked: Instant,
    sent: Span,
    received: Span,
}

/// From the first packet of a probe to the last: when each was, and how many bytes were before it, of the probe or not.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    packets: u32,
    first: Option<Mark>,
    last: Option<Mark>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Instant,
    bytes: u64,
}

impl Prober {
    pub(crate) fn new(config: ProbeConfig, start: Bitrate) -> Self {
        let next_rate = config.enabled.then(|| start.as_bps_f64() * config.factor);
        Self { config, next_id: 0, next_rate, running: None }
    }

    /// Searches again, from another rate.
    pub(crate) fn restart(&mut self, start: Bitrate) {
        *self = Self { next_id: self.next_id, ..Self::new(self.config, start) };
    }

    /// The next burst to send, at most `max`; only when the one before is done with and found more than `target`.
    pub(crate) fn poll(&mut self, now: Instant, target: f64, max: Bitrate) -> Option<ProbeCluster> {
        if self.running.is_some_and(|cluster| now - cluster.asked >= TIMEOUT) {
            self.running = None;
            self.next_rate = None;
        }
        if self.running.is_some() {
            return None;
        }
        let rate = self.next_rate.take()?.min(max.as_bps_f64());
        if rate <= target {
            return None;
        }
        let id = ProbeId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        self.running = Some(Cluster { id, rate, asked: now, sent: Span::default(), received: Span::default() });
        let rate = Bitrate::from_bps_f64(rate);
        Some(ProbeCluster { id, rate, size: rate.size_in(self.config.duration), packets: self.config.packets })
    }

    /// Takes note of a sent packet, with the bytes sent up to and with it.
    pub(crate) fn on_sent(&mut self, packet: &SentPacket, bytes: u64) {
        if let Some(cluster) = self.running.as_mut().filter(|cluster| Some(cluster.id) == packet.probe) {
            // What was sent by the time the last packet leaves does not include it.
            cluster.sent.add(packet.sent, bytes.saturating_sub(packet.size.as_bytes()));
        }
    }

    /// Takes note of a received packet, with the bytes delivered up to and with it.
    pub(crate) fn on_received(&mut self, id: ProbeId, bytes: u64, received: Instant) {
        if let Some(cluster) = self.running.as_mut().filter(|cluster| cluster.id == id) {
            cluster.received.add(received, bytes);
        }
    }

    /// Evaluates the probe when enough of it has arrived.
    pub(crate) fn finish(&mut self) -> Option<Finding> {
        let cluster = self.running?;
        let expected = f64::from(cluster.sent.packets.max(self.config.packets));
        if f64::from(cluster.received.packets) < MIN_DELIVERED * expected {
            return None;
        }
        self.running = None;
        let sent = cluster.sent.rate()?;
        let received = cluster.received.rate()?;
        if received > MAX_COMPRESSION * sent {
            return None;
        }
        let saturated = received < SATURATED * sent;
        if !saturated {
            self.next_rate = Some(2.0 * cluster.rate);
        }
        let rate = if saturated { SATURATED_USE * received } else { sent.min(received).min(cluster.rate) };
        Some(Finding { rate, saturated })
    }
}

impl Span {
    fn add(&mut self, at: Instant, bytes: u64) {
        let mark = Mark { at, bytes };
        self.packets = self.packets.saturating_add(1);
        self.first.get_or_insert(mark);
        if self.last.is_none_or(|last| at >= last.at) {
            self.last = Some(mark);
        }
    }

    fn rate(&self) -> Option<f64> {
        let (first, last) = (self.first?, self.last?);
        let time = last.at - first.at;
        let bytes = last.bytes.saturating_sub(first.bytes);
        (time > Duration::ZERO && bytes > 0).then(|| 8.0 * bytes as f64 / time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use rtc_core::DataSize;

    use super::*;

    const START: Bitrate = Bitrate::from_kbps(300);
    const MAX: Bitrate = Bitrate::from_kbps(5_000);
    const SIZE: DataSize = DataSize::from_bytes(450);

    /// Sends ten packets at the probe's rate, which arrive at no more than `capacity`; the last `lost` do not.
    fn run(prober: &mut Prober, cluster: ProbeCluster, capacity: u64, lost: u64) -> Option<Finding> {
        let spacing = cluster.rate.time_for(SIZE);
        let arrival = spacing.max(Bitrate::from_kbps(capacity).time_for(SIZE));
        for index in 0..10 {
            let sent = Instant::from_millis(7) + spacing * u32::try_from(index).unwrap();
            let packet = SentPacket { id: index, sent, size: SIZE, probe: Some(cluster.id) };
            prober.on_sent(&packet, SIZE.as_bytes() * (index + 1));
        }
        for index in 0..10 - lost {
            let received = Instant::from_millis(99) + arrival * u32::try_from(index).unwrap();
            prober.on_received(cluster.id, SIZE.as_bytes() * (index + 1), received);
        }
        prober.finish()
    }

    #[test]
    fn probes_double_while_the_path_carries_them() {
        let mut prober = Prober::new(ProbeConfig::default(), START);
        let mut rates = Vec::new();
        let mut found = 300e3;
        while let Some(cluster) = prober.poll(Instant::ZERO, found, MAX) {
            rates.push(cluster.rate.as_bps() / 1_000);
            assert!(cluster.size >= cluster.rate.size_in(Duration::from_millis(15)));
            assert_eq!(prober.poll(Instant::ZERO, found, MAX), None, "one at a time");
            let finding = run(&mut prober, cluster, 100_000, 0).unwrap();
            assert!(!finding.saturated);
            assert!((finding.rate / cluster.rate.as_bps_f64() - 1.0).abs() < 1e-3);
            found = finding.rate.max(found);
        }
        assert_eq!(rates, [900, 1_800, 3_600, 5_000]);
    }

    #[test]
    fn a_saturated_probe_finds_the_capacity_and_ends_the_search() {
        let mut prober = Prober::new(ProbeConfig::default(), START);
        let cluster = prober.poll(Instant::ZERO, 300e3, MAX).unwrap();
        let finding = run(&mut prober, cluster, 500, 0).unwrap();
        assert!(finding.saturated);
        assert!((finding.rate / 475e3 - 1.0).abs() < 1e-3, "{}", finding.rate);
        assert_eq!(prober.poll(Instant::ZERO, finding.rate, MAX), None);
    }

    #[test]
    fn a_probe_must_be_delivered_to_count() {
        let mut prober = Prober::new(ProbeConfig::default(), START);
        let cluster = prober.poll(Instant::ZERO, 300e3, MAX).unwrap();
        assert_eq!(run(&mut prober, cluster, 5_000, 3), None);
        assert_eq!(prober.poll(Instant::from_millis(999), 300e3, MAX), None);
        assert_eq!(prober.poll(Instant::from_millis(1_000), 300e3, MAX), None, "given up");
        assert_eq!(prober.running.map(|cluster| cluster.id), None);
    }

    #[test]
    fn compressed_arrivals_prove_nothing() {
        let mut prober = Prober::new(ProbeConfig::default(), START);
        let cluster = prober.poll(Instant::ZERO, 300e3, MAX).unwrap();
        for index in 0..5 {
            let sent = Instant::from_millis(4 * index);
            let bytes = SIZE.as_bytes() * (index + 1);
            prober.on_sent(&SentPacket { id: index, sent, size: SIZE, probe: Some(cluster.id) }, bytes);
            prober.on_received(cluster.id, bytes, Instant::from_millis(100 + index));
        }
        assert_eq!(prober.finish(), None);
    }

    #[test]
    fn no_probe_when_there_is_no_room_or_no_wish() {
        let mut prober = Prober::new(ProbeConfig::default(), MAX);
        assert_eq!(prober.poll(Instant::ZERO, MAX.as_bps_f64(), MAX), None);
        let mut prober = Prober::new(ProbeConfig { enabled: false, ..ProbeConfig::default() }, START);
        assert_eq!(prober.poll(Instant::ZERO, 300e3, MAX), None);
    }
}

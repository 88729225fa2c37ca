use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use rtc_core::audio::AudioMut;
use rtc_core::fec::FecDecoder;
use rtc_core::jitter::Inserted;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, Malformed, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::nack::{Arrival as Found, NackConfig, NackGenerator};
use rtc_fec::red::{self, RedDecoder, RedDecoderConfig};
use rtc_fec::rlc::{RlcDecoder, RlcDecoderConfig};
use rtc_fec::rtx::{Received, RtxReceiver, RtxReceiverConfig};
use rtc_fec::ulpfec::{UlpfecDecoder, UlpfecDecoderConfig};
use rtc_jitter::{AudioPlayout, PlayoutConfig, PlayoutStats, Pulled};

use super::decoder::Decoder;
use super::protection::NACK_DEADLINE;
use super::{Arrival, OPUS, Origin, RED, RLC, RTX, TRANSPORT_SEQUENCE, ULPFEC, VoiceConfig};
use crate::wav::RATE;

/// The jitter buffer never aims at more: with the rest of the way it would take a call beyond 300 ms.
const MAX_BUFFER: Duration = Duration::from_millis(215);
/// Packets over which loss is averaged.
const LOSS_MEMORY: f64 = 100.0;
/// Packets that the assumption of no loss is worth.
const FIRST_WEIGHT: f64 = 4.0;
/// Numbers that jump by more are no loss.
const MAX_STEP: i16 = 200;
/// From this loss on the buffer holds all it may, down to that.
const WAIT_FROM: f64 = 0.58;
const WAIT_UNTIL: f64 = 0.5;
/// So many more of the first packets that came than that did not are no chance: where seven of ten are lost, once in 70 times.
const CLEAR: i32 = 5;
/// After so many packets the average tells more than what is left of the first.
const UNCLEAR: f64 = 40.0;
/// Retransmissions kept until the first voice packet tells what they are of: those of 320 ms.
const MAX_EARLY: usize = 16;
/// Arrivals kept for whoever watches; nothing depends on them.
const MAX_ARRIVALS: usize = 1_024;

/// From the network to the loudspeaker.
#[derive(Debug)]
pub(super) struct Receiver {
    /// Sound in the last two packets in a row.
    packet_time: Duration,
    last: Option<(SeqNum, RtpTime)>,
    ulpfec: UlpfecDecoder,
    rlc: RlcDecoder,
    red: RedDecoder,
    /// Fraction of the packets sent by themselves that did not come, over some hundred.
    loss: f64,
    /// How many packets that figure rests on.
    expected: f64,
    /// Packets of the first ones that came, less those that did not; `None` once it is clear which are the more.
    first: Option<i32>,
    /// Retransmissions that came before the first voice packet.
    early: VecDeque<RtpPacket>,
    /// Made when the first voice packet tells which stream retransmissions belong to.
    rtx: Option<RtxReceiver>,
    nack: Option<NackGenerator>,
    voice: Option<Ssrc>,
    playout: AudioPlayout<Decoder>,
    copies: Arc<AtomicU64>,
    arrivals: VecDeque<Arrival>,
    /// Voice packets that reached the play-out, by any way.
    pub(super) received: u64,
    /// Packets that were not what they claimed.
    pub(super) malformed: u64,
}

impl Receiver {
    pub(super) fn new(config: VoiceConfig) -> Result<Self, ConfigError> {
        let mut red = RedDecoderConfig::default();
        red.payload_type = RED;
        let mut nack = NackConfig::default();
        nack.deadline = NACK_DEADLINE;
        let mut playout = PlayoutConfig::default();
        // What is brought back within this time is worth waiting for, as far as it is worth its delay.
        playout.jitter.delay.repair_delay = Some(NACK_DEADLINE);
        // A call within 300 ms has some delay to spare, and words to lose.
        playout.jitter.delay.ms_per_loss_percent = 80.0;
        playout.jitter.delay.max_delay = MAX_BUFFER;
        let mut ulpfec = UlpfecDecoderConfig::default();
        ulpfec.payload_type = ULPFEC;
        let mut rlc = RlcDecoderConfig::default();
        (rlc.payload_type, rlc.short, rlc.extensions) = (RLC, Some(OPUS), false);
        let copies = Arc::default();
        let mut playout = AudioPlayout::new(playout, Decoder::new(config.format(), Arc::clone(&copies))?)?;
        // Until it is clear that most arrives: what is not played yet can still be waited for.
        playout.set_min_delay(MAX_BUFFER);
        Ok(Self {
            packet_time: config.limits.packet_time,
            last: None,
            ulpfec: UlpfecDecoder::new(ulpfec)?,
            rlc: RlcDecoder::new(rlc)?,
            red: RedDecoder::new(red),
            loss: 0.0,
            expected: FIRST_WEIGHT,
            first: Some(0),
            early: VecDeque::with_capacity(MAX_EARLY),
            rtx: None,
            voice: None,
            nack: config.nack.then(|| NackGenerator::new(nack)).transpose()?,
            playout,
            copies,
            arrivals: VecDeque::with_capacity(MAX_ARRIVALS),
            received: 0,
            malformed: 0,
        })
    }

    /// Takes a packet as the network delivered it.
    pub(super) fn receive(&mut self, now: Instant, packet: RtpPacket) {
        if self.sort(now, packet).is_err() {
            self.malformed += 1;
        }
        while self.rtx.is_some()
            && let Some(packet) = self.early.pop_front()
        {
            if self.sort(now, packet).is_err() {
                self.malformed += 1;
            }
        }
        while let Some(recovered) = self.ulpfec.poll_recovered() {
            self.media(now, &recovered, Origin::Ulpfec);
        }
        while let Some(recovered) = self.rlc.poll_recovered() {
            self.media(now, &recovered, Origin::Coded);
        }
    }

    /// Plays a frame of any length.
    pub(super) fn play(&mut self, now: Instant, out: AudioMut<'_>) -> Pulled {
        self.playout.pull(now, out)
    }

    /// What to ask the peer for now.
    pub(super) fn poll_nack(&mut self, now: Instant) -> impl Iterator<Item = SeqNum> + '_ {
        self.nack.iter_mut().flat_map(move |nack| nack.poll(now))
    }

    /// The peer's voice stream, once its first packet came.
    pub(super) fn voice(&self) -> Option<Ssrc> {
        self.voice
    }

    pub(super) fn poll_arrival(&mut self) -> Option<Arrival> {
        self.arrivals.pop_front()
    }

    pub(super) fn set_rtt(&mut self, rtt: Duration) {
        if let Some(nack) = &mut self.nack {
            nack.set_rtt(rtt);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.nack.as_ref().and_then(NackGenerator::poll_timeout)
    }

    /// Whether of the first packets fewer came than did not.
    pub(super) fn misses_much(&self) -> bool {
        self.first.is_some_and(|more| more < 0)
    }

    /// Frames decoded from deep redundancy.
    pub(super) fn deep_copies(&self) -> u64 {
        self.copies.load(Ordering::Relaxed)
    }

    pub(super) fn buffer_delay(&self) -> Duration {
        self.playout.current_delay()
    }

    pub(super) fn buffer_target(&self) -> Duration {
        self.playout.target_delay()
    }

    pub(super) fn playout_stats(&self) -> PlayoutStats {
        self.playout.stats()
    }

    fn sort(&mut self, now: Instant, mut packet: RtpPacket) -> Result<(), Malformed> {
        match packet.payload_type() {
            ULPFEC => self.ulpfec.insert_repair(&packet)?,
            RLC => self.rlc.insert_repair(&packet)?,
            OPUS | RED => {
                self.meet(packet.ssrc());
                self.expect(now, &packet);
                // The bytes repair was computed over: before the number was filled in.
                packet.rewrite(|header| {
                    header.set_extension(TRANSPORT_SEQUENCE, &[0; 2]);
                });
                self.ulpfec.insert_source(&packet);
                self.rlc.insert_source(&packet);
                self.media(now, &packet, Origin::Direct);
            }
            _ => {
                let Some(rtx) = &mut self.rtx else {
                    if self.early.len() < MAX_EARLY && RTX.iter().any(|types| types.rtx == packet.payload_type()) {
                        self.early.push_back(packet);
                    }
                    return Ok(());
                };
                if let Received::Original(mut original) = rtx.receive(&packet)? {
                    original.rewrite(|header| {
                        header.set_extension(TRANSPORT_SEQUENCE, &[0; 2]);
                    });
                    self.rlc.insert_source(&original);
                    self.media(now, &original, Origin::Rtx);
                }
            }
        }
        Ok(())
    }

    /// Learns which stream is the peer's voice.
    fn meet(&mut self, voice: Ssrc) {
        if self.voice != Some(voice) {
            self.voice = Some(voice);
            let mut config = RtxReceiverConfig::default();
            (config.payload_types, config.ssrc) = (RTX.to_vec(), Some(voice));
            self.rtx = RtxReceiver::new(config).ok();
        }
    }

    /// Notes what is missing before this packet. What RED may still bring is not asked for yet.
    fn expect(&mut self, now: Instant, packet: &RtpPacket) {
        let last = self.last.replace((packet.seq(), packet.timestamp()));
        if let Some((seq, _)) = last {
            self.wait_as_needed(packet.seq().distance_from(seq));
        }
        if let Some((seq, time)) = last
            && packet.seq() == seq.next()
        {
            let ticks = u64::try_from(packet.timestamp().distance_from(time)).unwrap_or(0);
            self.packet_time = RATE.duration_of(ticks).min(Duration::from_millis(120));
        }
        let Some(nack) = &mut self.nack else { return };
        let Found::Newest { missing } = nack.insert(now, packet.seq()) else { return };
        let copies = match packet.payload_type() {
            RED => red::blocks(packet.payload()).map_or(0, |blocks| blocks.filter(|block| !block.primary).count()),
            _ => 0,
        };
        let until = now + self.packet_time * u32::try_from(copies).unwrap_or(0);
        for back in 1..=missing {
            nack.withhold(packet.seq() - back, until);
        }
    }

    /// Where most is lost, what brings it back comes late, or in packets far behind: then there is no point in less delay.
    fn wait_as_needed(&mut self, step: i16) {
        if !(1..=MAX_STEP).contains(&step) {
            return;
        }
        for nth in 1..=step {
            let lost = if nth < step { 1.0 } else { 0.0 };
            self.expected = (self.expected + 1.0).min(LOSS_MEMORY);
            self.loss += (lost - self.loss) / self.expected;
        }
        if let Some(more) = &mut self.first {
            *more += 2 - i32::from(step);
            if *more >= CLEAR {
                self.playout.set_min_delay(Duration::ZERO);
                self.first = None;
            } else if self.expected >= UNCLEAR {
                self.first = None;
            }
            return;
        }
        if self.loss > WAIT_FROM {
            self.playout.set_min_delay(MAX_BUFFER);
        } else if self.loss < WAIT_UNTIL {
            self.playout.set_min_delay(Duration::ZERO);
        }
    }

    /// Unpacks RED, if it is, and gives the voice in it to the play-out.
    fn media(&mut self, now: Instant, packet: &RtpPacket, origin: Origin) {
        if self.red.insert(packet).is_err() {
            self.malformed += 1;
        }
        while let Some(voice) = self.red.poll() {
            let origin = if voice.seq() == packet.seq() { origin } else { Origin::Red };
            let (timestamp, seq) = (voice.timestamp(), voice.seq());
            let inserted = if origin == Origin::Direct {
                self.playout.insert(now, voice)
            } else {
                if let Some(nack) = &mut self.nack {
                    nack.on_recovered(now, seq);
                }
                self.playout.insert_repaired(now, voice)
            };
            if inserted != Inserted::Accepted {
                continue;
            }
            self.received += 1;
            if self.arrivals.len() == MAX_ARRIVALS {
                self.arrivals.pop_front();
            }
            self.arrivals.push_back(Arrival { timestamp, origin });
        }
    }
}

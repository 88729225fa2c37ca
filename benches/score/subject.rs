//! What can be measured: one small interface per mechanism, so that a peer is a thin adapter.
//!
//! A [`Subject`] is a name, a version and a way to make one; or the reason why it cannot be had here, which is printed
//! instead of figures. Subjects are made anew for each scenario and seed.

use rtc_core::audio::{AudioProcessor, EchoCanceller};
use rtc_core::bwe::BandwidthEstimator;
use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, Frequency, RtpPacket, RtpTime, SeqNum};
use rtc_transport::srtp::Profile;

/// Who is measured.
pub(crate) struct Subject<M> {
    /// `ours`, or the name of a peer with its version.
    pub(crate) name: String,
    /// Makes one, or says why it cannot be had.
    pub(crate) maker: Result<M, String>,
    /// Whether its memory is counted: what C libraries take from `malloc` is not.
    pub(crate) counted: bool,
    /// Whether it is the one before it at another setting, of which only the curve through these points matters.
    pub(crate) is_variant: bool,
}

impl<M> Subject<M> {
    /// Our own crate.
    pub(crate) fn ours(maker: M) -> Self {
        Self { name: "ours".into(), maker: Ok(maker), counted: true, is_variant: false }
    }

    /// A peer written in Rust or C++.
    pub(crate) fn peer(name: &str, version: &str, maker: M) -> Self {
        Self { name: format!("{name} {version}"), maker: Ok(maker), counted: true, is_variant: false }
    }

    /// A peer that calls a C library.
    #[cfg_attr(not(feature = "peers-system"), expect(dead_code, reason = "there is none without them"))]
    pub(crate) fn foreign(name: &str, version: &str, maker: M) -> Self {
        Self { counted: false, ..Self::peer(name, version, maker) }
    }

    /// The same peer at another setting.
    #[cfg_attr(not(feature = "peers-system"), expect(dead_code, reason = "there is none without them"))]
    pub(crate) fn variant(self) -> Self {
        Self { is_variant: true, ..self }
    }

    /// A peer that cannot be had, and why.
    pub(crate) fn absent(name: &str, why: &str) -> Self {
        Self { name: name.into(), maker: Err(why.into()), counted: false, is_variant: false }
    }
}

/// The range an estimator is to stay in, and where it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) min: Bitrate,
    pub(crate) start: Bitrate,
    pub(crate) max: Bitrate,
}

/// Makes a bandwidth estimator. The harness has pacer and source of its own: it sends at [`Estimate::target`], paces at
/// [`Estimate::pacing`], sends the probe clusters asked for, reports every packet once, and calls `handle_timeout`.
///
/// [`Estimate::target`]: rtc_core::bwe::Estimate::target
/// [`Estimate::pacing`]: rtc_core::bwe::Estimate::pacing
pub(crate) type MakeEstimator = Box<dyn Fn(Limits) -> Box<dyn BandwidthEstimator>>;

/// Plays out one stream of mono L16 (RFC 3551 §4.5.11) at [`PLAYER_RATE`], which is also the clock of its timestamps, in
/// packets of 20 ms with payload type [`PAYLOAD_TYPE`].
pub(crate) trait Player {
    /// Takes a packet as it arrives, in any order.
    fn insert(&mut self, now: Instant, packet: &RtpPacket);

    /// Fills `out` with the 10 ms to be heard from `now` on.
    fn pull(&mut self, now: Instant, out: &mut [f32]) -> Heard;
}

/// The sample rate of what is played in two channels, for its cost: then `out` holds them one after the other, or interleaved.
pub(crate) const STEREO_RATE: Frequency = Frequency::KHZ_48;
/// The sample rate of everything played, and of the clock of its timestamps.
pub(crate) const PLAYER_RATE: Frequency = Frequency::KHZ_16;
/// The payload type of L16 at [`PLAYER_RATE`].
pub(crate) const PAYLOAD_TYPE: u8 = 96;

/// What a player says about the audio it filled.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heard {
    /// The timestamp of the first sample; `None` before the first packet.
    pub(crate) position: Option<RtpTime>,
    /// Samples made up because theirs were missing.
    pub(crate) concealed: usize,
}

/// Makes a player.
pub(crate) type MakePlayer = Box<dyn Fn() -> Box<dyn Player>>;

/// Protects a block of packets of equal size with repair packets. For cost, and for what is recovered of a block.
pub(crate) trait BlockCode {
    /// Makes `repair` repair packets for the consecutive packets `source`, and keeps them.
    fn encode(&mut self, source: &[RtpPacket], repair: usize);

    /// Recovers from the source packets that `kept` names and the first `repair_kept` of the repair packets made last what
    /// it can of the others; says how many source packets it brought back whole.
    fn decode(&mut self, source: &[RtpPacket], kept: &[bool], repair_kept: usize) -> usize;
}

/// Makes a block code for so many source and so many repair packets; `None` if it has no such code.
pub(crate) type MakeBlockCode = Box<dyn Fn(usize, usize) -> Option<Box<dyn BlockCode>>>;

/// A pair that protects a stream: repair packets made by the first bring packets back in the second. Made for a rate of
/// repair packets per source packet (`0.5` is one for two).
pub(crate) type MakeRepair = Box<dyn Fn(f64) -> (Box<dyn FecEncoder>, Box<dyn FecDecoder>)>;

/// What is done about the loss of one stream, as a sender and a receiver.
pub(crate) trait Recovery {
    /// What is sent because `packet` is to be.
    fn send(&mut self, now: Instant, packet: &RtpPacket, out: &mut Vec<RtpPacket>);

    /// Takes what arrived; adds the packets of media that are here because of it.
    fn receive(&mut self, now: Instant, packet: &RtpPacket, here: &mut Vec<SeqNum>);

    /// What the receiver asks for now.
    fn requests(&mut self, now: Instant) -> Vec<SeqNum> {
        let _ = now;
        Vec::new()
    }

    /// What the sender sends because it was asked for.
    fn answer(&mut self, now: Instant, requests: &[SeqNum], out: &mut Vec<RtpPacket>) {
        let _ = (now, requests, out);
    }

    /// When [`requests`](Self::requests) may have something new.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// Makes both ends of a way to ask for lost packets and send them again.
pub(crate) type MakeRetransmission = Box<dyn Fn() -> Box<dyn Recovery>>;

/// Reads, writes and rewrites RTP packets.
pub(crate) trait PacketCode {
    /// Parses `bytes` and reads payload type, sequence number, timestamp, SSRC, extension `id` and payload length; returns
    /// their sum, so that nothing is optimized away and all can be seen to agree.
    fn parse(&mut self, bytes: &bytes::Bytes, id: u8) -> u64;

    /// Writes a packet with this sequence number, a one-byte extension `id` with three bytes, and `payload`; returns its
    /// length.
    fn build(&mut self, sequence: u16, id: u8, payload: &bytes::Bytes) -> usize;

    /// Parses `bytes` and writes it again with another SSRC and sequence number, as a forwarder does; returns its length.
    fn rewrite(&mut self, bytes: &bytes::Bytes, ssrc: u32, sequence: u16) -> usize;
}

/// Makes a packet code.
pub(crate) type MakePacketCode = Box<dyn Fn() -> Box<dyn PacketCode>>;

/// A payload format: cuts frames into payloads and puts them together.
pub(crate) trait PayloadCode {
    /// Cuts a frame into payloads of so many bytes at most, and keeps them; how many.
    fn cut(&mut self, frame: &bytes::Bytes, max: usize) -> usize;

    /// Puts together what was cut last; the bytes of the frame, `None` if it cannot.
    fn join(&mut self) -> Option<usize>;
}

/// A format that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayloadFormat {
    Vp8,
    Vp9,
    H264,
    Av1,
}

/// Makes a payload code.
pub(crate) type MakePayloadCode = Box<dyn Fn(PayloadFormat) -> Box<dyn PayloadCode>>;

/// Both ends of one direction of SRTP under one master key.
pub(crate) trait Protection {
    /// Protects the RTP packet that `buffer` begins with, `len` bytes of it; the buffer has room for what is added. Gives the
    /// protected packet, empty if it could not be.
    fn protect<'a>(&'a mut self, buffer: &'a mut [u8], len: usize) -> &'a [u8];

    /// Undoes that.
    fn unprotect<'a>(&'a mut self, packet: &'a mut [u8]) -> &'a [u8];

    /// The same for RTCP, at any cost.
    fn protect_rtcp(&mut self, packet: &[u8]) -> Vec<u8>;

    /// Undoes that.
    fn unprotect_rtcp(&mut self, packet: &[u8]) -> Vec<u8>;
}

/// Makes a protection with master key and salt, both as long as the profile says.
pub(crate) type MakeProtection = Box<dyn Fn(Profile, &[u8], &[u8]) -> Box<dyn Protection>>;

/// Forwards one stream to subscribers that have keys of their own.
pub(crate) trait Forwarder {
    /// Hands on packets that came together, whose numbers go up by one; what leaves goes to `sink`.
    fn forward(&mut self, now: Instant, packets: &[RtpPacket], sink: &mut Sink<'_>);
}

/// Takes what leaves for a subscriber, counted from zero: datagrams one after the other, each of so many bytes but for the last,
/// which may be shorter.
pub(crate) type Sink<'a> = dyn FnMut(usize, &[u8], usize) + 'a;

/// Makes a forwarder to so many subscribers, or says why it cannot.
pub(crate) type MakeForwarder = Box<dyn Fn(usize) -> Result<Box<dyn Forwarder>, String>>;

/// Makes an echo canceller for mono frames of 10 ms at this rate; `None` if it has none for that rate.
pub(crate) type MakeCanceller = Box<dyn Fn(Frequency) -> Option<Box<dyn EchoCanceller>>>;

/// Makes a noise suppressor or gain control for mono frames of 10 ms at this rate; `None` if it has none for that rate.
pub(crate) type MakeProcessor = Box<dyn Fn(Frequency) -> Option<Box<dyn AudioProcessor>>>;

/// The sample rate of what is mixed.
pub(crate) const MIX_RATE: Frequency = Frequency::KHZ_48;

/// Mixes mono tracks it was made with.
pub(crate) trait Mix {
    /// The next 10 ms.
    fn mix(&mut self, out: &mut [f32]);
}

/// Makes a mix of tracks at [`MIX_RATE`].
pub(crate) type MakeMix = Box<dyn Fn(&[Vec<f32>]) -> Box<dyn Mix>>;

/// Changes the sample rate of a mono signal.
pub(crate) trait Resample {
    /// Takes 10 ms, and writes what there is now at the start of `out`; returns how much.
    fn process(&mut self, input: &[f32], out: &mut [f32]) -> usize;
}

/// Makes a resampler from one rate to another.
pub(crate) type MakeResample = Box<dyn Fn(Frequency, Frequency) -> Box<dyn Resample>>;

/// Measures loudness as EBU R 128 and ITU-R BS.1770 say.
pub(crate) trait Meter {
    /// Takes stereo at [`MIX_RATE`].
    fn add(&mut self, left: &[f32], right: &[f32]);

    /// Integrated loudness in LUFS, and the true peak in dBTP.
    fn read(&self) -> (f64, f64);
}

/// Makes a loudness meter.
pub(crate) type MakeMeter = Box<dyn Fn() -> Box<dyn Meter>>;

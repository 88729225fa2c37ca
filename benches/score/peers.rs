//! The peers, by mechanism. Each is a thin adapter to the interfaces of [`subject`](crate::subject); those whose feature is
//! off, or that cannot be had for another reason, are listed with that reason.

use crate::interop::Crossing;
use crate::memory::Heap;
use crate::subject::{
    MakeBlockCode, MakeCanceller, MakeEstimator, MakeForwarder, MakeMeter, MakeMix, MakePacketCode, MakePayloadCode,
    MakePlayer, MakeProcessor, MakeProtection, MakeRepair, MakeResample, MakeRetransmission, Subject,
};

#[cfg_attr(not(feature = "peers-rust"), path = "peers/no_rust.rs")]
mod rust;
#[cfg_attr(not(feature = "peers-system"), path = "peers/no_system.rs")]
mod system;

/// Bandwidth estimators.
pub(crate) fn estimators() -> Vec<Subject<MakeEstimator>> {
    joined(rust::estimators(), system::estimators())
}

/// Jitter buffers that play audio.
pub(crate) fn players() -> Vec<Subject<MakePlayer>> {
    joined(rust::players(), system::players())
}

/// The same for two channels at 48 kHz, for their cost.
pub(crate) fn stereo_players() -> Vec<Subject<MakePlayer>> {
    system::stereo_players()
}

/// Codes over a block of packets.
pub(crate) fn block_codes() -> Vec<Subject<MakeBlockCode>> {
    joined(rust::block_codes(), system::block_codes())
}

/// Codes over a stream of packets.
pub(crate) fn repairs() -> Vec<Subject<MakeRepair>> {
    joined(rust::repairs(), system::repairs())
}

/// Requests for lost packets, and answers to them.
pub(crate) fn retransmissions() -> Vec<Subject<MakeRetransmission>> {
    rust::retransmissions()
}

/// Encoders and decoders of ours that meet those of another, or why there are none.
pub(crate) type Crossings = Result<(String, &'static [Crossing]), String>;

/// The crossings by peer, each with its version.
pub(crate) fn crossings() -> [(&'static str, Crossings); 2] {
    [("GStreamer", system::crossings()), ("rtc-interceptor", rust::crossings())]
}

/// The heap of peers that have one of their own, and count it.
pub(crate) fn heap() -> Heap {
    system::heap()
}

/// Echo cancellers.
pub(crate) fn cancellers() -> Vec<Subject<MakeCanceller>> {
    joined(rust::cancellers(), system::cancellers())
}

/// Noise suppressors.
pub(crate) fn suppressors() -> Vec<Subject<MakeProcessor>> {
    joined(rust::suppressors(), system::suppressors())
}

/// Gain controls.
pub(crate) fn gain_controls() -> Vec<Subject<MakeProcessor>> {
    joined(rust::gain_controls(), system::gain_controls())
}

/// Audio mixers.
pub(crate) fn mixers() -> Vec<Subject<MakeMix>> {
    joined(rust::mixers(), system::mixers())
}

/// Resamplers.
pub(crate) fn resamplers() -> Vec<Subject<MakeResample>> {
    joined(rust::resamplers(), system::resamplers())
}

/// Loudness meters.
pub(crate) fn meters() -> Vec<Subject<MakeMeter>> {
    rust::meters()
}

/// What an element of a pipeline costs by itself in so many seconds of media from so many inputs, in seconds of CPU time; with
/// its name and version, or why it cannot be had.
pub(crate) fn element_cost(element: Element, inputs: usize, seconds: u32) -> Result<(String, f64), String> {
    system::element_cost(element, inputs, seconds)
}

/// A mixing element of GStreamer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    /// Of mono audio at 48 kHz in buffers of 10 ms.
    AudioMixer,
    /// Of I420 pictures of 640x360 to one of 1920x1080, 30 a second, as they are, side by side.
    Compositor,
    /// The same, each scaled to 480x270.
    ScalingCompositor,
}

/// Packet types.
pub(crate) fn packet_codes() -> Vec<Subject<MakePacketCode>> {
    rust::packet_codes()
}

/// Payload formats.
pub(crate) fn payload_codes() -> Vec<Subject<MakePayloadCode>> {
    rust::payload_codes()
}

/// SRTP.
pub(crate) fn protections() -> Vec<Subject<MakeProtection>> {
    rust::protections()
}

/// Selective forwarding.
pub(crate) fn forwarders() -> Vec<Subject<MakeForwarder>> {
    rust::forwarders()
}

fn joined<M>(mut first: Vec<M>, second: Vec<M>) -> Vec<M> {
    first.extend(second);
    first
}

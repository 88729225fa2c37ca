//! What feature `peers-rust` would bring.

use crate::subject::{
    MakeBlockCode, MakeCanceller, MakeEstimator, MakeForwarder, MakeMeter, MakeMix, MakePacketCode, MakePayloadCode,
    MakePlayer, MakeProcessor, MakeProtection, MakeRepair, MakeResample, MakeRetransmission, Subject,
};

pub(super) fn estimators() -> Vec<Subject<MakeEstimator>> {
    absent(["rtc-interceptor Gcc", "str0m"])
}

pub(super) fn players() -> Vec<Subject<MakePlayer>> {
    absent(["rtc-interceptor jitter buffer", "neteq"])
}

pub(super) fn block_codes() -> Vec<Subject<MakeBlockCode>> {
    absent(["reed-solomon-simd", "raptorq", "rtc-interceptor FlexFEC"])
}

pub(super) fn repairs() -> Vec<Subject<MakeRepair>> {
    absent(["rtc-interceptor FlexFEC"])
}

pub(super) fn retransmissions() -> Vec<Subject<MakeRetransmission>> {
    absent(["rtc-interceptor NACK"])
}

pub(super) fn packet_codes() -> Vec<Subject<MakePacketCode>> {
    absent(["rtp", "rtc-rtp"])
}

pub(super) fn payload_codes() -> Vec<Subject<MakePayloadCode>> {
    absent(["rtp"])
}

pub(super) fn protections() -> Vec<Subject<MakeProtection>> {
    absent(["webrtc-srtp", "rtc-srtp"])
}

pub(super) fn forwarders() -> Vec<Subject<MakeForwarder>> {
    absent(["str0m"])
}

pub(super) fn cancellers() -> Vec<Subject<MakeCanceller>> {
    absent(["sonora AEC3"])
}

pub(super) fn suppressors() -> Vec<Subject<MakeProcessor>> {
    absent(["sonora NS", "nnnoiseless"])
}

pub(super) fn gain_controls() -> Vec<Subject<MakeProcessor>> {
    absent(["sonora AGC2"])
}

pub(super) fn mixers() -> Vec<Subject<MakeMix>> {
    absent(["oddio", "rodio"])
}

pub(super) fn resamplers() -> Vec<Subject<MakeResample>> {
    absent(["rubato Fft", "rubato sinc"])
}

pub(super) fn meters() -> Vec<Subject<MakeMeter>> {
    absent(["ebur128"])
}

pub(super) fn crossings() -> super::Crossings {
    Err("built without feature peers-rust".into())
}

fn absent<M, const N: usize>(names: [&str; N]) -> Vec<Subject<M>> {
    names.map(|name| Subject::absent(name, "built without feature peers-rust")).into()
}

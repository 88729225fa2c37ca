//! Peers from the crate registry.

use crate::subject::{
    MakeBlockCode, MakeCanceller, MakeEstimator, MakeForwarder, MakeMeter, MakeMix, MakePacketCode, MakePayloadCode,
    MakePlayer, MakeProcessor, MakeProtection, MakeRepair, MakeResample, MakeRetransmission, Subject,
};

mod audio;
mod block;
mod clock;
mod interceptor;
mod mix;
mod nack;
mod neteq;
mod packet;
mod payload;
mod srtp;
mod str0m;

pub(super) fn estimators() -> Vec<Subject<MakeEstimator>> {
    let private =
        "its estimator is private: only a whole Rtc of it can be run, with ICE and DTLS between it and the packets";
    vec![interceptor::estimator(), Subject::absent("str0m 0.25", private)]
}

pub(super) fn players() -> Vec<Subject<MakePlayer>> {
    vec![interceptor::player(), neteq::player()]
}

pub(super) fn block_codes() -> Vec<Subject<MakeBlockCode>> {
    let mut codes = block::codes();
    codes.push(interceptor::block_code());
    codes
}

pub(super) fn repairs() -> Vec<Subject<MakeRepair>> {
    Vec::new()
}

pub(super) fn retransmissions() -> Vec<Subject<MakeRetransmission>> {
    vec![nack::retransmission()]
}

pub(super) fn packet_codes() -> Vec<Subject<MakePacketCode>> {
    packet::codes()
}

pub(super) fn payload_codes() -> Vec<Subject<MakePayloadCode>> {
    vec![payload::code()]
}

pub(super) fn protections() -> Vec<Subject<MakeProtection>> {
    srtp::protections()
}

pub(super) fn forwarders() -> Vec<Subject<MakeForwarder>> {
    vec![str0m::forwarder()]
}

pub(super) fn cancellers() -> Vec<Subject<MakeCanceller>> {
    vec![audio::canceller()]
}

pub(super) fn suppressors() -> Vec<Subject<MakeProcessor>> {
    audio::suppressors()
}

pub(super) fn gain_controls() -> Vec<Subject<MakeProcessor>> {
    vec![audio::gain_control()]
}

pub(super) fn mixers() -> Vec<Subject<MakeMix>> {
    mix::mixers()
}

pub(super) fn resamplers() -> Vec<Subject<MakeResample>> {
    mix::resamplers()
}

pub(super) fn meters() -> Vec<Subject<MakeMeter>> {
    vec![mix::meter()]
}

pub(super) fn crossings() -> super::Crossings {
    Ok((interceptor::VERSION.into(), interceptor::CROSSINGS.as_slice()))
}

//! Peers from system packages.

use crate::memory::Heap;
use crate::subject::{MakeBlockCode, MakeEstimator, MakePlayer, MakeRepair, Subject};

mod gstreamer;
mod speex;
mod webrtc;

pub(super) fn estimators() -> Vec<Subject<MakeEstimator>> {
    webrtc::estimators()
}

pub(super) fn players() -> Vec<Subject<MakePlayer>> {
    let mut players = webrtc::players();
    players.extend(speex::players());
    players
}

pub(super) fn block_codes() -> Vec<Subject<MakeBlockCode>> {
    webrtc::block_codes()
}

pub(super) fn repairs() -> Vec<Subject<MakeRepair>> {
    webrtc::repairs()
}

pub(super) fn crossings() -> super::Crossings {
    gstreamer::version().map(|version| (version, gstreamer::CROSSINGS.as_slice()))
}

pub(super) fn heap() -> Heap {
    webrtc::heap()
}

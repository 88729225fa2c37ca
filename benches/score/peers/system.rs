//! Peers from system packages.

use crate::memory::Heap;
use crate::peers::Element;
use crate::subject::{
    MakeBlockCode, MakeCanceller, MakeEstimator, MakeMix, MakePlayer, MakeProcessor, MakeRepair, MakeResample, Subject,
};

mod audio;
mod elements;
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

pub(super) fn stereo_players() -> Vec<Subject<MakePlayer>> {
    webrtc::stereo_players()
}

pub(super) fn block_codes() -> Vec<Subject<MakeBlockCode>> {
    webrtc::block_codes()
}

pub(super) fn repairs() -> Vec<Subject<MakeRepair>> {
    webrtc::repairs()
}

pub(super) fn cancellers() -> Vec<Subject<MakeCanceller>> {
    audio::cancellers()
}

pub(super) fn suppressors() -> Vec<Subject<MakeProcessor>> {
    audio::suppressors()
}

pub(super) fn gain_controls() -> Vec<Subject<MakeProcessor>> {
    audio::gain_controls()
}

pub(super) fn mixers() -> Vec<Subject<MakeMix>> {
    vec![audio::mixer()]
}

pub(super) fn resamplers() -> Vec<Subject<MakeResample>> {
    vec![audio::resampler()]
}

pub(super) fn element_cost(element: Element, inputs: usize, seconds: u32) -> Result<(String, f64), String> {
    elements::cost(element, inputs, seconds)
}

pub(super) fn crossings() -> super::Crossings {
    gstreamer::version().map(|version| (version, gstreamer::CROSSINGS.as_slice()))
}

pub(super) fn heap() -> Heap {
    webrtc::heap()
}

//! What feature `peers-system` would bring.

use crate::memory::Heap;
use crate::peers::Element;
use crate::subject::{
    MakeBlockCode, MakeCanceller, MakeEstimator, MakeMix, MakePlayer, MakeProcessor, MakeRepair, MakeResample, Subject,
};

const ABSENT: &str = "built without feature peers-system";

pub(super) fn estimators() -> Vec<Subject<MakeEstimator>> {
    absent(["libwebrtc goog_cc"])
}

pub(super) fn players() -> Vec<Subject<MakePlayer>> {
    absent(["libwebrtc NetEq", "speexdsp jitter buffer"])
}

pub(super) fn stereo_players() -> Vec<Subject<MakePlayer>> {
    absent(["libwebrtc NetEq"])
}

pub(super) fn block_codes() -> Vec<Subject<MakeBlockCode>> {
    absent(["libwebrtc ULPFEC"])
}

pub(super) fn repairs() -> Vec<Subject<MakeRepair>> {
    absent(["libwebrtc ULPFEC"])
}

pub(super) fn cancellers() -> Vec<Subject<MakeCanceller>> {
    absent(["libwebrtc AEC3", "speexdsp AEC", "speexdsp AEC and preprocessor"])
}

pub(super) fn suppressors() -> Vec<Subject<MakeProcessor>> {
    absent(["libwebrtc NS", "speexdsp denoise"])
}

pub(super) fn gain_controls() -> Vec<Subject<MakeProcessor>> {
    absent(["libwebrtc AGC2", "speexdsp AGC"])
}

pub(super) fn mixers() -> Vec<Subject<MakeMix>> {
    absent(["libwebrtc AudioMixer"])
}

pub(super) fn resamplers() -> Vec<Subject<MakeResample>> {
    absent(["speexdsp resampler"])
}

pub(super) fn element_cost(_: Element, _: usize, _: u32) -> Result<(String, f64), String> {
    Err(ABSENT.into())
}

pub(super) fn crossings() -> super::Crossings {
    Err(ABSENT.into())
}

pub(super) fn heap() -> Heap {
    Heap::default()
}

fn absent<M, const N: usize>(names: [&str; N]) -> Vec<Subject<M>> {
    names.map(|name| Subject::absent(name, ABSENT)).into()
}

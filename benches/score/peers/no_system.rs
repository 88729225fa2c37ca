//! What feature `peers-system` would bring.

use crate::memory::Heap;
use crate::subject::{MakeBlockCode, MakeEstimator, MakePlayer, MakeRepair, Subject};

pub(super) fn estimators() -> Vec<Subject<MakeEstimator>> {
    absent(["libwebrtc goog_cc"])
}

pub(super) fn players() -> Vec<Subject<MakePlayer>> {
    absent(["libwebrtc NetEq", "speexdsp jitter buffer"])
}

pub(super) fn block_codes() -> Vec<Subject<MakeBlockCode>> {
    absent(["libwebrtc ULPFEC"])
}

pub(super) fn repairs() -> Vec<Subject<MakeRepair>> {
    absent(["libwebrtc ULPFEC"])
}

pub(super) fn crossings() -> super::Crossings {
    Err("built without feature peers-system".into())
}

pub(super) fn heap() -> Heap {
    Heap::default()
}

fn absent<M, const N: usize>(names: [&str; N]) -> Vec<Subject<M>> {
    names.map(|name| Subject::absent(name, "built without feature peers-system")).into()
}

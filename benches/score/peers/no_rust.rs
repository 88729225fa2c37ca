//! What feature `peers-rust` would bring.

use crate::subject::{MakeBlockCode, MakeEstimator, MakePacketCode, MakePlayer, MakeRepair, Subject};

pub(super) fn estimators() -> Vec<Subject<MakeEstimator>> {
    absent(["rtc-interceptor Gcc"])
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

pub(super) fn packet_codes() -> Vec<Subject<MakePacketCode>> {
    absent(["rtp", "rtc-rtp"])
}

pub(super) fn crossings() -> super::Crossings {
    Err("built without feature peers-rust".into())
}

fn absent<M, const N: usize>(names: [&str; N]) -> Vec<Subject<M>> {
    names.map(|name| Subject::absent(name, "built without feature peers-rust")).into()
}

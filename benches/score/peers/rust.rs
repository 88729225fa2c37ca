//! Peers from the crate registry.

use crate::subject::{MakeBlockCode, MakeEstimator, MakePacketCode, MakePlayer, MakeRepair, Subject};

mod block;
mod interceptor;
mod packet;

pub(super) fn estimators() -> Vec<Subject<MakeEstimator>> {
    vec![interceptor::estimator()]
}

pub(super) fn players() -> Vec<Subject<MakePlayer>> {
    vec![
        interceptor::player(),
        Subject::absent(
            "neteq 0.9",
            "its delay manager asks the system for the time of each packet it is given, with no way to tell it",
        ),
    ]
}

pub(super) fn block_codes() -> Vec<Subject<MakeBlockCode>> {
    let mut codes = block::codes();
    codes.push(interceptor::block_code());
    codes
}

pub(super) fn repairs() -> Vec<Subject<MakeRepair>> {
    Vec::new()
}

pub(super) fn packet_codes() -> Vec<Subject<MakePacketCode>> {
    packet::codes()
}

pub(super) fn crossings() -> super::Crossings {
    Ok((interceptor::VERSION.into(), interceptor::CROSSINGS.as_slice()))
}

//! Peers from the crate registry.

use crate::subject::{MakeBlockCode, MakeEstimator, MakePacketCode, MakePlayer, MakeRepair, Subject};

mod packet;

pub(super) fn estimators() -> Vec<Subject<MakeEstimator>> {
    Vec::new()
}

pub(super) fn players() -> Vec<Subject<MakePlayer>> {
    Vec::new()
}

pub(super) fn block_codes() -> Vec<Subject<MakeBlockCode>> {
    Vec::new()
}

pub(super) fn repairs() -> Vec<Subject<MakeRepair>> {
    Vec::new()
}

pub(super) fn packet_codes() -> Vec<Subject<MakePacketCode>> {
    packet::codes()
}

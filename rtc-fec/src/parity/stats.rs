/// What became of what was inserted.
///
/// `sources = kept + duplicates + old + strays`; `levels = solved + unused + corrupt + expired + overflowed + forgotten + ` those
/// held (`held()`); what was polled or can be is `recovered - unpolled - late`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecoderStats {
    /// Packets of media inserted.
    pub sources: u64,
    /// Of these, remembered.
    pub kept: u64,
    /// Of these, there already, received or recovered.
    pub duplicates: u64,
    /// Of these, older than the window.
    pub old: u64,
    /// Of these, far off and not confirmed by the next, or foreign.
    pub strays: u64,
    /// Repair packets accepted as such (`fecPacketsReceived`).
    pub repairs: u64,
    /// Bytes of these repair packets (`fecBytesReceived`).
    pub repair_bytes: u64,
    /// Repair packets refused with an error.
    pub malformed: u64,
    /// Levels of these repair packets: one each, but for ULPFEC with uneven protection.
    pub levels: u64,
    /// Levels that recovered a packet, or a part of one.
    pub solved: u64,
    /// Levels that were not needed: all they protect was there (`fecPacketsDiscarded` has these and the following).
    pub unused: u64,
    /// Levels that recovered what is no valid packet.
    pub corrupt: u64,
    /// Levels whose packets of media left the window, or were never in it.
    pub expired: u64,
    /// Levels given up because too many were held.
    pub overflowed: u64,
    /// Levels given up because the sender started anew.
    pub forgotten: u64,
    /// Packets recovered as a whole.
    pub recovered: u64,
    /// Recovered packets dropped because they were not polled.
    pub unpolled: u64,
    /// Recovered packets not given out because the original came after all, before they were polled.
    pub late: u64,
}

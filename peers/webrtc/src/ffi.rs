//! The shim's functions as they are in `shim/shim.h`, each behind an owner that can be used safely.
//!
//! Every owner holds the only pointer to its object, passes slices with their length, and copies out what it is lent before
//! the next call. The objects are not bound to a thread: moving an owner to another one is fine.
#![expect(unsafe_code, reason = "calls C++ through a C interface")]

use core::ffi::{CStr, c_char};
use core::ptr::NonNull;
use core::slice;

mod audio;

pub(crate) use audio::{Apm, ApmSettings, Mixer};

/// What the shim knows and we do not: an object behind a pointer.
#[repr(C)]
pub(crate) struct Opaque {
    _private: [u8; 0],
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct GoogCcPacket {
    pub(crate) sequence: i64,
    pub(crate) sent_us: i64,
    pub(crate) received_us: i64,
    pub(crate) bytes: i64,
    pub(crate) probe_id: i32,
    pub(crate) probe_packets: i32,
    pub(crate) probe_bytes: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GoogCcProbe {
    pub(crate) id: i32,
    pub(crate) packets: i32,
    pub(crate) rate_bps: i64,
    pub(crate) duration_us: i64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct GoogCcUpdate {
    pub(crate) target_bps: i64,
    pub(crate) pacing_bps: i64,
    count: usize,
    probe: [GoogCcProbe; 8],
}

impl GoogCcUpdate {
    const NOTHING: Self = Self {
        target_bps: -1,
        pacing_bps: -1,
        count: 0,
        probe: [GoogCcProbe { id: 0, packets: 0, rate_bps: 0, duration_us: 0 }; 8],
    };

    pub(crate) fn probes(&self) -> &[GoogCcProbe] {
        self.probe.get(..self.count).unwrap_or_default()
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct GoogCcLimits {
    pub(crate) start_bps: i64,
    pub(crate) min_bps: i64,
    pub(crate) max_bps: i64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct NetEqSettings {
    pub(crate) rate: i32,
    pub(crate) channels: i32,
    pub(crate) max_packets: i32,
    pub(crate) min_delay_ms: i32,
    pub(crate) max_delay_ms: i32,
    pub(crate) fast_accelerate: bool,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NetEqFrame {
    pub(crate) samples: usize,
    pub(crate) kind: i32,
    pub(crate) target_delay_ms: i32,
    pub(crate) current_delay_ms: i32,
    pub(crate) timestamp: i64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NetEqCounters {
    pub(crate) total_samples: u64,
    pub(crate) concealed_samples: u64,
    pub(crate) silent_concealed_samples: u64,
    pub(crate) concealment_events: u64,
    pub(crate) inserted_samples: u64,
    pub(crate) removed_samples: u64,
    pub(crate) delay_ms: u64,
    pub(crate) emitted: u64,
    pub(crate) discarded_packets: u64,
    pub(crate) flushes: u64,
    pub(crate) interruptions: u64,
    pub(crate) interruption_ms: u64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct FecSlice {
    data: *const u8,
    length: usize,
}

impl FecSlice {
    const fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), length: bytes.len() }
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeapCounters {
    pub(crate) allocations: u64,
    pub(crate) live: u64,
}

unsafe extern "C" {
    fn goog_cc_new(
        trials: *const c_char,
        alr_probing: bool,
        limits: *const GoogCcLimits,
        now_us: i64,
        update: *mut GoogCcUpdate,
    ) -> *mut Opaque;
    fn goog_cc_free(controller: *mut Opaque);
    fn goog_cc_sent(controller: *mut Opaque, packet: *const GoogCcPacket, update: *mut GoogCcUpdate);
    fn goog_cc_feedback(
        controller: *mut Opaque,
        now_us: i64,
        packets: *const GoogCcPacket,
        count: usize,
        update: *mut GoogCcUpdate,
    );
    fn goog_cc_rtt(controller: *mut Opaque, now_us: i64, rtt_us: i64, update: *mut GoogCcUpdate);
    fn goog_cc_process(controller: *mut Opaque, now_us: i64, update: *mut GoogCcUpdate);

    fn neteq_new(trials: *const c_char, settings: *const NetEqSettings) -> *mut Opaque;
    fn neteq_free(peer: *mut Opaque);
    fn neteq_insert(
        peer: *mut Opaque,
        now_us: i64,
        sequence: u16,
        timestamp: u32,
        payload: *const u8,
        length: usize,
    ) -> bool;
    fn neteq_pull(peer: *mut Opaque, now_us: i64, samples: *mut i16, capacity: usize, frame: *mut NetEqFrame) -> bool;
    fn neteq_counters(peer: *const Opaque, counters: *mut NetEqCounters);

    fn fec_new(ssrc: u32) -> *mut Opaque;
    fn fec_free(peer: *mut Opaque);
    fn fec_encode(peer: *mut Opaque, media: *const FecSlice, count: usize, protection: u8, bursty: bool) -> i32;
    fn fec_repair(peer: *const Opaque, index: usize) -> FecSlice;
    fn fec_receive(peer: *mut Opaque, sequence: u16, data: *const u8, length: usize, is_repair: bool);
    fn fec_recovered(peer: *mut Opaque) -> FecSlice;
    fn fec_reset(peer: *mut Opaque);

    fn heap_counters() -> HeapCounters;
}

/// The network controller.
#[derive(Debug)]
pub(crate) struct GoogCc(NonNull<Opaque>);

// SAFETY: see the module's documentation.
unsafe impl Send for GoogCc {}

impl GoogCc {
    pub(crate) fn new(
        trials: &CStr,
        alr_probing: bool,
        limits: GoogCcLimits,
        now_us: i64,
    ) -> (Option<Self>, GoogCcUpdate) {
        let mut update = GoogCcUpdate::NOTHING;
        // SAFETY: all pointers live through the call.
        let made = unsafe { goog_cc_new(trials.as_ptr(), alr_probing, &raw const limits, now_us, &raw mut update) };
        (NonNull::new(made).map(Self), update)
    }

    pub(crate) fn sent(&mut self, packet: GoogCcPacket) -> GoogCcUpdate {
        let mut update = GoogCcUpdate::NOTHING;
        // SAFETY: the object is ours, the other pointers live through the call.
        unsafe { goog_cc_sent(self.0.as_ptr(), &raw const packet, &raw mut update) };
        update
    }

    pub(crate) fn feedback(&mut self, now_us: i64, packets: &[GoogCcPacket]) -> GoogCcUpdate {
        let mut update = GoogCcUpdate::NOTHING;
        // SAFETY: the object is ours, the slice goes with its length.
        unsafe {
            goog_cc_feedback(self.0.as_ptr(), now_us, packets.as_ptr(), packets.len(), &raw mut update);
        }
        update
    }

    pub(crate) fn rtt(&mut self, now_us: i64, rtt_us: i64) -> GoogCcUpdate {
        let mut update = GoogCcUpdate::NOTHING;
        // SAFETY: the object is ours, the other pointer lives through the call.
        unsafe { goog_cc_rtt(self.0.as_ptr(), now_us, rtt_us, &raw mut update) };
        update
    }

    pub(crate) fn process(&mut self, now_us: i64) -> GoogCcUpdate {
        let mut update = GoogCcUpdate::NOTHING;
        // SAFETY: the object is ours, the other pointer lives through the call.
        unsafe { goog_cc_process(self.0.as_ptr(), now_us, &raw mut update) };
        update
    }
}

impl Drop for GoogCc {
    fn drop(&mut self) {
        // SAFETY: the object is ours and nobody uses it after this.
        unsafe { goog_cc_free(self.0.as_ptr()) };
    }
}

/// The audio jitter buffer.
#[derive(Debug)]
pub(crate) struct NetEq(NonNull<Opaque>);

// SAFETY: see the module's documentation.
unsafe impl Send for NetEq {}

impl NetEq {
    pub(crate) fn new(trials: &CStr, settings: NetEqSettings) -> Option<Self> {
        // SAFETY: both pointers live through the call; the shim keeps a copy of the trials.
        NonNull::new(unsafe { neteq_new(trials.as_ptr(), &raw const settings) }).map(Self)
    }

    pub(crate) fn insert(&mut self, now_us: i64, sequence: u16, timestamp: u32, payload: &[u8]) -> bool {
        // SAFETY: the object is ours, the slice goes with its length.
        unsafe { neteq_insert(self.0.as_ptr(), now_us, sequence, timestamp, payload.as_ptr(), payload.len()) }
    }

    pub(crate) fn pull(&mut self, now_us: i64, samples: &mut [i16]) -> Option<NetEqFrame> {
        let mut frame = NetEqFrame::default();
        // SAFETY: the object is ours, the slice goes with its length, `frame` lives through the call.
        let done = unsafe { neteq_pull(self.0.as_ptr(), now_us, samples.as_mut_ptr(), samples.len(), &raw mut frame) };
        done.then_some(frame)
    }

    pub(crate) fn counters(&self) -> NetEqCounters {
        let mut counters = NetEqCounters::default();
        // SAFETY: the object is ours, the other pointer lives through the call.
        unsafe { neteq_counters(self.0.as_ptr(), &raw mut counters) };
        counters
    }
}

impl Drop for NetEq {
    fn drop(&mut self) {
        // SAFETY: the object is ours and nobody uses it after this.
        unsafe { neteq_free(self.0.as_ptr()) };
    }
}

/// The parity code of RFC 5109.
#[derive(Debug)]
pub(crate) struct Fec {
    peer: NonNull<Opaque>,
    media: Vec<FecSlice>,
}

// SAFETY: see the module's documentation; `media` is empty between calls.
unsafe impl Send for Fec {}

impl Fec {
    pub(crate) fn new(ssrc: u32) -> Option<Self> {
        // SAFETY: takes no pointer.
        NonNull::new(unsafe { fec_new(ssrc) }).map(|peer| Self { peer, media: Vec::new() })
    }

    /// How many repair payloads were made; `None` if refused.
    pub(crate) fn encode<'a>(
        &mut self,
        media: impl IntoIterator<Item = &'a [u8]>,
        protection: u8,
        bursty: bool,
    ) -> Option<usize> {
        self.media.extend(media.into_iter().map(FecSlice::of));
        // SAFETY: the object is ours; the slices and what they point to live through the call.
        let made = unsafe { fec_encode(self.peer.as_ptr(), self.media.as_ptr(), self.media.len(), protection, bursty) };
        self.media.clear();
        usize::try_from(made).ok()
    }

    /// A repair payload of the last call of `encode`.
    pub(crate) fn repair(&self, index: usize) -> Option<&[u8]> {
        // SAFETY: the object is ours.
        let lent = unsafe { fec_repair(self.peer.as_ptr(), index) };
        // SAFETY: what is lent stays as it is until the next `encode`, which borrows `self` exclusively.
        (!lent.data.is_null()).then(|| unsafe { slice::from_raw_parts(lent.data, lent.length) })
    }

    pub(crate) fn receive(&mut self, sequence: u16, data: &[u8], is_repair: bool) {
        // SAFETY: the object is ours, the slice goes with its length.
        unsafe { fec_receive(self.peer.as_ptr(), sequence, data.as_ptr(), data.len(), is_repair) };
    }

    /// Receives a repair payload of the last call of `encode`, if there is one.
    pub(crate) fn forward(&mut self, index: usize, sequence: u16) -> bool {
        // SAFETY: the object is ours; receiving leaves the payloads made as they are.
        unsafe {
            let lent = fec_repair(self.peer.as_ptr(), index);
            if !lent.data.is_null() {
                fec_receive(self.peer.as_ptr(), sequence, lent.data, lent.length, true);
            }
            !lent.data.is_null()
        }
    }

    pub(crate) fn recovered(&mut self) -> Option<&[u8]> {
        // SAFETY: the object is ours.
        let lent = unsafe { fec_recovered(self.peer.as_ptr()) };
        // SAFETY: what is lent stays as it is until the next call, which borrows `self` exclusively.
        (!lent.data.is_null()).then(|| unsafe { slice::from_raw_parts(lent.data, lent.length) })
    }

    pub(crate) fn reset(&mut self) {
        // SAFETY: the object is ours.
        unsafe { fec_reset(self.peer.as_ptr()) };
    }
}

impl Drop for Fec {
    fn drop(&mut self) {
        // SAFETY: the object is ours and nobody uses it after this.
        unsafe { fec_free(self.peer.as_ptr()) };
    }
}

pub(crate) fn heap() -> HeapCounters {
    // SAFETY: reads two counters.
    unsafe { heap_counters() }
}

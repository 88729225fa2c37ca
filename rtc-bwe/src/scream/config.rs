use core::time::Duration;

use rtc_core::{Bitrate, ConfigError, DataSize};

use crate::check::{check, fraction, history_holds, range_holds};

/// Settings of [`Scream`](crate::Scream). Names in brackets are those of draft-ietf-ccwg-rfc8298bis-screamv2, whose recommended
/// values are the defaults unless something else is said.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ScreamConfig {
    /// The target never falls below this (`TARGET_BITRATE_MIN`). Default 16 kb/s.
    pub min: Bitrate,
    /// The target before the first feedback. Default 300 kb/s.
    pub start: Bitrate,
    /// The target never rises above this (`TARGET_BITRATE_MAX`). Default 20 Mb/s.
    pub max: Bitrate,
    /// Size of a large packet (`MSS`). Default 1000 bytes.
    pub packet: DataSize,
    /// The reference window never falls below this (`MIN_REF_WND`). Default 3000 bytes: 240 kb/s at a round trip of 100 ms.
    pub min_window: DataSize,
    /// The queue accepted where nothing marks (`QDELAY_TARGET_LO`). Default 60 ms; reaction begins at half of it.
    pub queue_target: Duration,
    /// The queue accepted beside flows that fill it (`QDELAY_TARGET_HI`). Default 400 ms; the same as `queue_target` to yield
    /// to them instead.
    pub max_queue_target: Duration,
    /// Factor on the window after loss (`BETA_LOSS`). Default 0.7.
    pub beta_loss: f64,
    /// Factor on the window after a mark of classic ECN, where packets are sent as ECT(0) (`BETA_ECN`). Default 0.8.
    pub beta_ecn: f64,
    /// Weight of a new observation when the share of marks grows (`L4S_AVG_G_UP`). Default 1/16, as in earlier revisions, not
    /// 1/8.
    pub mark_gain_up: f64,
    /// The same when it shrinks (`L4S_AVG_G_DOWN`). Default 1/16, as in earlier revisions, not 1/128: what one large frame
    /// made of it stays for a second and leaves up to 3 % more of the link empty.
    pub mark_gain_down: f64,
    /// Weight of a new observation when the queue grows (`QDELAY_AVG_G`). Default 1/4.
    pub queue_gain: f64,
    /// Growth of the window in a round trip, as a share of it (`MUL_INCREASE_FACTOR`). Default 0.02.
    pub growth: f64,
    /// The same before the first congestion. Default 0.1, not of the draft, which grows by 2 % from the start: 10 Mb/s are reached
    /// in 3 s and not in 7 at a round trip of 100 ms.
    pub start_growth: f64,
    /// Round trips after congestion until growth is in full (`POST_CONGESTION_DELAY_RTT`). Default 100.
    pub caution: u32,
    /// Flows with a shorter round trip than this are no faster for it (`VIRTUAL_RTT`). Default 25 ms.
    pub virtual_rtt: Duration,
    /// The window grows no further than this multiple of what was in flight (`BYTES_IN_FLIGHT_HEAD_ROOM`). Default 1.5.
    pub flight_headroom: f64,
    /// Multiple of the reference window that may be in flight (`REF_WND_OVERHEAD`). Default 3, between the 1.5 of earlier
    /// revisions, which stops the sender when two feedback messages in a row are lost, and the 5 of later ones, which lets a
    /// drop of capacity find 5 round trips of packets under way.
    pub window_overhead: f64,
    /// Rate of bursts over the target (`PACKET_PACING_HEADROOM`). Default 1.1, not 1.5: at 1.5 each frame of video queues
    /// for a third of its length, which a queue that marks after 1 ms takes for congestion.
    pub pacing_factor: f64,
    /// Time the least delay is taken over. Default 10 min (RFC 6817 §2.5).
    pub base_window: Duration,
    /// Packets remembered until their result comes. Default 2048.
    pub history: usize,
    /// Time without feedback, with packets in flight, after which the window is lowered; again after each half of it.
    /// Default 1 s.
    pub feedback_timeout: Duration,
    /// The factor on the window then. Default 0.7.
    pub timeout_factor: f64,
}

impl Default for ScreamConfig {
    fn default() -> Self {
        Self {
            min: Bitrate::from_kbps(16),
            start: Bitrate::from_kbps(300),
            max: Bitrate::from_kbps(20_000),
            packet: DataSize::from_bytes(1_000),
            min_window: DataSize::from_bytes(3_000),
            queue_target: Duration::from_millis(60),
            max_queue_target: Duration::from_millis(400),
            beta_loss: 0.7,
            beta_ecn: 0.8,
            mark_gain_up: 1.0 / 16.0,
            mark_gain_down: 1.0 / 16.0,
            queue_gain: 0.25,
            growth: 0.02,
            start_growth: 0.1,
            caution: 100,
            virtual_rtt: Duration::from_millis(25),
            flight_headroom: 1.5,
            window_overhead: 3.0,
            pacing_factor: 1.1,
            base_window: Duration::from_secs(600),
            history: 2048,
            feedback_timeout: Duration::from_secs(1),
            timeout_factor: 0.7,
        }
    }
}

impl ScreamConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        range_holds(self.min, self.start, self.max)?;
        check((1..=65_536).contains(&self.packet.as_bytes()), "packet", "must be 1 to 65536 bytes")?;
        let window = self.packet.as_bytes()..=1_000_000_000;
        check(window.contains(&self.min_window.as_bytes()), "min_window", "must be one packet to 1 GB")?;
        check((1..=10_000).contains(&self.queue_target.as_millis()), "queue_target", "must be 1 ms to 10 s")?;
        let highest = self.queue_target..=Duration::from_secs(10);
        check(highest.contains(&self.max_queue_target), "max_queue_target", "must be queue_target to 10 s")?;
        for (name, factor) in [
            ("beta_loss", self.beta_loss),
            ("beta_ecn", self.beta_ecn),
            ("mark_gain_up", self.mark_gain_up),
            ("mark_gain_down", self.mark_gain_down),
            ("queue_gain", self.queue_gain),
            ("growth", self.growth),
            ("start_growth", self.start_growth),
        ] {
            check(fraction(factor), name, "must be 0 to 1")?;
        }
        check((1..=100_000).contains(&self.caution), "caution", "must be 1 to 100000")?;
        check((1..=10_000).contains(&self.virtual_rtt.as_millis()), "virtual_rtt", "must be 1 ms to 10 s")?;
        check((1.0..=100.0).contains(&self.flight_headroom), "flight_headroom", "must be 1 to 100")?;
        check((1.0..=100.0).contains(&self.window_overhead), "window_overhead", "must be 1 to 100")?;
        check((1.0..=10.0).contains(&self.pacing_factor), "pacing_factor", "must be 1 to 10")?;
        history_holds(self.history, self.feedback_timeout, self.timeout_factor, self.base_window)
    }
}

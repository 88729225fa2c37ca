//! What feedback leads to.

use rtc_core::bwe::{Ecn, PacketResult};
use rtc_core::time::Instant;

use super::{Batch, Gcc, RATE_WINDOW, duration};
use crate::aimd::{Change, Signals};
use crate::history::{Record, Resolved};
use crate::loss::Verdict;
use crate::probe::{Finding, Kind, View};
use crate::stats::{Reason, State, Usage};

/// Weight of a new packet in the mean size.
const GAIN: f64 = 0.1;
/// What is taken of the rate at which a probe arrived that was to tell whether a fall was an accident, and it was none.
const DROP_TRUST: f64 = 0.9;

impl Gcc {
    pub(super) fn on_result(&mut self, result: &PacketResult, batch: &mut Batch) {
        self.stats.results += 1;
        let (record, known_lost) = match self.history.resolve(result) {
            Resolved::Duplicate => {
                self.stats.duplicates += 1;
                return;
            }
            Resolved::Unknown => {
                self.stats.unknown += 1;
                return;
            }
            Resolved::Lost(record) => {
                self.stats.packets_lost += 1;
                let queued = self.queue.recent() > batch.levels.limit;
                batch.overflowed |= queued;
                self.loss.push(record.sent, true, queued);
                return;
            }
            Resolved::Received(record) => (record, false),
            Resolved::Recovered(record) => (record, true),
        };
        self.stats.packets_received += 1;
        if known_lost {
            self.stats.packets_lost -= 1;
            self.stats.recovered += 1;
            self.loss.recover();
        } else {
            self.loss.push(record.sent, false, self.queue.recent() > batch.levels.limit);
        }
        if result.ecn == Ecn::Ce {
            self.stats.congestion_marks += 1;
        }
        self.marks.push(result.ecn);
        if let Some(received) = result.received {
            batch.newest_sent = batch.newest_sent.max(Some(record.sent));
            self.on_received(&record, received, batch.levels.target);
        }
    }

    fn on_received(&mut self, record: &Record, received: Instant, busy: f64) {
        if self.queue.is_clock_jump(record.sent, received, self.config.clock_jump) {
            self.stats.clock_jumps += 1;
            self.forget_clock();
        }
        let size = record.size as f64;
        self.packet_size =
            if self.packet_size > 0.0 { GAIN.mul_add(size - self.packet_size, self.packet_size) } else { size };
        self.queue.push(record.sent, received, busy);
        self.throughput.push(record.sent, received, record.delivered);
        match record.probe {
            Some(id) => self.prober.on_received(id, record.size, record.delivered, received),
            // Probes are sent above the rate on purpose: their gradient is not that of the media.
            None => {
                if let Some(variation) = self.arrival.push(record.sent, received) {
                    self.trendline.push(variation);
                }
            }
        }
        if record.sent >= self.progress.0 {
            self.progress = (record.sent, record.delivered);
        }
    }

    pub(super) fn update_delay(&mut self, now: Instant, batch: &Batch) {
        let response = self.timing.response();
        let levels = self.levels();
        let arriving = 1.0 - self.loss.random().min(0.9);
        let recent = self.queue.recent();
        // A gradient without a queue is jitter.
        let overuse = self.config.trendline.enabled
            && self.trendline.usage() == Usage::Over
            && recent > levels.target.midpoint(levels.limit);
        let busy = self.queue.busy_since();
        let refresh = self.config.queue.refresh;
        let emptied = self.queue.emptied().max(self.refreshed);
        let signals = Signals {
            now,
            overuse,
            marks: self.marks.react(now, self.progress.0, duration(self.timing.round_trip())),
            standing: self.queue.standing(),
            recent,
            clear: levels.clear,
            target: levels.target,
            limit: levels.limit,
            delivered: self.throughput.rate(RATE_WINDOW).map(|rate| rate / arriving),
            capacity: busy
                .and_then(|since| self.throughput.arrival_rate_since(since, RATE_WINDOW))
                .map(|rate| rate / arriving),
            response,
            progress: self.progress,
            lost: batch.overflowed,
            round_trip: self.timing.round_trip(),
            in_flight: 8.0 * self.history.bytes().saturating_sub(self.progress.1) as f64,
            arriving,
            stale: emptied.is_some_and(|at| self.progress.0 - at > refresh),
        };
        let change = self.aimd.update(&signals);
        if self.aimd.state() == State::Decrease {
            self.longest = self.longest.max(recent);
        } else {
            let before = core::mem::replace(&mut self.settled, self.aimd.rate());
            // Steps of growth do not make such a queue: others did, or there is less capacity.
            let is_sudden = self.longest > levels.target + self.config.aimd.max_step.as_secs_f64();
            self.longest = 0.0;
            self.prober.on_drop(now, before, self.settled, is_sudden);
        }
        match change {
            Change::None => return,
            Change::Rate(reason) => self.reason = reason,
            Change::Rebase => {
                self.queue.rebase();
                self.trendline.reset();
                self.stats.rebases += 1;
                self.reason = Reason::Rebase;
            }
        }
        match self.reason {
            Reason::Refresh => self.refreshed = Some(self.progress.0),
            Reason::Queue | Reason::Overuse | Reason::Marks => {
                self.stats.backoffs += 1;
                self.prober.on_congestion(now);
            }
            Reason::Tracking => self.prober.on_congestion(now),
            _ => {}
        }
    }

    pub(super) fn on_finding(&mut self, now: Instant, finding: &Finding) {
        let Finding { kind, rate, saturated, .. } = *finding;
        let adopted = match (kind, saturated) {
            // Beside other flows it found what it took from them.
            (Kind::Micro, true) => false,
            // Of a capacity that fell a burst says how much at least, and no more.
            (Kind::Drop, true) => self.aimd.on_probe(DROP_TRUST * rate, false),
            _ => self.aimd.on_probe(rate, saturated),
        };
        if adopted {
            self.stats.probes_adopted += 1;
            self.reason = Reason::Probe;
            self.padding_until = self.is_idle().then(|| now + self.config.probe.padding);
        }
    }

    pub(super) fn plan_probe(&mut self, now: Instant) {
        let levels = self.levels();
        let standing = self.queue.standing();
        let is_lowered = matches!(self.aimd.state(), State::Decrease | State::Compete) || self.loss.limit().is_some();
        self.prober.plan(&View {
            now,
            target: self.target().as_bps_f64(),
            desired: self.desired,
            is_idle: self.is_idle(),
            is_clear: standing <= levels.clear && !is_lowered,
            is_beyond: self.aimd.is_far_beyond(),
        });
    }

    pub(super) fn update_loss(&mut self, now: Instant) {
        let arrived = 1.0 - self.loss.fraction().min(0.9);
        let sending = self.throughput.rate(RATE_WINDOW).map_or(f64::INFINITY, |rate| rate / arrived);
        let rate = self.target().as_bps_f64().min(sending);
        self.reason = match self.loss.update(now, rate, self.aimd.rate()) {
            None => return,
            Some(Verdict::Testing) => Reason::LossTest,
            Some(Verdict::Congestion) => Reason::Loss,
            Some(Verdict::Random) => Reason::RandomLoss,
        };
    }
}

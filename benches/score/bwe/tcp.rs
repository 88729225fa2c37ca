//! TCP users on the same path: one that always has something to send, and some that fetch a file now and then.

use core::time::Duration;

use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::tcp::{TcpConfig, TcpSender};
use rtc_core::time::{Instant, earliest};
use rtc_core::{ConfigError, DataSize};

use super::scenarios::Tcp;

/// Bytes of a short flow's file, and the mean of its pause in seconds: the model of RFC 8868 that RFC 8867 §5.7 refers to.
const FILE: (u64, u64) = (30_000, 50_000);
const PAUSE: f64 = 10.0;

/// One CUBIC connection, or one after the other.
#[derive(Debug)]
pub(super) struct User {
    kind: Tcp,
    rng: Rng,
    tcp: TcpSender,
    /// When the next file begins.
    resumes: Option<Instant>,
}

impl User {
    /// # Errors
    /// Never with the settings there are.
    pub(super) fn new(kind: Tcp, mut rng: Rng) -> Result<Self, ConfigError> {
        let pause = Duration::from_secs_f64(PAUSE * rng.exponential());
        let mut user = Self { kind, rng, tcp: TcpSender::new(TcpConfig::default())?, resumes: None };
        match kind {
            Tcp::Long => user.tcp.write(DataSize::from_bytes(u64::MAX)),
            Tcp::ShortOn => user.begin(),
            Tcp::ShortOff => user.resumes = Some(Instant::ZERO + pause),
        }
        Ok(user)
    }

    /// The connection, for what it sends now.
    pub(super) fn run(&mut self, now: Instant) -> &mut TcpSender {
        if self.resumes.is_some_and(|at| at <= now) {
            self.begin();
        }
        self.tcp.handle_timeout(now);
        if self.kind != Tcp::Long && self.tcp.is_idle() && self.resumes.is_none() {
            self.resumes = Some(now + Duration::from_secs_f64(PAUSE * self.rng.exponential()));
        }
        &mut self.tcp
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        earliest([self.resumes, self.tcp.poll_timeout()])
    }

    fn begin(&mut self) {
        self.resumes = None;
        self.tcp.restart();
        self.tcp.write(DataSize::from_bytes(FILE.0 + self.rng.below(FILE.1 - FILE.0)));
    }
}

#[cfg(test)]
mod tests {
    use rtc_core::bwe::Ecn;

    use super::*;

    #[test]
    fn a_short_flow_ends_and_pauses() {
        let mut user = User::new(Tcp::ShortOn, Rng::new(3)).unwrap();
        let (mut now, mut segments) = (Instant::ZERO, 0);
        while user.resumes.is_none() {
            let tcp = user.run(now);
            let sent: Vec<u64> = core::iter::from_fn(|| tcp.poll_transmit(now)).collect();
            now += Duration::from_millis(100);
            sent.iter().for_each(|segment| tcp.on_ack(now, *segment, Ecn::NotEct));
            segments += sent.len() as u64;
        }
        assert!((FILE.0..FILE.1 + 1_500).contains(&(segments * 1_500)));
        assert!(user.run(now).poll_transmit(now).is_none() && user.poll_timeout() > Some(now));
    }
}

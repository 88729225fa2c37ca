//! Users of TCP on the same path: one that always has something to send, and some that fetch files now and then.

use core::time::Duration;

use rtc_core::bwe::Ecn;
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::tcp::{TcpConfig, TcpSender};
use rtc_core::time::{Instant, earliest};
use rtc_core::{ConfigError, DataSize};

use super::scenarios::{Scenario, Tcp};

/// Bytes of a file, and the mean of a pause in seconds: RFC 8868 §5.1, which RFC 8867 §5.7 refers to.
const FILE: (u64, u64) = (30_000, 50_000);
const PAUSE: f64 = 10.0;

/// The sending end of what one user has open.
#[derive(Debug)]
pub(super) struct User {
    is_long: bool,
    rng: Rng,
    pub(super) connections: Vec<TcpSender>,
    /// When the next files begin, or the present ones did.
    begins: Instant,
    is_pausing: bool,
    /// No files begin from then on.
    until: Instant,
    /// How long each file took.
    transfers: Vec<Duration>,
}

impl User {
    /// # Errors
    /// Never with the settings there are.
    pub(super) fn new(tcp: Tcp, scenario: &Scenario, rng: Rng) -> Result<Self, ConfigError> {
        let mut config = TcpConfig::default();
        config.control = scenario.control;
        let count = if let Tcp::Short { connections, .. } = tcp { connections } else { 1 };
        let mut user = Self {
            is_long: tcp == Tcp::Long,
            rng,
            connections: (0..count).map(|_| TcpSender::new(config)).collect::<Result<_, _>>()?,
            begins: Instant::ZERO,
            is_pausing: false,
            until: Instant::from_millis(1_000 * scenario.tcp_until.unwrap_or(scenario.seconds)),
            transfers: Vec::new(),
        };
        match tcp {
            Tcp::Long => user.connections[0].write(DataSize::from_bytes(u64::MAX)),
            Tcp::Short { begins: true, .. } => user.fetch(),
            Tcp::Short { begins: false, .. } => user.pause(Instant::ZERO),
        }
        Ok(user)
    }

    /// Does what is due at `now`.
    pub(super) fn run(&mut self, now: Instant) {
        if self.is_pausing && self.begins <= now && self.begins < self.until {
            self.fetch();
        }
        self.connections.iter_mut().for_each(|connection| connection.handle_timeout(now));
    }

    pub(super) fn on_ack(&mut self, now: Instant, connection: usize, segment: u64, ecn: Ecn) {
        let connection = &mut self.connections[connection];
        let was_idle = connection.is_idle();
        connection.on_ack(now, segment, ecn);
        if self.is_long || was_idle || !connection.is_idle() {
            return;
        }
        self.transfers.push(now - self.begins);
        if self.connections.iter().all(TcpSender::is_idle) {
            self.pause(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let next = (self.is_pausing && self.begins < self.until).then_some(self.begins);
        earliest(self.connections.iter().map(TcpSender::poll_timeout).chain([next]))
    }

    pub(super) fn into_transfers(self) -> Vec<Duration> {
        self.transfers
    }

    fn pause(&mut self, now: Instant) {
        self.is_pausing = true;
        self.begins = now + Duration::from_secs_f64(PAUSE * self.rng.exponential());
    }

    fn fetch(&mut self) {
        self.is_pausing = false;
        for connection in &mut self.connections {
            connection.restart();
            connection.write(DataSize::from_bytes(FILE.0 + self.rng.below(FILE.1 - FILE.0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round trip of 100 ms that loses nothing, until it pauses: 10 segments, 20 and the rest, if any.
    #[test]
    fn files_end_and_a_pause_comes() {
        let scenario = Scenario::named("rfc8867-5.7").unwrap();
        let mut user = User::new(Tcp::Short { connections: 2, begins: true }, scenario, Rng::new(3)).unwrap();
        let (mut now, mut segments) = (Instant::ZERO, 0);
        while !user.is_pausing {
            user.run(now);
            let sent = user.connections.iter_mut().enumerate().flat_map(|(number, connection)| {
                core::iter::from_fn(move || connection.poll_transmit(now)).map(move |segment| (number, segment))
            });
            let sent: Vec<(usize, u64)> = sent.collect();
            now += Duration::from_millis(100);
            sent.iter().for_each(|(number, segment)| user.on_ack(now, *number, *segment, Ecn::NotEct));
            segments += sent.len() as u64;
        }
        assert!((2 * FILE.0..2 * (FILE.1 + 1_500)).contains(&(segments * 1_500)));
        assert!(user.poll_timeout() > Some(now));
        let transfers = user.into_transfers();
        assert!(transfers.len() == 2 && transfers.iter().all(|took| (200..=300).contains(&took.as_millis())));
    }

    #[test]
    fn nothing_begins_after_the_end() {
        let scenario = Scenario { tcp_until: Some(0), ..*Scenario::named("rfc8867-5.7").unwrap() };
        let mut user = User::new(Tcp::Short { connections: 1, begins: false }, &scenario, Rng::new(3)).unwrap();
        assert_eq!(user.poll_timeout(), None);
        user.run(Instant::from_millis(300_000));
        assert!(user.connections[0].is_idle());
    }
}

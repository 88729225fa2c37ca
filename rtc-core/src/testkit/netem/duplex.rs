use super::{Netem, NetemConfig};
use crate::ConfigError;
use crate::testkit::rng::hash;
use crate::time::{Instant, earliest};

/// Both directions of a path, which may differ in behaviour and in what they carry.
///
/// The path runs in true time. An endpoint with a clock of its own is told that clock's time, and its deadlines are brought
/// back:
///
/// ```
/// use core::time::Duration;
/// use rtc_core::bwe::Ecn;
/// use rtc_core::testkit::clock::SkewedClock;
/// use rtc_core::testkit::netem::{Duplex, NetemConfig};
/// use rtc_core::time::Instant;
/// use rtc_core::{Bitrate, DataSize};
///
/// let down = NetemConfig::wired(Bitrate::from_kbps(10_000));
/// let up = NetemConfig::wired(Bitrate::from_kbps(1_000));
/// let mut path: Duplex<&str> = Duplex::new(down, up, 1)?;
/// let far_clock = SkewedClock::new(Duration::from_secs(3_600), 40.0)?;
///
/// path.forward.send(Instant::ZERO, DataSize::from_bytes(1_222), Ecn::NotEct, "ping");
/// let mut answered = None;
/// while let Some(now) = path.poll_timeout() {
///     while let Some(packet) = path.forward.poll(now) {
///         let seen = far_clock.local(packet.delivered);
///         assert_eq!(seen, Instant::from_nanos(3_600_051_002_040));
///         path.reverse.send(now, DataSize::from_bytes(1_222), Ecn::NotEct, "pong");
///     }
///     while let Some(packet) = path.reverse.poll(now) {
///         answered = Some(packet.delivered);
///     }
/// }
/// assert_eq!(answered, Some(Instant::from_millis(50 + 1 + 50 + 10)));
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Duplex<T, U = T> {
    /// From the near to the far end.
    pub forward: Netem<T>,
    /// From the far to the near end.
    pub reverse: Netem<U>,
}

impl<T: Clone, U: Clone> Duplex<T, U> {
    /// A path with these directions, whose chance is independent.
    ///
    /// # Errors
    ///
    /// As [`Netem::new`].
    pub fn new(forward: NetemConfig, reverse: NetemConfig, seed: u64) -> Result<Self, ConfigError> {
        Ok(Self { forward: Netem::new(forward, hash(seed, 10))?, reverse: Netem::new(reverse, hash(seed, 11))? })
    }

    /// When either direction may have something new.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        earliest([self.forward.poll_timeout(), self.reverse.poll_timeout()])
    }
}

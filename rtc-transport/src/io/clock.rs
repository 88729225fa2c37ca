use core::time::Duration;
use std::time::{Instant as StdInstant, SystemTime};

use rtc_core::time::Instant;

/// Longer than this nothing waits in a socket's buffer: a difference beyond it is a system clock that was set.
const MAX_AGE: Duration = Duration::from_secs(2);

/// The operating system's monotonic clock. Copies of a clock tell the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    epoch: StdInstant,
}

impl Clock {
    /// What a new clock shows: not zero, as mechanisms may look back.
    const START: Duration = Duration::from_secs(1);

    /// A clock that shows one second now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where real time comes from")]
    #[expect(clippy::new_without_default, reason = "a default is the same each time, a clock is not")]
    pub fn new() -> Self {
        Self { epoch: StdInstant::now() }
    }

    /// The time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where real time comes from")]
    pub fn now(&self) -> Instant {
        Instant::from_std(StdInstant::now(), self.epoch) + Self::START
    }

    /// `at` on the operating system's clock, for timers; the present if it is beyond that clock's range.
    #[must_use]
    pub fn to_std(&self, at: Instant) -> StdInstant {
        (at - Self::START).to_std(self.epoch).unwrap_or(self.epoch)
    }

    /// How long ago `stamp` was, a kernel's time of arrival since the Unix epoch.
    #[expect(clippy::disallowed_methods, reason = "the kernel stamps datagrams with the system's clock")]
    pub(super) fn age(stamp: Duration) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.checked_sub(stamp).filter(|age| *age <= MAX_AGE).unwrap_or_default()
    }
}

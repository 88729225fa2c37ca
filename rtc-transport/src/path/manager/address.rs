use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use rtc_core::time::Instant;
use siphasher::sip::SipHasher24;

/// How often, and how many times, a new address is asked whether it is the same party.
const AGAIN: Duration = Duration::from_millis(300);
const TIMES: u32 = 3;

/// Numbers of which whoever sees some cannot tell the others (SipHash of a counter under a key).
pub(super) struct Nonces {
    hasher: SipHasher24,
    made: u64,
}

impl Nonces {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self { hasher: SipHasher24::new_with_key(&key), made: 0 }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.made += 1;
        self.hasher.hash(&self.made.to_be_bytes())
    }
}

impl fmt::Debug for Nonces {
    /// The key stays secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("made", &self.made).finish_non_exhaustive()
    }
}

/// A new address of the remote party that has not proven yet that it is one.
#[derive(Debug)]
pub(super) struct Rebinding {
    address: SocketAddr,
    nonces: [Option<u64>; TIMES as usize],
    next: Instant,
}

impl Rebinding {
    pub(super) const fn new(now: Instant, address: SocketAddr) -> Self {
        Self { address, nonces: [None; TIMES as usize], next: now }
    }

    /// Where to send a request with this nonce now.
    pub(super) fn poll(&mut self, now: Instant, nonce: u64) -> Option<SocketAddr> {
        let unused = self.nonces.iter_mut().find(|nonce| nonce.is_none()).filter(|_| self.next <= now)?;
        *unused = Some(nonce);
        self.next = now + AGAIN;
        Some(self.address)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.nonces.contains(&None).then_some(self.next)
    }

    pub(super) fn is_proven_by(&self, from: SocketAddr, nonce: u64) -> bool {
        from == self.address && self.nonces.contains(&Some(nonce))
    }

    /// Whether another address may be tried.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        !self.nonces.contains(&None) && self.next <= now
    }
}

/// Answers that may be given: so many a second, and as many at once.
#[derive(Debug)]
pub(super) struct Allowance {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant, per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), left: f64::from(per_second), at: now }
    }

    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.left = (self.left + self.per_second * now.saturating_since(self.at).as_secs_f64()).min(self.per_second);
        self.at = self.at.max(now);
        let has = self.left >= 1.0;
        self.left -= f64::from(u8::from(has));
        has
    }
}

//! Which backend is used, where that is asked for.

use core::sync::atomic::{AtomicUsize, Ordering};

use rtc_core::ConfigError;

use super::Backend;

/// Its place among all, counted from 1; 0 for the fastest. Nothing else hangs on it, so its order does not matter.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

/// The backends this processor has the instructions for, slowest first: of `scalar`, `ssse3`, `avx2`, `gfni`, `gfni512`, `neon`.
pub fn available() -> impl Iterator<Item = &'static str> {
    Backend::available().map(name)
}

/// From now on all sums in this process are done with this backend; with the fastest, as ever, for `None`.
///
/// # Errors
/// [`ConfigError`] if this processor has none of that name.
pub fn choose(backend: Option<&str>) -> Result<(), ConfigError> {
    let has = |known: &Backend| known.is_available() && backend == Some(name(*known));
    let place = match backend {
        None => 0,
        Some(_) => Backend::ALL.iter().position(has).ok_or(ConfigError::new("backend", "not of this processor"))? + 1,
    };
    CHOSEN.store(place, Ordering::Relaxed);
    Ok(())
}

/// Only those that are available are ever chosen.
pub(super) fn chosen() -> Option<Backend> {
    Backend::ALL.get(CHOSEN.load(Ordering::Relaxed).checked_sub(1)?).copied()
}

const fn name(backend: Backend) -> &'static str {
    match backend {
        Backend::Scalar => "scalar",
        #[cfg(target_arch = "x86_64")]
        Backend::Ssse3 => "ssse3",
        #[cfg(target_arch = "x86_64")]
        Backend::Avx2 => "avx2",
        #[cfg(target_arch = "x86_64")]
        Backend::Gfni => "gfni",
        #[cfg(target_arch = "x86_64")]
        Backend::Gfni512 => "gfni512",
        #[cfg(target_arch = "aarch64")]
        Backend::Neon => "neon",
    }
}

//! What every bandwidth estimator must do.

use rtc_bwe::{Gcc, GccConfig};
use rtc_core::Bitrate;
use rtc_core::testkit::laws;

#[test]
fn of_the_role() {
    laws::bandwidth_estimator(|| Gcc::new(GccConfig::default()).expect("the default is valid"));
}

#[test]
fn of_the_role_for_audio() {
    laws::bandwidth_estimator(|| {
        let mut config = GccConfig::default();
        config.start = Bitrate::from_kbps(64);
        config.max = Bitrate::from_kbps(128);
        config.probe.enabled = false;
        Gcc::new(config).expect("valid")
    });
}

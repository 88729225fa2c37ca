//! What every bandwidth estimator must do.

use rtc_bwe::{Nada, NadaConfig, Scream, ScreamConfig};
use rtc_core::testkit::laws;

#[test]
fn nada_keeps_the_laws_of_the_role() {
    laws::bandwidth_estimator(|| Nada::new(NadaConfig::default()).unwrap());
}

#[test]
fn scream_keeps_the_laws_of_the_role() {
    laws::bandwidth_estimator(|| Scream::new(ScreamConfig::default()).unwrap());
}

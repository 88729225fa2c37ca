//! The laws of the roles implemented here.

use core::time::Duration;

use rtc_core::DataSize;
use rtc_core::testkit::laws;
use rtc_transport::pacer::{LeakyBucketPacer, PacerConfig};

#[test]
fn leaky_bucket_pacer_obeys_the_laws_of_pacers() {
    let make = || {
        let mut config = PacerConfig::default();
        // The laws are about the rate set; nothing may hurry.
        config.max_queue_time = Duration::from_secs(3_600);
        LeakyBucketPacer::new(config).expect("the settings are good")
    };
    // 5 ms at the laws' 1 Mb/s, and the largest packet.
    laws::pacer(make, DataSize::from_bytes(625 + 1_200));
}

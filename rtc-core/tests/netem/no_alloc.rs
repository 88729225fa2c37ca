use rtc_core::Bitrate;
use rtc_core::bwe::Ecn;
use rtc_core::testkit::clock::Ticks;
use rtc_core::testkit::netem::{CoDelConfig, Netem, NetemConfig};
use rtc_core::testkit::trace::DelayTrace;

use crate::{MS, PACKET};

#[test]
fn a_running_path_does_not_allocate() {
    // Stalls, loss, copies and reordering under overload: everything that queues does.
    let mut path = NetemConfig::wifi(Bitrate::from_kbps(5_000)).unwrap();
    path.codel = Some(CoDelConfig::default());
    path.trace = Some(DelayTrace::parse("0\n40\n10\n").unwrap());
    path.duplication = 0.1;
    path.reordering = true;
    let mut netem = Netem::new(path, 1).unwrap();
    let mut drive = |from: usize, ticks: usize| {
        for (now, number) in Ticks::every(2 * MS).zip(0_u64..).skip(from).take(ticks) {
            netem.send(now, PACKET, Ecn::NotEct, number);
            while netem.poll(now).is_some() {}
        }
    };
    // Two periods of stalls grow the queues to their size.
    let grown = allocation_counter::measure(|| drive(0, 10_000)).count_total;
    assert!(grown > 0, "the counter counts");
    assert_eq!(allocation_counter::measure(|| drive(10_000, 20_000)).count_total, 0);
}

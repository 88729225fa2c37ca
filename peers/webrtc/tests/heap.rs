//! What the library takes from the heap is counted. Alone in its process, or other tests would count too.

use peer_webrtc::{HeapUse, NetEq, NetEqConfig};
use rtc_core::time::Instant;

#[test]
fn the_heap_is_counted_and_given_back() {
    let config = NetEqConfig::default();
    // What stays behind for good, such as the names of field trials, does so the first time.
    drop(NetEq::new(&config));
    let before = HeapUse::now();
    let mut neteq = NetEq::new(&config).ok();
    let made = HeapUse::now();
    assert!(made.allocations > before.allocations + 10, "{before:?} {made:?}");
    assert!(made.live > before.live + 10_000, "{before:?} {made:?}");
    if let Some(neteq) = &mut neteq {
        neteq.pull(Instant::ZERO);
    }
    drop(neteq);
    assert_eq!(HeapUse::now().live, before.live);
}

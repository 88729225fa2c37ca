//! Once warm, datagrams pass a socket without touching the heap.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::net::SocketAddr;

use allocation_counter::measure;
use rtc_core::bwe::Ecn;
use rtc_transport::io::{Clock, UdpConfig, UdpIo};

/// Four datagrams at a time from one socket to the other.
async fn pass(rounds: usize, a: &mut UdpIo, b: &mut UdpIo) {
    for _ in 0..rounds {
        for size in [1_200, 1_200, 1_200, 300] {
            a.send(b.local_addr(), Ecn::Ect1, &[7; 1_200][..size]);
        }
        a.flush().await.unwrap();
        // The last few are held, as a jitter buffer would.
        let mut held = [const { None }; 4];
        for place in &mut held {
            *place = Some(b.recv().await.unwrap());
        }
    }
}

#[test]
fn datagrams_pass_a_socket_without_allocation() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bind = || UdpIo::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Clock::new(), UdpConfig::default()).unwrap();
    let (mut a, mut b) = runtime.block_on(async { (bind(), bind()) });
    runtime.block_on(pass(200, &mut a, &mut b));
    let allocated = measure(|| runtime.block_on(pass(400, &mut a, &mut b))).count_total;
    // 400 rounds of 3900 bytes fill 24 pieces of memory, and each that is still held when it is full costs one or two.
    assert!(allocated <= 60, "{allocated} allocations in 1600 datagrams");
}

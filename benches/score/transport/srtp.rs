//! What protecting and unprotecting a packet costs.

use core::hint::black_box;

use indicatif::ProgressBar;
use rtc_transport::srtp::{AwsLc, Crypto, MasterKey, Profile, Protector, SrtpConfig, Unprotector};

use crate::cost::{Cost, Meter};
use crate::report::{Metric, Report, Setting, Target};
use crate::subject::{MakeProtection, Protection, Subject};
use crate::{Options, cost, peers};

/// Bytes of the packets: 12 of header, the rest payload.
const PACKET: usize = 1_200;
/// Room behind them for what protection adds.
const ROOM: usize = 32;
/// Packets between two readings of the clock.
const BATCH: u16 = 20_000;
/// Of those to be unprotected, which have to be there all at once: together they fit the cache, as those of a socket do.
const ARRIVALS: u16 = 400;
const ROUNDS: u32 = 15;
const KEY: [u8; 32] = [0x2b; 32];
const SALT: [u8; 14] = [0x5a; 14];

/// A profile, what it is called here, and how long protecting a packet may take in nanoseconds.
const PROFILES: [(Profile, &str, Option<f64>); 3] = [
    (Profile::AeadAes128Gcm, "AES-128-GCM", Some(190.0)),
    (Profile::AeadAes256Gcm, "AES-256-GCM", None),
    (Profile::AesCm128HmacSha1_80, "AES-128-CM, HMAC-SHA1-80", None),
];

pub(super) fn measure(options: &Options, bar: &ProgressBar, report: &mut Report) {
    let mut subjects = vec![Subject::ours(Ours::maker(AwsLc))];
    subjects.extend(peers::protections());
    subjects.retain(|subject| options.wants_subject(&subject.name));
    for (profile, name, target) in PROFILES {
        let scenarios = ["protect", "unprotect"].map(|verb| format!("srtp {verb}, {name}"));
        if !scenarios.iter().any(|scenario| options.wants_scenario(scenario)) {
            continue;
        }
        bar.inc_length(2 * subjects.len() as u64);
        let [protect, unprotect] = scenarios.map(|scenario| {
            let input = format!("{PACKET} bytes, one stream, thread CPU time");
            Setting { scenario, input, seeds: 1 }
        });
        for (setting, is_protect) in [(&protect, true), (&unprotect, false)] {
            if !options.wants_scenario(&setting.scenario) {
                continue;
            }
            for subject in &subjects {
                bar.inc(1);
                let Some(make) = report.admit(subject) else { continue };
                agree(make, profile, &subject.name);
                let make = || make(profile, &KEY[..profile.key_len()], &SALT[..profile.salt_len()]);
                let cost = if is_protect { cost_of_protecting(&mut *make()) } else { cost_of_unprotecting(make) };
                let target = target.filter(|_| is_protect && subject.name == "ours");
                add(report, setting, subject, cost, target);
            }
            if options.wants_subject("bound") {
                report.add_cost(setting, "bound", "ns/packet", cost_of_primitives(profile), true);
            }
        }
    }
}

fn add(report: &mut Report, setting: &Setting, subject: &Subject<MakeProtection>, cost: Cost, target: Option<f64>) {
    let none = target.map(|_| Target::AtMost(0.0));
    report.add_judged(setting, &subject.name, Metric("cpu", "ns/packet"), cost.nanos, target.map(Target::AtMost));
    report.add_judged(setting, &subject.name, Metric("allocations", "per unit"), cost.allocations, none);
}

fn set_number(packet: &mut [u8], number: u16) {
    packet[..12].copy_from_slice(&[0x80, 96, 0, 0, 0, 1, 2, 3, 0, 0, 0, 7]);
    packet[2..4].copy_from_slice(&number.to_be_bytes());
}

fn cost_of_protecting(protection: &mut dyn Protection) -> Cost {
    let (mut buffer, mut number) = (vec![0x5a; PACKET + ROOM], 0_u16);
    cost::measure(ROUNDS, || {
        for _ in 0..BATCH {
            set_number(&mut buffer, number);
            let protected = protection.protect(black_box(&mut buffer), PACKET);
            assert!(black_box(protected).len() > PACKET, "not protected");
            number = number.wrapping_add(1);
        }
        BATCH.into()
    })
}

/// Packets come once only, so that each round has keys and packets of its own.
fn cost_of_unprotecting(make: impl Fn() -> Box<dyn Protection>) -> Cost {
    let mut best = Cost { nanos: f64::INFINITY, allocations: 0.0 };
    for _ in 0..3 * ROUNDS {
        let (mut sender, mut receiver) = (make(), make());
        let mut arrivals: Vec<Vec<u8>> = (0..=ARRIVALS)
            .map(|number| {
                let mut buffer = vec![0x5a; PACKET + ROOM];
                set_number(&mut buffer, number);
                sender.protect(&mut buffer, PACKET).to_vec()
            })
            .collect();
        // The first one begins the stream.
        receiver.unprotect(&mut arrivals[0]);
        let mut meter = Meter::default();
        meter.run(|| {
            for packet in &mut arrivals[1..] {
                let plain = receiver.unprotect(black_box(packet));
                assert_eq!(black_box(plain).len(), PACKET, "not unprotected");
            }
        });
        let cost = meter.per(ARRIVALS.into());
        best = Cost { nanos: best.nanos.min(cost.nanos), allocations: cost.allocations };
    }
    best
}

/// The ciphers alone, of the library that is ours by default.
fn cost_of_primitives(profile: Profile) -> Cost {
    let (mut data, header, key) = (vec![0x5a; PACKET - 12], [7; 12], &KEY[..profile.key_len()]);
    let (gcm, counter) = (AwsLc.gcm(key).expect("the key is long enough"), AwsLc.counter_mode(key).expect("as above"));
    let mac = AwsLc.hmac_sha1(&KEY[..20]);
    let is_gcm = profile.salt_len() == 12;
    let mut number = 0_u64;
    cost::measure(ROUNDS, || {
        for _ in 0..BATCH {
            let (mut nonce, mut block) = ([0; 12], [0; 16]);
            nonce[4..].copy_from_slice(&number.to_be_bytes());
            block[..8].copy_from_slice(&number.to_be_bytes());
            if is_gcm {
                black_box(gcm.seal(nonce, &header, black_box(&mut data))).expect("it is short enough");
            } else {
                counter.apply(block, black_box(&mut data)).expect("it is short enough");
                black_box(mac.sign(&data, &header));
            }
            number += 1;
        }
        BATCH.into()
    })
}

/// What one protects the other reads, RTP and RTCP, both ways.
///
/// # Panics
/// If it does not.
fn agree(make: &MakeProtection, profile: Profile, name: &str) {
    let ours = Ours::maker(AwsLc);
    let made = |make: &MakeProtection| make(profile, &KEY[..profile.key_len()], &SALT[..profile.salt_len()]);
    for (from, to) in [(&ours, make), (make, &ours)] {
        let (mut sender, mut receiver) = (made(from), made(to));
        for number in [65_534, 65_535, 0, 1] {
            let mut plain = vec![0x5a; PACKET];
            set_number(&mut plain, number);
            let mut buffer = [&plain[..], &[0; ROOM]].concat();
            let mut protected = sender.protect(&mut buffer, PACKET).to_vec();
            assert_eq!(receiver.unprotect(&mut protected), plain, "{name}, {profile:?}: RTP");
            let report = [&[0x80, 200, 0, 6, 0, 0, 0, 7][..], &[9; 20]].concat();
            let protected = sender.protect_rtcp(&report);
            assert_eq!(receiver.unprotect_rtcp(&protected), report, "{name}, {profile:?}: RTCP");
        }
    }
}

/// [`Protector`] and [`Unprotector`].
pub(crate) struct Ours {
    protector: Protector,
    unprotector: Unprotector,
}

impl Ours {
    /// Makes them with the ciphers of a library.
    pub(crate) fn maker(crypto: impl Crypto + Copy + 'static) -> MakeProtection {
        Box::new(move |profile, key, salt| {
            let master = MasterKey::new(profile, key, salt).expect("key and salt are as long as they must be");
            let config = SrtpConfig::default();
            let protector = Protector::new(&crypto, &master, config.clone()).expect("the library has the cipher");
            let unprotector = Unprotector::new(&crypto, &master, config).expect("the library has the cipher");
            Box::new(Self { protector, unprotector })
        })
    }
}

impl Protection for Ours {
    fn protect<'a>(&'a mut self, buffer: &'a mut [u8], len: usize) -> &'a [u8] {
        let len = self.protector.protect_rtp(buffer, len).unwrap_or(0);
        &buffer[..len]
    }

    fn unprotect<'a>(&'a mut self, packet: &'a mut [u8]) -> &'a [u8] {
        let len = self.unprotector.unprotect_rtp(packet).unwrap_or(0);
        &packet[..len]
    }

    fn protect_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut buffer = [packet, &[0; ROOM]].concat();
        let len = self.protector.protect_rtcp(&mut buffer, packet.len()).unwrap_or(0);
        buffer[..len].to_vec()
    }

    fn unprotect_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut buffer = packet.to_vec();
        let len = self.unprotector.unprotect_rtcp(&mut buffer).unwrap_or(0);
        buffer[..len].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With every peer there is, in every profile.
    #[test]
    fn peers_read_what_we_protect_and_we_what_they_do() {
        let mut subjects = vec![Subject::ours(Ours::maker(AwsLc))];
        subjects.extend(peers::protections());
        for subject in &subjects {
            let Ok(make) = &subject.maker else { continue };
            Profile::ALL.into_iter().for_each(|profile| agree(make, profile, &subject.name));
        }
    }
}

//! Directed links between hosts.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::vocab::{Ratio, Seed, Stream, Time, nanos};

/// After so many losses in a row a piece arrives all the same, so that a link that loses everything
/// is very slow rather than endless; to lose everything, cut the link.
const LOSSES_MAX: u32 = 10;

/// How links are unless a fault says otherwise.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// One-way latency between two hosts; each piece draws its own, all equally likely.
    pub latency: RangeInclusive<Duration>,
    /// One-way latency of a host to itself.
    pub loopback: Duration,
    /// Bytes per second of each link; `None` is no limit.
    pub bandwidth: Option<u64>,
    /// How likely a piece is lost, and sent again after a retransmission timeout.
    pub loss: Ratio,
    /// First retransmission timeout; doubles with each loss (TCP_RTO_MIN of Linux).
    pub retransmission_min: Duration,
    /// Longest retransmission timeout (TCP_RTO_MAX of Linux).
    pub retransmission_max: Duration,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            latency: Duration::from_micros(200)..=Duration::from_micros(900),
            loopback: Duration::from_micros(20),
            bandwidth: None,
            loss: Ratio::ZERO,
            retransmission_min: Duration::from_millis(200),
            retransmission_max: Duration::from_secs(120),
        }
    }
}

/// A range of spans in nanoseconds.
///
/// # Panics
/// When it is empty.
pub fn nanos_range(range: &RangeInclusive<Duration>) -> RangeInclusive<u64> {
    assert!(range.start() <= range.end(), "the range {range:?} is empty");
    nanos(*range.start())..=nanos(*range.end())
}

/// The way from one host to another.
#[derive(Debug)]
pub struct Link {
    stream: Stream,
    latency_ns: RangeInclusive<u64>,
    /// Bytes per second.
    pub bandwidth: Option<u64>,
    /// When the last piece has left, as far as bandwidth is concerned.
    free_at: Time,
    /// How likely a piece is lost.
    pub loss: Ratio,
    retransmission_ns: RangeInclusive<u64>,
}

impl Link {
    /// The link between the hosts of these names.
    pub fn new(seed: Seed, config: &NetworkConfig, from: &str, to: &str) -> Self {
        let latency =
            if from == to { config.loopback..=config.loopback } else { config.latency.clone() };
        Self {
            stream: seed.stream(&format!("net/link/{from}-{to}")),
            latency_ns: nanos_range(&latency),
            bandwidth: if from == to { None } else { config.bandwidth },
            free_at: Time::ZERO,
            loss: if from == to { Ratio::ZERO } else { config.loss },
            retransmission_ns: nanos_range(
                &(config.retransmission_min..=config.retransmission_max),
            ),
        }
    }

    /// Changes the latency.
    pub fn set_latency(&mut self, latency: &RangeInclusive<Duration>) {
        self.latency_ns = nanos_range(latency);
    }

    /// When a piece of `bytes` bytes that is sent at `now` arrives.
    pub fn arrival(&mut self, now: Time, bytes: usize) -> Time {
        let mut arrival = now;
        if let Some(rate) = self.bandwidth {
            let takes = bytes as u128 * 1_000_000_000 / u128::from(rate.max(1));
            let takes = u64::try_from(takes).unwrap_or(u64::MAX);
            arrival = arrival.max(self.free_at).after_nanos(takes);
            self.free_at = arrival;
        }
        arrival = arrival.after_nanos(self.stream.within(self.latency_ns.clone()));
        let mut timeout = *self.retransmission_ns.start();
        for _ in 0..LOSSES_MAX {
            if !self.stream.chance(self.loss) {
                break;
            }
            arrival = arrival.after_nanos(timeout);
            timeout = (timeout * 2).min(*self.retransmission_ns.end());
        }
        arrival
    }

    /// How long after the way is open again TCP tries again what it could not deliver since
    /// `since`.
    ///
    /// The timeout doubles, so that the next try is at most about as far away as the first one is
    /// past.
    pub fn retry_after(&mut self, since: Time, now: Time) -> u64 {
        let backoff = (now.0 - since.0.min(now.0)) + self.retransmission_ns.start();
        self.stream.within(0..=backoff.min(*self.retransmission_ns.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(config: &NetworkConfig) -> Link {
        Link::new(Seed(3), config, "a", "b")
    }

    #[test]
    fn latency_stays_in_its_range_to_the_nanosecond() {
        let mut link = link(&NetworkConfig {
            latency: Duration::from_nanos(1_001)..=Duration::from_nanos(1_003),
            ..NetworkConfig::default()
        });
        let mut seen = [false; 3];
        for _ in 0..100 {
            let arrival = link.arrival(Time(0), 1 << 20).0;
            seen[(arrival - 1_001) as usize] = true;
        }
        assert_eq!(seen, [true; 3]);
    }

    #[test]
    fn bytes_queue_for_bandwidth() {
        let mut link = link(&NetworkConfig {
            latency: Duration::ZERO..=Duration::ZERO,
            bandwidth: Some(1_000_000),
            ..NetworkConfig::default()
        });
        assert_eq!(link.arrival(Time(0), 500), Time(500_000));
        assert_eq!(link.arrival(Time(0), 500), Time(1_000_000));
        assert_eq!(link.arrival(Time(5_000_000), 1), Time(5_001_000));
    }

    #[test]
    fn a_loss_costs_a_timeout_that_doubles() {
        let lossy = |numerator| {
            link(&NetworkConfig {
                latency: Duration::ZERO..=Duration::ZERO,
                loss: Ratio::new(numerator, 2).unwrap(),
                ..NetworkConfig::default()
            })
        };
        let mut half = lossy(1);
        let times: Vec<u64> = (0..200).map(|_| half.arrival(Time(0), 1).as_millis()).collect();
        for ms in [0, 200, 600, 1_400] {
            assert!(times.contains(&ms), "{ms} ms is not among {times:?}");
        }
        assert!(times.iter().all(|ms| (ms / 200 + 1).is_power_of_two()), "{times:?}");
        assert_eq!(
            lossy(2).arrival(Time(0), 1).as_millis(),
            200 * 1_023,
            "a link that loses all is slow"
        );
    }

    #[test]
    fn a_retry_waits_no_longer_than_the_silence_before_it() {
        let mut link = link(&NetworkConfig::default());
        for _ in 0..100 {
            let wait = link.retry_after(Time::from_millis(1_000), Time::from_millis(1_500));
            assert!(wait <= 700_000_000);
            let wait = link.retry_after(Time::ZERO, Time::from_millis(3_600_000));
            assert!(wait <= 120_000_000_000);
        }
    }
}

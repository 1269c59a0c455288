//! What a client does when nothing is set: the defaults of its release.

use std::fmt::Debug;
use std::time::Duration;

use super::connections::ConnectionConfig;
use crate::releases::KafkaVersion;
use crate::releases::defaults::{Property, millis, number};

/// The defaults in one release of a client's properties.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// The client's properties.
    pub properties: &'static [Property],
    /// The release.
    pub version: KafkaVersion,
}

impl Defaults {
    /// A number.
    ///
    /// # Panics
    /// When the release has no such property.
    pub fn number<T: TryFrom<i64, Error: Debug>>(&self, name: &str) -> T {
        let number = number(self.properties, name, self.version);
        let number = number.unwrap_or_else(|| panic!("{} has no `{name}`", self.version));
        number.try_into().expect("a default is in the range of its type")
    }

    /// A time.
    ///
    /// # Panics
    /// When the release has no such property.
    pub fn millis(&self, name: &str) -> Duration {
        let time = self.optional_millis(name);
        time.unwrap_or_else(|| panic!("{} has no `{name}`", self.version))
    }

    /// A time that some releases do not limit.
    pub fn optional_millis(&self, name: &str) -> Option<Duration> {
        millis(self.properties, name, self.version)
    }

    /// How the client connects. Before 0.11 the back-off does not grow.
    pub fn connection(&self) -> ConnectionConfig {
        let backoff = self.millis("reconnect.backoff.ms");
        let longest = self.optional_millis("reconnect.backoff.max.ms");
        ConnectionConfig {
            request_timeout: self.millis("request.timeout.ms"),
            reconnect_backoff: backoff,
            reconnect_backoff_max: longest.unwrap_or(backoff),
            ..ConnectionConfig::default()
        }
    }
}

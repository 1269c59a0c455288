//! Numbers and times as reports show them.

use std::time::Duration;

use crate::vocab::Time;

/// A number with its thousands apart: `1,234,567`. By hand: no crate of ours formats numbers, and it is ten lines.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Virtual time with milliseconds: `8.204s`.
pub fn millis(time: Time) -> String {
    format!("{time:.3}")
}

/// A span that can be short: `0.4ms`, `212.0ms`, `60.012s`.
pub fn span(span: Time) -> String {
    match span.0 {
        nanos if nanos < 1_000_000_000 => {
            let tenths = nanos.div_ceil(100_000);
            format!("{}.{}ms", tenths / 10, tenths % 10)
        }
        _ => millis(span),
    }
}

/// A span with milliseconds: `1,208.204s`.
pub fn seconds(span: Duration) -> String {
    format!("{}.{:03}s", thousands(span.as_secs()), span.subsec_millis())
}

/// What is said of many runs, or seeds, that were stopped: `stopped after 37 of 1,000 seeds`.
pub fn stopped(ran: u64, not_run: u64, unit: &str) -> String {
    let all = ran.saturating_add(not_run);
    format!("stopped after {} of {} {unit}", thousands(ran), thousands(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn spans_have_milliseconds() {
        assert_eq!(seconds(Duration::from_millis(1_208_004)), "1,208.004s");
        assert_eq!(millis(Time::from_millis(8_204)), "8.204s");
        for (nanos, text) in [(0, "0.0ms"), (310_000, "0.4ms"), (60_012_000_000, "60.012s")] {
            assert_eq!(span(Time(nanos)), text);
        }
    }
}

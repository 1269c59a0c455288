//! Draws `[expect]`.

use kafka_sim::vocab::Happening;

use super::Writer;

impl Writer<'_> {
    pub(super) fn expect(&mut self) {
        self.table("[expect]");
        let mut names: Vec<String> = Happening::ALL.iter().map(|h| h.name().to_owned()).collect();
        if self.once_in(5) {
            // A run with it fails without the permission.
            names.retain(|name| name != "record-lost");
            let happened = names.remove(self.below(names.len() as u64) as usize);
            self.list("happened", &[happened]);
        }
        if self.once_in(5) {
            let never = self.one(&names);
            self.list("never", &[never]);
        }
        let loss = self.one(&["permitted", "permitted", "permitted", "permitted", "forbidden"]);
        self.forbids_loss = loss == "forbidden";
        if loss == "permitted" || self.once_in(2) {
            self.text("acknowledged-loss", loss);
        }
        if self.once_in(3) {
            // Longer than a consumer before 2.0, or a member that joins, waits for a broker that lost power.
            self.text("converge-within", "400s");
        }
        if self.once_in(5) {
            self.text("unavailable-at-most", "5s");
        }
        if self.once_in(5) {
            self.limits();
        }
    }

    /// Limits that no run reaches: here it is about how they are read.
    fn limits(&mut self) {
        self.inline("latency-at-most", &["p50", "p99", "max"].map(|name| (name, "1h")));
        for happening in Happening::ALL {
            let mut parts = vec![("count", "0..1000000000")];
            parts.extend(happening.has_partition().then_some(("partition", "t0-0")));
            if !happening.is_seen_at_the_end() {
                parts.extend([("after", "1s"), ("before", "1h")]);
            }
            self.inline(happening.name(), &parts);
        }
    }

    fn inline(&mut self, key: &str, parts: &[(&str, &str)]) {
        let table = if key == "latency-at-most" { key } else { "count" };
        let keys = parts.iter().map(|(part, _)| (table.to_owned(), (*part).to_owned()));
        self.drawn.keys.extend(keys);
        let parts: Vec<_> = parts.iter().map(|(part, v)| format!("{part} = \"{v}\"")).collect();
        self.raw(key, format_args!("{{ {} }}", parts.join(", ")));
    }
}

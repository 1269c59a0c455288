//! What a name means: a setting, a property that runs are judged by, a kind of fault, a difference of releases.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use super::style::{Paint, Style};
use crate::checkers::PROPERTIES;
use crate::releases::settings::clients::Client;
use crate::releases::settings::{
    self, Allowed, DefaultText, Setting, Type, all_of_brokers, all_of_topics,
};
use crate::releases::{KafkaVersion, Row, TABLE};
use crate::scenario::faults::{KINDS, Undone};
use crate::vocab::nearest;

/// Everything of that name; `None` when there is nothing. With a release, settings are shown as it has them.
pub fn explain(name: &str, version: Option<KafkaVersion>, style: Style) -> Option<String> {
    let mut out = String::new();
    write(&mut out, name, version, style).expect("a string takes everything");
    (!out.is_empty()).then_some(out)
}

/// The name that this one is most likely meant to be.
pub fn likely(name: &str) -> Option<&'static str> {
    let settings = OWNERS.into_iter().flat_map(Owner::settings).map(|setting| setting.name);
    let properties = PROPERTIES.iter().map(|property| property.name);
    let faults = KINDS.iter().map(|kind| kind.name);
    let rows = TABLE.iter().map(|row| row.name);
    let all: BTreeSet<_> = settings.chain(properties).chain(faults).chain(rows).collect();
    nearest(name, &all.into_iter().collect::<Vec<_>>())
}

fn write(out: &mut String, name: &str, of: Option<KafkaVersion>, style: Style) -> fmt::Result {
    for owner in OWNERS {
        for setting in owner.settings().filter(|setting| setting.name == name) {
            heading(out, owner.words(), name, style)?;
            describe(out, owner, setting, of)?;
        }
    }
    for property in PROPERTIES.iter().filter(|property| property.name == name) {
        heading(out, "property of a run", name, style)?;
        line(out, "rule", property.statement)?;
        line(out, "source", property.source)?;
        line(out, "leaves out", property.leaves_out)?;
    }
    for kind in KINDS.iter().filter(|kind| kind.name == name) {
        heading(out, "fault", name, style)?;
        line(out, "does", kind.does)?;
        match kind.undone {
            Undone::By(undo) => line(out, "undone by", undo.verb())?,
            Undone::Never(why) => line(out, "not undone", why)?,
        }
        for (number, row) in kind.example.lines().enumerate() {
            line(out, if number == 0 { "example" } else { "" }, row)?;
        }
    }
    for row in TABLE.iter().filter(|row| row.name == name) {
        difference(out, row, style)?;
    }
    Ok(())
}

fn difference(out: &mut String, row: &Row, style: Style) -> fmt::Result {
    heading(out, "difference between releases", row.name, style)?;
    line(out, "what", row.sentence)?;
    match row.period.last {
        None => line(out, "kafka", &format!("since {}", row.period.first))?,
        Some(last) => line(out, "kafka", &format!("until {last}"))?,
    }
    line(out, "source", row.source)
}

fn heading(out: &mut String, what: &str, name: &str, style: Style) -> fmt::Result {
    writeln!(out, "{}  {what}", style.paint(Paint::Heading, name))
}

fn line(out: &mut String, label: &str, text: &str) -> fmt::Result {
    writeln!(out, "  {label:<10}  {text}")
}

/// Whose setting it is.
#[derive(Clone, Copy)]
enum Owner {
    Topic,
    Broker,
    Client(Client),
}

const OWNERS: [Owner; 5] = [
    Owner::Topic,
    Owner::Broker,
    Owner::Client(Client::Producer),
    Owner::Client(Client::Consumer),
    Owner::Client(Client::Admin),
];

impl Owner {
    fn words(self) -> &'static str {
        match self {
            Self::Topic => "setting of a topic",
            Self::Broker => "setting of a broker",
            Self::Client(Client::Producer) => "setting of a producer",
            Self::Client(Client::Consumer) => "setting of a consumer",
            Self::Client(Client::Admin) => "setting of an admin client",
        }
    }

    fn settings(self) -> Box<dyn Iterator<Item = &'static Setting>> {
        match self {
            Self::Topic => Box::new(all_of_topics()),
            Self::Broker => Box::new(all_of_brokers()),
            Self::Client(client) => Box::new(client.settings()),
        }
    }

    /// What it does in a simulated cluster.
    fn effect(self, name: &str) -> &'static str {
        match self {
            Self::Topic | Self::Broker if settings::is_obeyed(name) => "is obeyed",
            Self::Client(client) if client.obeys(name) => "is obeyed",
            Self::Topic | Self::Broker => {
                "has no effect; brokers list it, and check and keep what a client sets"
            }
            Self::Client(Client::Admin) => "has no effect: a scenario has no such client",
            Self::Client(_) => "has no effect; clients from outside (sim serve) obey it themselves",
        }
    }
}

fn describe(
    out: &mut String,
    owner: Owner,
    setting: &Setting,
    of: Option<KafkaVersion>,
) -> fmt::Result {
    line(out, "what", setting.documentation)?;
    line(out, "type", kind(setting.kind))?;
    match of {
        Some(version) => {
            let default = match setting.default_in(version) {
                None => {
                    return line(out, "default", &format!("Kafka {version} has no such setting"));
                }
                Some(None) => "nothing".to_owned(),
                Some(Some(text)) => shown(text),
            };
            line(out, "default", &format!("{default}, in Kafka {version}"))?;
        }
        None => line(out, "default", &history(setting.history()))?,
    }
    let version = of.unwrap_or_default();
    if let Some(range) = range(setting.allowed_in(version)) {
        line(out, "range", &range)?;
    }
    match owner {
        Owner::Broker => line(out, "dynamic", &dynamic(setting, of))?,
        Owner::Topic => line(out, "dynamic", "yes")?,
        Owner::Client(_) => {}
    }
    if !setting.otherwise.is_empty() && setting.otherwise != setting.name {
        line(out, "otherwise", &format!("what {} is, where it is not set", setting.otherwise))?;
    }
    line(out, "here", owner.effect(setting.name))
}

fn dynamic(setting: &Setting, of: Option<KafkaVersion>) -> String {
    if let Some(version) = of {
        return if setting.is_dynamic(version) { "yes" } else { "no" }.to_owned();
    }
    let mut is_dynamic = KafkaVersion::ALL.iter().filter(|version| setting.is_dynamic(**version));
    match (is_dynamic.next(), is_dynamic.next_back()) {
        (None, _) => "no".to_owned(),
        (Some(first), None) => format!("in Kafka {first}"),
        (Some(first), Some(last)) if Some(last) == KafkaVersion::ALL.last() => {
            format!("since Kafka {first}")
        }
        (Some(first), Some(last)) => format!("from Kafka {first} to {last}"),
    }
}

fn history(defaults: &[(KafkaVersion, DefaultText)]) -> String {
    let mut said = Vec::new();
    for (number, (since, default)) in defaults.iter().enumerate() {
        let text = match default {
            DefaultText::Is(text) => shown(text),
            DefaultText::Null => "nothing".to_owned(),
            DefaultText::Required => "none: it has to be set".to_owned(),
            DefaultText::Gone => "gone".to_owned(),
        };
        let is_first = number == 0 && *since <= KafkaVersion::ALL[0];
        said.push(if is_first { text } else { format!("{text} since {since}") });
    }
    said.join(", ")
}

fn shown(text: &str) -> String {
    if text.is_empty() { "\"\"".to_owned() } else { text.to_owned() }
}

fn kind(kind: Type) -> &'static str {
    match kind {
        Type::Boolean => "boolean",
        Type::String => "string",
        Type::Int => "int",
        Type::Short => "short",
        Type::Long => "long",
        Type::Double => "double",
        Type::List => "list",
        Type::Class => "class",
        Type::Password => "password",
    }
}

fn range(allowed: Allowed) -> Option<String> {
    Some(match allowed {
        Allowed::Any => return None,
        Allowed::AtLeast(min) => format!("{min} or more"),
        Allowed::Between(min, max) => format!("{min} to {max}"),
        Allowed::Within(min, max) => format!("{min} to {max}"),
        Allowed::Gzip => "1 to 9, or -1 for gzip's own default".to_owned(),
        Allowed::NonEmpty => "not empty".to_owned(),
        Allowed::OneOf(words) => words.join(", "),
        Allowed::Release => "a release, not newer than the broker's".to_owned(),
        Allowed::Throttled => "*, or pairs of partition and broker".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(name: &str, version: Option<&str>) -> String {
        let version = version.map(|text| text.parse().unwrap());
        explain(name, version, Style::Plain).unwrap()
    }

    #[test]
    fn a_setting_of_several_owners_is_explained_for_each() {
        let text = plain("request.timeout.ms", None);
        let owners = ["a broker", "a producer", "a consumer", "an admin client"];
        for owner in owners {
            assert!(text.contains(&format!("setting of {owner}")), "{text}");
        }
        assert!(text.contains("305000, 30000 since 2.0.0"), "{text}");
    }

    #[test]
    fn a_setting_without_effect_says_so() {
        let effect = |name| plain(name, None).lines().last().unwrap().trim().to_owned();
        assert!(effect("check.crcs").contains("has no effect"));
        assert!(effect("acks").contains("is obeyed"));
    }

    #[test]
    fn a_release_has_its_own_default_or_no_such_setting() {
        assert!(plain("acks", Some("2.8")).contains("default     1, in Kafka 2.8"));
        assert!(plain("acks", Some("3.0")).contains("default     all, in Kafka 3.0"));
        assert!(plain("timeout.ms", Some("1.0")).contains("has no such setting"));
    }

    #[test]
    fn properties_faults_and_differences_are_explained_and_near_names_found() {
        for name in [PROPERTIES[0].name, KINDS[0].name, TABLE[0].name] {
            assert!(plain(name, None).starts_with(name));
        }
        assert_eq!(explain("no such thing", None, Style::Plain), None);
        assert_eq!(likely("min.insync.replica"), Some("min.insync.replicas"));
    }
}

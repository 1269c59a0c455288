//! A pattern of topic names, as a consumer subscribes by.

use std::fmt;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// A regular expression that a topic's whole name has to match (`java.util.regex.Pattern.matches`). Letters and digits
/// are ASCII's, as in a topic's name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicPattern {
    text: Arc<str>,
    whole: Regex,
}

impl TopicPattern {
    /// Reads an expression.
    ///
    /// # Errors
    /// In a line, what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Alone first: `a)(b` is wrong, though it fits between the brackets.
        let compile = |text: &str| RegexBuilder::new(text).unicode(false).build();
        let whole = compile(text).and_then(|_| compile(&format!("^(?:{text})$")));
        match whole {
            Ok(whole) => Ok(Self { text: text.into(), whole }),
            Err(regex::Error::CompiledTooBig(_)) => Err("it is too large".to_owned()),
            Err(why) => {
                let why = why.to_string();
                let last = why.lines().last().unwrap_or_default();
                Err(last.trim_start_matches("error: ").to_owned())
            }
        }
    }

    /// Whether a topic's name matches. The topics of Kafka itself do not (`exclude.internal.topics`).
    pub fn matches(&self, topic: &str) -> bool {
        !INTERNAL.contains(&topic) && self.whole.is_match(topic.as_bytes())
    }
}

/// `Topic.INTERNAL_TOPICS`
const INTERNAL: [&str; 2] = ["__consumer_offsets", "__transaction_state"];

impl PartialEq for TopicPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TopicPattern {}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl TryFrom<String> for TopicPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<TopicPattern> for String {
    fn from(pattern: TopicPattern) -> Self {
        pattern.text.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_name_matches() {
        let pattern = TopicPattern::parse("orders-.*|eu").expect("it is right");
        let names = ["orders-1", "orders-", "eu", "orders", "old-orders-1", "eu2", "orders-é"];
        let matching: Vec<_> = names.into_iter().filter(|name| pattern.matches(name)).collect();
        assert_eq!(matching, ["orders-1", "orders-", "eu", "orders-é"]);
    }

    #[test]
    fn internal_topics_never_match() {
        let all = TopicPattern::parse(".*").expect("it is right");
        assert!(all.matches("__orders"));
        assert!(!all.matches("__consumer_offsets") && !all.matches("__transaction_state"));
    }

    #[test]
    fn what_is_wrong_is_one_line() {
        let why = |text| TopicPattern::parse(text).expect_err("it is wrong");
        assert_eq!(why("orders-("), "unclosed group");
        assert_eq!(why("a)(b"), "unopened group");
    }

    #[test]
    fn a_pattern_is_stored_as_its_text() {
        let pattern = TopicPattern::parse("orders-.*").expect("it is right");
        assert_eq!(serde_json::to_value(&pattern).expect("a text"), "orders-.*");
        let read: TopicPattern = serde_json::from_str("\"orders-.*\"").expect("a pattern");
        assert_eq!(read, pattern);
        assert!(serde_json::from_str::<TopicPattern>("\"(\"").is_err());
    }
}

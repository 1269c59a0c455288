//! Answers with a text that is longer than any text of the protocol. Kafka notices when it writes the answer, and
//! sends the one of this request to an unexpected error instead (`AbstractRequest.getErrorResponse`).
//!
//! Such texts are explanations that repeat what was asked for, and what was written to ZooKeeper directly.
//! Names from requests fit: no request with a longer one is decoded.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ResponseKind;
use kafka_protocol::protocol::StrBytes;

use crate::releases::{Change, KafkaVersion};
use crate::wire::kafka::TEXT_MAX;

/// Where a text is too long, in the names of `Protocol.java`, and its length in bytes.
struct TooLong {
    path: &'static [&'static str],
    length: usize,
}

fn find<'t>(
    path: &'static [&'static str],
    mut texts: impl Iterator<Item = Option<&'t StrBytes>>,
) -> Option<TooLong> {
    let long = texts.find_map(|text| text.filter(|text| text.len() > TEXT_MAX))?;
    Some(TooLong { path, length: long.len() })
}

fn too_long(body: &ResponseKind) -> Option<TooLong> {
    match body {
        ResponseKind::CreateTopics(body) => {
            let texts = body.topics.iter().map(|row| row.error_message.as_ref());
            find(&["topic_errors", "error_message"], texts)
        }
        ResponseKind::CreatePartitions(body) => {
            let texts = body.results.iter().map(|row| row.error_message.as_ref());
            find(&["topic_errors", "error_message"], texts)
        }
        ResponseKind::AlterConfigs(body) => {
            let texts = body.responses.iter().map(|row| row.error_message.as_ref());
            find(&["resources", "error_message"], texts)
        }
        ResponseKind::IncrementalAlterConfigs(body) => {
            let texts = body.responses.iter().map(|row| row.error_message.as_ref());
            find(&["responses", "error_message"], texts)
        }
        ResponseKind::DescribeConfigs(body) => {
            let texts = body.results.iter().map(|row| row.error_message.as_ref());
            let entries = body.results.iter().flat_map(|row| &row.configs);
            find(&["resources", "error_message"], texts).or_else(|| {
                let values = entries.map(|entry| entry.value.as_ref());
                find(&["resources", "config_entries", "config_value"], values)
            })
        }
        ResponseKind::AlterClientQuotas(body) => {
            let texts = body.entries.iter().map(|row| row.error_message.as_ref());
            find(&["entries", "error_message"], texts)
        }
        ResponseKind::DescribeClientQuotas(body) => {
            let entities = body.entries.iter().flatten().flat_map(|entry| &entry.entity);
            let names = entities.map(|part| part.entity_name.as_ref());
            let texts = std::iter::once(body.error_message.as_ref()).chain(names);
            find(&["error_message"], texts)
        }
        ResponseKind::DescribeUserScramCredentials(body) => {
            let names = body.results.iter().map(|row| Some(&row.user));
            let texts = body.results.iter().map(|row| row.error_message.as_ref());
            find(&["results", "error_message"], names.chain(texts))
        }
        _ => None,
    }
}

/// The answer that is written instead; `None` when this one can be written.
pub fn instead(version: KafkaVersion, body: &ResponseKind) -> Option<ResponseKind> {
    let TooLong { path, length } = too_long(body)?;
    let why = version.has(Change::ServerErrorsSaySomething).then(|| {
        let place: String =
            path.iter().map(|field| format!("Error writing field '{field}': ")).collect();
        StrBytes::from_string(format!(
            "{place}String length {length} is larger than the maximum string length."
        ))
    });
    let code = ResponseError::UnknownServerError.code();
    let mut body = body.clone();
    // Every row is answered so, also those that went well.
    macro_rules! fail {
        ($rows:expr) => {
            for row in &mut $rows {
                row.error_code = code;
                row.error_message = why.clone();
            }
        };
    }
    match &mut body {
        ResponseKind::CreateTopics(body) => fail!(body.topics),
        ResponseKind::CreatePartitions(body) => fail!(body.results),
        ResponseKind::AlterConfigs(body) => fail!(body.responses),
        ResponseKind::IncrementalAlterConfigs(body) => fail!(body.responses),
        ResponseKind::DescribeConfigs(body) => {
            fail!(body.results);
            body.results.iter_mut().for_each(|row| row.configs.clear());
        }
        ResponseKind::AlterClientQuotas(body) => fail!(body.entries),
        ResponseKind::DescribeClientQuotas(body) => {
            (body.error_code, body.error_message, body.entries) = (code, why, None);
        }
        ResponseKind::DescribeUserScramCredentials(body) => {
            (body.error_code, body.error_message) = (code, why);
            body.results.clear();
        }
        _ => return None,
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
    use kafka_protocol::messages::{CreatePartitionsResponse, TopicName};

    use super::*;

    fn answered(release: &str, length: usize) -> Option<CreatePartitionsTopicResult> {
        let why = "Unknown broker(s) in replica assignment: ".to_owned();
        let why = why + &"1".repeat(length - 41);
        let row = CreatePartitionsTopicResult::default()
            .with_name(TopicName(StrBytes::from_static_str("t")))
            .with_error_code(ResponseError::InvalidReplicaAssignment.code())
            .with_error_message(Some(StrBytes::from_string(why)));
        let body = CreatePartitionsResponse::default().with_results(vec![row]);
        match instead(release.parse().unwrap(), &body.into())? {
            ResponseKind::CreatePartitions(mut body) => body.results.pop(),
            _ => panic!("an answer to something else"),
        }
    }

    /// As real brokers of 1.1.1, 2.4.1, 2.8.2 and 3.9.1 answered CreatePartitions with 30,000 brokers that are not.
    #[test]
    fn what_cannot_be_written_is_an_error_of_the_server() {
        assert_eq!(answered("2.8.2", 32_767), None, "it can be written");
        let old = "Error writing field 'topic_errors': Error writing field 'error_message': String \
                   length 198927 is larger than the maximum string length.";
        for (release, why) in
            [("1.1.1", Some(old)), ("2.4.1", Some(old)), ("2.8.2", None), ("3.9.1", None)]
        {
            let row = answered(release, 198_927).unwrap();
            assert_eq!((&**row.name, row.error_code), ("t", -1), "{release}");
            assert_eq!(row.error_message.as_deref(), why, "{release}");
        }
    }
}

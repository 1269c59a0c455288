//! Commands of four letters, sent as text where a frame's length would stand.

use super::{Config, Running};

/// The text that answers `word`, after which the connection is closed; `None` when it is no command.
pub(super) fn answer(running: &Running, config: &Config, word: [u8; 4]) -> Option<String> {
    let word = std::str::from_utf8(&word).ok()?;
    if !matches!(word, "ruok" | "isro" | "srvr" | "stat" | "mntr") {
        return None;
    }
    if word != "srvr" && !config.four_letter_words {
        return Some(format!("{word} is not executed because it is not in the whitelist.\n"));
    }
    Some(match word {
        "ruok" => "imok".into(),
        "srvr" | "stat" | "mntr" if !running.serves() => {
            "This ZooKeeper instance is not currently serving requests\n".into()
        }
        "isro" if !running.serves() => "null".into(),
        "isro" => "rw".into(),
        "srvr" => format!("{}{}", version(), server(running)),
        "stat" => {
            let mut text = version();
            text.push_str("Clients:\n");
            for connection in running.connections.values() {
                let address = &connection.ids.iter().find(|id| &*id.scheme == "ip");
                let address = address.map_or("", |id| &*id.id);
                let (queued, received) = (connection.waiting.len(), connection.received);
                let sent = connection.sent;
                let counts = format!("queued={queued},recved={received},sent={sent}");
                // 1 is a selector's interest in reading, which is always there.
                text.push_str(&format!(" /{address}[1]({counts})\n"));
            }
            text.push('\n');
            text + &server(running)
        }
        _ => monitor(running),
    })
}

fn version() -> String {
    format!(
        "Zookeeper version: 3.8.0-kafka-sim-{}, built on 2022-02-25 08:49 UTC\n",
        env!("CARGO_PKG_VERSION")
    )
}

fn znodes(running: &Running) -> usize {
    // ZooKeeper stores the root under two keys, and counts both.
    running.state.tree.len() + 1
}

/// As ZooKeeper has it, without the line of latencies: nobody measures them here.
fn server(running: &Running) -> String {
    format!(
        "Received: {}\nSent: {}\nConnections: {}\nOutstanding: {}\n\
         Zxid: {}\nMode: {}\nNode count: {}\n",
        running.received,
        running.sent,
        running.connections.len(),
        running.proposals.len(),
        running.state.last_zxid,
        running.mode(),
        znodes(running),
    )
}

fn monitor(running: &Running) -> String {
    let lines = [
        ("zk_version", version().trim_start_matches("Zookeeper version: ").trim_end().to_owned()),
        ("zk_server_state", running.mode().to_owned()),
        ("zk_num_alive_connections", running.connections.len().to_string()),
        ("zk_outstanding_requests", running.proposals.len().to_string()),
        ("zk_packets_received", running.received.to_string()),
        ("zk_packets_sent", running.sent.to_string()),
        ("zk_znode_count", znodes(running).to_string()),
        ("zk_watch_count", running.watches.len().to_string()),
        ("zk_ephemerals_count", running.state.tree.ephemeral_count().to_string()),
        ("zk_global_sessions", running.state.sessions.len().to_string()),
    ];
    lines.iter().map(|(key, value)| format!("{key}\t{value}\n")).collect()
}

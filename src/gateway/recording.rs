//! What external clients sent, and when: a file that makes a served run reproducible.
//!
//! ```text
//! sim inbound 2
//! 7 3b1f22c0 seed 42
//! 21 90ad1f7e plan 5f0c1e9d0b7a4c21
//! 19 0b5de2f4 clock 1764510000000
//! 22 c4b1a0d3 door b1 127.0.0.1 9092
//! 22 51a2e9f7 door z1 127.0.0.1 2181
//! 20 08d1c5b6 1250000000 open 1 b1
//! 41 e7720c9a 1250000000 bytes 1 AAAAGgASAAMAAAAB…
//! 16 2f9be4d1 2000000000 alive
//! 18 7d03b8aa 2750000000 close 1
//! 15 c2960b3e 30000000000 end
//! ```
//!
//! Each line has its length and a checksum in front: XXH3, its lower half, of it and of all lines before it, so that no
//! line can be changed, lost or moved unnoticed. First the run: the seed, a digest of the plan, what wall clocks showed
//! at its start (in milliseconds since 1970), and the address that each server advertised (`door`), because answers
//! contain them. Then the inputs: virtual time in nanoseconds,
//! connection, bytes in base64. `alive` says that nothing else came until then. `end` is when the last connection was
//! closed; `full` comes instead where the recording reached its limit.
//!
//! What is written is in the file within half a second, so that a recording of a process that was killed lacks no more
//! than that. A file without `end` is played as far as it reaches; its last line may be incomplete.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use crate::cluster::{ExternalListener, Inbound, Outside, Visitor};
use crate::vocab::foreign::Foreign;
use crate::vocab::{NodeId, Roster, Seed, Time};

/// The format's name and version.
const MAGIC: &str = "sim inbound 2";
/// How recordings of every version begin.
pub const RECORDING_BEGINS: &str = "sim inbound ";

/// Room that is kept for the line that says why a recording ends.
const LAST_LINE_BYTES: u64 = 80;

/// Later than any run lasts: 400 days.
const LATEST: Time = Time(400 * 86_400 * 1_000_000_000);

/// The last millisecond of the year 9999.
const LATEST_CLOCK_MS: i64 = 253_402_300_799_999;

/// What is wrong with a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// It is not a recording, or one of another version.
    #[error("not a recording of this version: the first line is not `{MAGIC}`")]
    Magic,
    /// A line that is wrong.
    #[error("line {line}: {why}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Not even its first lines are there.
    #[error("it was cut short before anything was recorded")]
    Short,
    /// A byte was changed.
    #[error("it was damaged: the checksum of line {0} does not match")]
    Checksum(usize),
    /// It belongs to another seed.
    #[error("it was recorded with seed {recorded}, not {asked}")]
    Seed {
        /// The seed of the recording.
        recorded: u64,
        /// The seed of the run.
        asked: u64,
    },
    /// It belongs to another scenario.
    #[error("it was recorded with another scenario, or with an earlier text of this one")]
    Plan,
    /// Its servers are not those of the scenario.
    #[error("the scenario has no server `{0}`")]
    Server(String),
}

/// The run that a recording belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The run's seed.
    pub seed: Seed,
    /// The [`digest`] of the plan.
    pub plan: u64,
    /// The addresses that servers advertised, and what their wall clocks showed first.
    pub outside: Outside,
}

/// A digest of a plan, without its file name and its mutant.
pub fn digest(plan: &crate::scenario::Plan) -> u64 {
    let mut plan = plan.clone();
    // A recording may be played from another folder, and with another mutant.
    plan.scenario.clear();
    plan.mutant = None;
    let bytes = postcard::to_stdvec(&plan).expect("a plan can be written");
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

/// Why a recording cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", Foreign(&path.to_string_lossy()))]
pub struct RecordError {
    /// The file, as it was given.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Where a recording goes.
pub struct Record {
    /// The file. Should be buffered.
    pub out: Box<dyn Write + Send>,
    /// Its name, for messages.
    pub path: PathBuf,
    /// Bytes that it may have.
    pub limit: u64,
    /// Set when it has them: what comes later is not recorded.
    pub is_full: Arc<AtomicBool>,
}

/// Writes a recording, line by line.
pub struct Writer {
    record: Record,
    hash: Xxh3,
    /// Bytes written.
    size: u64,
    /// The first error; nothing is written after it.
    failed: Option<io::Error>,
    last: Time,
    is_ended: bool,
}

impl Writer {
    /// Starts a recording.
    pub fn new(record: Record, header: &Header) -> Self {
        let (hash, last) = (Xxh3::new(), Time::ZERO);
        let mut writer = Self { record, hash, size: 0, failed: None, last, is_ended: false };
        writer.put(MAGIC);
        writer.line(&format!("seed {}", header.seed.0));
        writer.line(&format!("plan {:016x}", header.plan));
        if let Some(clock) = header.outside.wall_epoch_ms {
            writer.line(&format!("clock {clock}"));
        }
        for ExternalListener { server, host, port } in &header.outside.listeners {
            writer.line(&format!("door {server} {host} {port}"));
        }
        writer
    }

    fn line(&mut self, text: &str) {
        let framed = framed(&mut self.hash, text);
        self.put(&framed);
    }

    fn put(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = writeln!(self.record.out, "{text}").err();
            self.size += text.len() as u64 + 1;
        }
    }

    /// Adds a line of the recording proper, if there is room for it.
    fn event(&mut self, time: Time, text: &str) {
        if self.is_ended {
            return;
        }
        self.last = time;
        // The length and the checksum come in front.
        if self.size + text.len() as u64 + 2 * LAST_LINE_BYTES > self.record.limit {
            self.is_ended = true;
            self.line(&format!("{} full", time.0));
            self.record.is_full.store(true, Ordering::Relaxed);
        } else {
            self.line(text);
        }
    }

    /// Adds an input at `time`. `roster` names the servers.
    pub fn add(&mut self, time: Time, inbound: &Inbound, roster: &Roster) {
        let text = match inbound {
            Inbound::Open { visitor, server } => {
                format!("{} open {} {}", time.0, visitor.0, roster.name(*server))
            }
            Inbound::Bytes { visitor, bytes } => {
                format!("{} bytes {} {}", time.0, visitor.0, STANDARD.encode(bytes))
            }
            Inbound::Close { visitor } => format!("{} close {}", time.0, visitor.0),
        };
        self.event(time, &text);
    }

    /// Hands what was recorded to the operating system; nothing else came until `time`.
    ///
    /// # Errors
    /// The first error of the output.
    pub fn save(&mut self, time: Time) -> Result<(), RecordError> {
        if time > self.last {
            self.event(time, &format!("{} alive", time.0));
        }
        self.flush()
    }

    /// Whether what comes is not recorded, as the limit was reached.
    pub fn is_full(&self) -> bool {
        self.record.is_full.load(Ordering::Relaxed)
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        let flushed = self.record.out.flush();
        let path = self.record.path.clone();
        self.failed.take().map_or(flushed, Err).map_err(|source| RecordError { path, source })
    }

    /// Ends the recording at `time`.
    ///
    /// # Errors
    /// The first error of the output.
    pub fn finish(mut self, time: Time) -> Result<(), RecordError> {
        self.end(time);
        self.flush()
    }

    fn end(&mut self, time: Time) {
        if !self.is_ended {
            self.is_ended = true;
            self.line(&format!("{} end", time.0));
        }
    }
}

/// A line with its length and its checksum, which is added to the hash.
pub fn framed(hash: &mut Xxh3, text: &str) -> String {
    hash.update(text.as_bytes());
    hash.update(b"\n");
    format!("{} {:08x} {text}", text.len(), hash.digest() as u32)
}

/// The recording of a simulation that panicked ends with the last input: played back, it panics again.
impl Drop for Writer {
    fn drop(&mut self) {
        self.end(self.last);
    }
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A client connected to the server of that name.
    Open(Visitor, String),
    /// A client sent something.
    Bytes(Visitor, Bytes),
    /// A client disconnected.
    Close(Visitor),
}

impl Entry {
    /// The input of the cluster.
    ///
    /// # Errors
    /// [`RecordingError::Server`] when `roster` does not know the server.
    pub fn inbound(&self, roster: &Roster) -> Result<Inbound, RecordingError> {
        let node = |name: &str| -> Result<NodeId, RecordingError> {
            roster.find(name).ok_or_else(|| RecordingError::Server(name.to_owned()))
        };
        Ok(match self {
            Self::Open(visitor, server) => {
                Inbound::Open { visitor: *visitor, server: node(server)? }
            }
            Self::Bytes(visitor, bytes) => {
                Inbound::Bytes { visitor: *visitor, bytes: bytes.clone() }
            }
            Self::Close(visitor) => Inbound::Close { visitor: *visitor },
        })
    }
}

/// A recording that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The run it belongs to.
    pub header: Header,
    /// The inputs, in the order of time.
    pub entries: Vec<(Time, Entry)>,
    /// When the last connection was closed.
    pub end: Time,
    /// Whether the file ends before the run did: its process was killed, or it had reached its limit.
    pub is_cut_short: bool,
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    /// See [`RecordingError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordingError> {
        let body = bytes.strip_prefix(MAGIC.as_bytes()).and_then(|rest| rest.strip_prefix(b"\n"));
        let body = body.ok_or(RecordingError::Magic)?;
        let (mut reader, mut hash) = (Reader::default(), Xxh3::new());
        // Behind the last newline is what a killed process had not written to its end.
        let whole = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for (line, bytes) in (2..).zip(body[..whole].split_inclusive(|byte| *byte == b'\n')) {
            let text = std::str::from_utf8(&bytes[..bytes.len() - 1]).ok();
            let text = text.and_then(|framed_text| {
                let text = framed_text.splitn(3, ' ').nth(2)?;
                (framed(&mut hash, text) == framed_text).then_some(text)
            });
            let text = text.ok_or(RecordingError::Checksum(line))?;
            reader.line(text).map_err(|why| RecordingError::Line { line, why })?;
        }
        if whole < body.len() && reader.end.is_some() {
            return Err(RecordingError::Line { line: 0, why: "bytes follow the end".to_owned() });
        }
        reader.finish()
    }

    /// Checks that it was recorded with this plan.
    ///
    /// # Errors
    /// [`RecordingError::Seed`] or [`RecordingError::Plan`].
    pub fn belongs_to(&self, plan: &crate::scenario::Plan) -> Result<(), RecordingError> {
        let (recorded, asked) = (self.header.seed.0, plan.seed.0);
        if recorded != asked {
            return Err(RecordingError::Seed { recorded, asked });
        }
        if self.header.plan == digest(plan) { Ok(()) } else { Err(RecordingError::Plan) }
    }
}

/// The lines read so far.
#[derive(Default)]
struct Reader {
    seed: Option<Seed>,
    plan: Option<u64>,
    outside: Outside,
    entries: Vec<(Time, Entry)>,
    /// Every connection that was opened, and whether it is open.
    visitors: BTreeMap<u64, bool>,
    last: Time,
    end: Option<Time>,
    is_full: bool,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if self.end.is_some() {
            return Err("lines follow the end".to_owned());
        }
        let words: Vec<&str> = line.split(' ').collect();
        let number =
            |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is not a number"));
        match words[..] {
            ["seed", seed] => self.seed = Some(Seed(number(seed)?)),
            ["plan", plan] => {
                let digest = u64::from_str_radix(plan, 16);
                self.plan = Some(digest.map_err(|_| format!("`{plan}` is not a digest"))?);
            }
            ["clock", clock] => {
                let clock =
                    clock.parse().ok().filter(|clock| (0..=LATEST_CLOCK_MS).contains(clock));
                let clock = clock.ok_or_else(|| format!("`{}` is not a time", words[1]))?;
                self.outside.wall_epoch_ms = Some(clock);
            }
            ["door", server, host, port] => {
                let port = port.parse().map_err(|_| format!("`{port}` is not a port"))?;
                let (server, host) = (server.to_owned(), host.to_owned());
                self.outside.listeners.push(ExternalListener { server, host, port });
            }
            [time, "end"] => self.end = Some(self.time(number(time)?)?),
            [time, "full"] => {
                self.end = Some(self.time(number(time)?)?);
                self.is_full = true;
            }
            [time, "alive"] => _ = self.time(number(time)?)?,
            [time, ref rest @ ..] if !rest.is_empty() => {
                let time = self.time(number(time)?)?;
                let entry = self.entry(rest, number)?;
                self.entries.push((time, entry));
            }
            _ => return Err("unknown line".to_owned()),
        }
        Ok(())
    }

    fn time(&mut self, nanos: u64) -> Result<Time, String> {
        let time = Time(nanos);
        if time < self.last {
            return Err("time goes backwards".to_owned());
        }
        if time > LATEST {
            return Err(format!("{time} is later than any run lasts"));
        }
        self.last = time;
        Ok(time)
    }

    fn entry(
        &mut self,
        words: &[&str],
        number: impl Fn(&str) -> Result<u64, String>,
    ) -> Result<Entry, String> {
        match words {
            ["open", visitor, server] => {
                let visitor = number(visitor)?;
                if !self.outside.listeners.iter().any(|one| one.server == *server) {
                    return Err(format!("`{server}` does not listen"));
                }
                if self.visitors.insert(visitor, true).is_some() {
                    return Err(format!("connection {visitor} is opened twice"));
                }
                Ok(Entry::Open(Visitor(visitor), (*server).to_owned()))
            }
            ["bytes", visitor, bytes] => {
                let visitor = self.open(number(visitor)?)?;
                let bytes = STANDARD.decode(bytes).map_err(|why| why.to_string())?;
                Ok(Entry::Bytes(visitor, bytes.into()))
            }
            ["close", visitor] => {
                let visitor = self.open(number(visitor)?)?;
                self.visitors.insert(visitor.0, false);
                Ok(Entry::Close(visitor))
            }
            _ => Err("unknown line".to_owned()),
        }
    }

    fn open(&self, visitor: u64) -> Result<Visitor, String> {
        match self.visitors.get(&visitor) {
            Some(true) => Ok(Visitor(visitor)),
            _ => Err(format!("connection {visitor} is not open")),
        }
    }

    fn finish(mut self) -> Result<Recording, RecordingError> {
        let (Some(seed), Some(plan)) = (self.seed, self.plan) else {
            return Err(RecordingError::Short);
        };
        let is_cut_short = self.end.is_none() || self.is_full;
        let end = self.end.unwrap_or(self.last);
        // Connections that are open where a file is cut are closed there, as when serving ends.
        let open = self.visitors.iter().filter(|(_, is_open)| is_cut_short && **is_open);
        let closed = open.map(|(visitor, _)| (end, Entry::Close(Visitor(*visitor))));
        self.entries.extend(closed);
        let header = Header { seed, plan, outside: self.outside };
        Ok(Recording { header, entries: self.entries, end, is_cut_short })
    }
}

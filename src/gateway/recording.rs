//! What external clients sent, and when: a file that makes a served run reproducible.
//!
//! ```text
//! sim inbound 1
//! seed 42
//! plan 5f0c1e9d0b7a4c21
//! door b1 127.0.0.1 9092
//! door z1 127.0.0.1 2181
//! 1250000000 open 1 b1
//! 1250000000 bytes 1 AAAAGgASAAMAAAAB…
//! 2750000000 close 1
//! 30000000000 end
//! checksum 0f3a61c2b7d94e58
//! ```
//!
//! First the run: the seed, a digest of the plan, and the address that each server advertised (`door`), because
//! answers contain it. Then the inputs: virtual time in nanoseconds, connection, bytes in base64. `end` is when the
//! last connection was closed. The checksum (XXH3 of all lines before) comes last, so that a file that is cut short
//! is recognised.

use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use crate::cluster::{ExternalListener, Inbound, Visitor};
use crate::vocab::{NodeId, Roster, Seed, Time};

/// The format's name and version.
const MAGIC: &str = "sim inbound 1";

/// Later than any run lasts: 400 days.
const LATEST: Time = Time(400 * 86_400 * 1_000_000_000);

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
    /// The last lines are missing.
    #[error("it was cut short: the line `checksum …` is missing")]
    Short,
    /// A byte was changed.
    #[error("it was damaged: the checksum does not match")]
    Checksum,
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
    /// The addresses that servers advertised.
    pub listeners: Vec<ExternalListener>,
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

/// Writes a recording, line by line.
pub struct Writer {
    out: Box<dyn Write + Send>,
    hash: Xxh3,
    /// The first error; nothing is written after it.
    failed: Option<io::Error>,
    last: Time,
    is_ended: bool,
}

impl Writer {
    /// Starts a recording.
    pub fn new(out: Box<dyn Write + Send>, header: &Header) -> Self {
        let hash = Xxh3::new();
        let mut writer = Self { out, hash, failed: None, last: Time::ZERO, is_ended: false };
        writer.line(MAGIC);
        writer.line(&format!("seed {}", header.seed.0));
        writer.line(&format!("plan {:016x}", header.plan));
        for ExternalListener { server, host, port } in &header.listeners {
            writer.line(&format!("door {server} {host} {port}"));
        }
        writer
    }

    fn line(&mut self, text: &str) {
        self.hash.update(text.as_bytes());
        self.hash.update(b"\n");
        self.put(text);
    }

    fn put(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = writeln!(self.out, "{text}").err();
        }
    }

    /// Adds an input at `time`. `roster` names the servers.
    pub fn add(&mut self, time: Time, inbound: &Inbound, roster: &Roster) {
        self.last = time;
        let time = time.0;
        self.line(&match inbound {
            Inbound::Open { visitor, server } => {
                format!("{time} open {} {}", visitor.0, roster.name(*server))
            }
            Inbound::Bytes { visitor, bytes } => {
                format!("{time} bytes {} {}", visitor.0, STANDARD.encode(bytes))
            }
            Inbound::Close { visitor } => format!("{time} close {}", visitor.0),
        });
    }

    /// Ends the recording at `time`.
    ///
    /// # Errors
    /// The first error of the output.
    pub fn finish(mut self, time: Time) -> io::Result<()> {
        self.end(time);
        let flushed = self.out.flush();
        self.failed.take().map_or(flushed, Err)
    }

    fn end(&mut self, time: Time) {
        self.is_ended = true;
        self.line(&format!("{} end", time.0));
        let checksum = format!("checksum {:016x}", self.hash.digest());
        self.put(&checksum);
    }
}

/// The recording of a simulation that panicked ends with the last input: played back, it panics again.
impl Drop for Writer {
    fn drop(&mut self) {
        if !self.is_ended {
            self.end(self.last);
        }
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
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    /// See [`RecordingError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordingError> {
        if !bytes.starts_with(MAGIC.as_bytes()) {
            return Err(RecordingError::Magic);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RecordingError::Checksum)?;
        let Some((body, checksum)) =
            text.strip_suffix('\n').and_then(|text| text.rsplit_once('\n'))
        else {
            return Err(RecordingError::Short);
        };
        let Some(checksum) = checksum.strip_prefix("checksum ") else {
            return Err(RecordingError::Short);
        };
        let hash = xxhash_rust::xxh3::xxh3_64(&bytes[..=body.len()]);
        if checksum != format!("{hash:016x}") {
            return Err(RecordingError::Checksum);
        }
        let mut reader = Reader::default();
        for (index, line) in body.lines().enumerate() {
            let wrong = |why| RecordingError::Line { line: index + 1, why };
            reader.line(index, line).map_err(wrong)?;
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
    listeners: Vec<ExternalListener>,
    entries: Vec<(Time, Entry)>,
    /// Every connection that was opened, and whether it is open.
    visitors: BTreeMap<u64, bool>,
    last: Time,
    end: Option<Time>,
}

impl Reader {
    fn line(&mut self, index: usize, line: &str) -> Result<(), String> {
        if self.end.is_some() {
            return Err("lines follow the end".to_owned());
        }
        let words: Vec<&str> = line.split(' ').collect();
        let number =
            |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is not a number"));
        match (index, &words[..]) {
            (0, _) if line == MAGIC => {}
            (_, ["seed", seed]) => self.seed = Some(Seed(number(seed)?)),
            (_, ["plan", plan]) => {
                let digest = u64::from_str_radix(plan, 16);
                self.plan = Some(digest.map_err(|_| format!("`{plan}` is not a digest"))?);
            }
            (_, ["door", server, host, port]) => {
                let port = port.parse().map_err(|_| format!("`{port}` is not a port"))?;
                let (server, host) = ((*server).to_owned(), (*host).to_owned());
                self.listeners.push(ExternalListener { server, host, port });
            }
            (_, [time, "end"]) => self.end = Some(self.time(number(time)?)?),
            (_, [time, rest @ ..]) if !rest.is_empty() => {
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
                if !self.listeners.iter().any(|one| one.server == *server) {
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

    fn finish(self) -> Result<Recording, RecordingError> {
        let (Some(seed), Some(plan), Some(end)) = (self.seed, self.plan, self.end) else {
            return Err(RecordingError::Short);
        };
        let header = Header { seed, plan, listeners: self.listeners };
        Ok(Recording { header, entries: self.entries, end })
    }
}

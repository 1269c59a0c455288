//! Signals, and the end of a parent process.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use super::Exit;
use crate::run::Stop;

/// Signals that ask a process to end.
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];
/// How often it is looked whether one has come.
const LOOK: Duration = Duration::from_millis(50);
/// How long after the first signal another one ends the process: not sooner, as `timeout` and others send theirs
/// twice, to the process and to its group.
const PATIENCE: Duration = Duration::from_secs(1);

/// A wish to stop, which SIGINT and SIGTERM set. Another signal, a second or more later, ends the process.
///
/// # Errors
/// Those of the operating system.
#[expect(clippy::disallowed_methods, reason = "signals come in real time, beside any simulation")]
pub fn on_signals() -> io::Result<Stop> {
    let stop = Stop::default();
    let impatient = Arc::new(AtomicBool::new(false));
    for signal in SIGNALS {
        let code = i32::from(Exit::Stopped as u8);
        signal_hook::flag::register_conditional_shutdown(signal, code, impatient.clone())?;
        signal_hook::flag::register(signal, stop.flag())?;
    }
    let asked = stop.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        while !asked.is_asked() {
            std::thread::sleep(LOOK);
        }
        std::thread::sleep(PATIENCE);
        impatient.store(true, Ordering::Relaxed);
    })?;
    Ok(stop)
}

/// Does something when a signal ends the process, and lets it end as by that signal.
///
/// # Errors
/// Those of the operating system.
#[expect(clippy::disallowed_methods, reason = "signals come in real time, beside any simulation")]
pub(super) fn before_signals_end(act: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut asked = Vec::new();
    for signal in SIGNALS {
        let flag = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal, flag.clone())?;
        asked.push((signal, flag));
    }
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let signal = loop {
            match asked.iter().find(|(_, flag)| flag.load(Ordering::Relaxed)) {
                Some((signal, _)) => break *signal,
                None => std::thread::sleep(LOOK),
            }
        };
        act();
        // Fails only for what is no signal.
        let _: io::Result<()> = signal_hook::low_level::emulate_default_handler(signal);
    })?;
    Ok(())
}

/// Ends the process when `parent` does: when it is stdin, and the other end of the pipe is closed, by whatever ended
/// the parent.
///
/// # Errors
/// Those of the operating system.
pub(super) fn end_with(mut parent: impl Read + Send + 'static) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "a simulation cannot be asked to return early")]
    let end = || std::process::exit(i32::from(Exit::Stopped as u8));
    std::thread::Builder::new().name("parent".to_owned()).spawn(move || {
        let mut ignored = [0; 64];
        while parent.read(&mut ignored).is_ok_and(|length| length > 0) {}
        end()
    })?;
    Ok(())
}

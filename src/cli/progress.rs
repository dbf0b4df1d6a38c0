//! Floor 9. A line on the standard error stream that says what is being waited for: on terminals only, not with
//! `--quiet`, and not for what is quick. It is gone when the work is done.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::report;

/// What takes less is not worth a line.
const QUICK: Duration = Duration::from_millis(400);
/// How often the line is written again.
const BEAT: Duration = Duration::from_millis(250);

/// Work that is under way.
#[derive(Debug)]
pub(super) struct Progress {
    done: Arc<AtomicUsize>,
    line: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins to tell of work, such as `asking the databases`, of which there may be a known number of parts.
    pub(super) fn of(what: &'static str, parts: Option<usize>) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let line = (io::stderr().is_terminal() && !report::is_quiet()).then(|| show(what, parts, Arc::clone(&done)));
        Self { done, line: line.flatten() }
    }

    /// One more part is done.
    pub(super) fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.line.take() {
            drop(stop);
            // A line that could not be taken away is no harm.
            let _ = thread.join();
        }
    }
}

fn show(what: &'static str, parts: Option<usize>, done: Arc<AtomicUsize>) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = channel::<()>();
    let draw = move || {
        let started = Instant::now();
        let mut wait = QUICK;
        let mut shown = false;
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(wait) {
            wait = BEAT;
            shown = true;
            let line = line(what, parts.map(|all| (done.load(Ordering::Relaxed), all)), started.elapsed());
            // A closed stream is the reader's choice, here and below.
            let _ = write!(io::stderr(), "\r\u{1b}[K{line}");
        }
        if shown {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    };
    let thread = thread::Builder::new().name("progress".into()).spawn(draw).ok()?;
    Some((stop, thread))
}

fn line(what: &str, parts: Option<(usize, usize)>, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match parts {
        Some((done, all)) => format!("{what}: {done} of {all}, {seconds} s"),
        None => format!("{what}, {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_how_much_and_how_long() {
        for (parts, elapsed, expected) in
            [(None, 0, "asking the databases, 0 s"), (Some((3, 12)), 2900, "asking the databases: 3 of 12, 2 s")]
        {
            assert_eq!(line("asking the databases", parts, Duration::from_millis(elapsed)), expected);
        }
    }

    #[test]
    fn nothing_is_shown_where_nobody_looks() {
        // The tests' standard error stream may be a terminal: then there is a line, and it ends with the work.
        let progress = Progress::of("testing", Some(1));
        progress.step();
        assert_eq!(progress.done.load(Ordering::Relaxed), 1);
        assert!(progress.line.is_none() || io::stderr().is_terminal());
    }
}

//! Floor 9. `mcp-bridge test`: the tests in the files, run side by side and without asking any source.

mod bench;
mod compare;
mod junit;
mod record;
mod words;

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use clap::Args;
use parking_lot::Mutex;

use super::{Exit, Paths, environment::Rehearsal, progress::Progress, report};
use crate::{
    check::Checked,
    load::{self, Fingerprint},
    plan::Plan,
    text::FileSet,
};
use bench::{Bench, Verdict};

/// How often changed files are looked for.
const LOOK: Duration = Duration::from_millis(300);

/// `mcp-bridge test`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    #[command(flatten)]
    paths: Paths,
    /// Only tests whose `tool: name` holds this; may be given several times
    #[arg(long, short, value_name = "TEXT")]
    filter: Vec<String>,
    /// Writes the results as JUnit XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Runs the tests again whenever a file changes
    #[arg(long, short, conflicts_with = "record")]
    watch: bool,
    /// Asks the sources once for what tests lack, and writes their answers into the files
    #[arg(long)]
    record: bool,
    /// With --record: also runs tools that change something, in earnest
    #[arg(long, requires = "record")]
    writes: bool,
    /// How many tests run at once; as many as there are cores where it is left out
    #[arg(long, value_name = "NUMBER")]
    jobs: Option<usize>,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge test
  mcp-bridge test bridges/bookstore.yaml --filter find_books
  mcp-bridge test --watch
  mcp-bridge test --junit results.xml
  mcp-bridge test bridges/shop.yaml --record --filter 'get_order: shown'

No source is asked: APIs answer with what `upstream` says, SQLite databases with `init` are made
anew. Variables have their defaults. The exit code is 1 when a test fails.";

/// One test: the position of its tool in the plan, and its own in the tool.
#[derive(Clone, Copy, Debug)]
struct Chosen {
    tool: usize,
    test: usize,
}

pub(super) fn run(options: &Options) -> Exit {
    if options.record
        && let Err(exit) = record::run(options)
    {
        return exit;
    }
    if !options.watch {
        return once(options).unwrap_or_else(|exit| exit);
    }
    let mut before = looks(options);
    loop {
        // Faults of the files are told, and waited for to be mended.
        let _ = once(options);
        report::sum_up("waiting for changes; Ctrl-C ends this");
        before = changed(options, &before);
    }
}

fn looks(options: &Options) -> Fingerprint {
    load::fingerprint(&options.paths.paths, &scripts(options))
}

/// What the databases of the tests are made from.
fn scripts(options: &Options) -> Vec<PathBuf> {
    let Ok((files, _)) = load::load(&options.paths.paths) else { return Vec::new() };
    let checked = crate::check::check(&files, &Rehearsal);
    checked.plan.map(|(plan, _)| bench::scripts(&plan)).unwrap_or_default()
}

/// Waits until the files look otherwise, and the same twice.
#[expect(clippy::disallowed_methods, reason = "there is no runtime here, whose worker it could block")]
fn changed(options: &Options, before: &Fingerprint) -> Fingerprint {
    let mut last = before.clone();
    loop {
        std::thread::sleep(LOOK);
        let now = looks(options);
        if now == last && now != *before {
            return now;
        }
        last = now;
    }
}

fn once(options: &Options) -> Result<Exit, Exit> {
    let (files, checked) = report::examine_with(&options.paths.paths, &Rehearsal)?;
    let Checked { plan, diagnostics, places } = checked;
    let Some((plan, _)) = plan else {
        report::told(&files, &diagnostics);
        report::sum_up(&report::summary(&diagnostics));
        return Err(Exit::Faulty);
    };
    let chosen = choose(&plan, &options.filter)?;
    let bench = Bench::new(plan).map_err(|fault| {
        report::tell(&format!("error: {fault}"));
        Exit::CouldNotRun
    })?;
    let verdicts = side_by_side(&bench, &chosen, options.jobs);
    let told: Vec<words::Told<'_>> = chosen
        .iter()
        .zip(&verdicts)
        .filter_map(|(at, verdict)| {
            let tool = bench.plan().tools.get(at.tool)?;
            let span = places.test(&tool.name, at.test)?.span;
            let test = tool.tests.get(at.test)?;
            Some(words::Told { file: files.name(span.file), place: files.position(span), tool, test, verdict })
        })
        .collect();
    report::show_some(&words::list(&told));
    if let Some(path) = &options.junit {
        std::fs::write(path, junit::document(&told)).map_err(|error| {
            report::tell(&format!("error: {}: {error}", path.display()));
            Exit::CouldNotRun
        })?;
    }
    report::sum_up(&words::summary(&told, files_of(&files)));
    Ok(if told.iter().all(|it| it.verdict.faults.is_empty()) { Exit::Fine } else { Exit::Faulty })
}

fn files_of(files: &FileSet) -> usize {
    files.ids().count()
}

/// The tests whose names hold one of the texts.
fn choose(plan: &Plan, filter: &[String]) -> Result<Vec<Chosen>, Exit> {
    let all = plan.tools.iter().enumerate().flat_map(|(at, tool)| {
        tool.tests.iter().enumerate().map(move |(index, test)| {
            let name = format!("{}: {}", tool.name, test.name);
            (name, Chosen { tool: at, test: index })
        })
    });
    let wanted = |name: &str| filter.is_empty() || filter.iter().any(|text| name.contains(text.as_str()));
    let chosen: Vec<_> = all.filter(|(name, _)| wanted(name)).map(|(_, chosen)| chosen).collect();
    if chosen.is_empty() && !filter.is_empty() {
        report::tell("error: no test has such a name");
        report::tell(
            "  help: `--filter` takes a part of `tool: name of the test`, with small and capital letters as written",
        );
        return Err(Exit::CouldNotRun);
    }
    Ok(chosen)
}

/// Runs the tests on several threads. What comes back is in the order of the tests.
fn side_by_side(bench: &Bench, chosen: &[Chosen], jobs: Option<usize>) -> Vec<Verdict> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = jobs.unwrap_or(cores).clamp(1, chosen.len().max(1));
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(chosen.len())));
    let progress = Progress::of("testing", Some(chosen.len()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(at) = chosen.get(index) else { return };
            let verdict = bench.run(*at);
            done.lock().push((index, verdict));
            progress.step();
        }
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in all {
            // A thread that panics has lost its tests, which the summary then lacks.
            let _ = thread.join();
        }
    });
    let mut done = done.into_inner();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, verdict)| verdict).collect()
}

//! Floor 8. Changed files: looked for, checked aside, and served as a whole or not at all. While
//! they have faults the server goes on with what it had.

use std::{
    fmt,
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    check::check,
    diag::{
        Diagnostics,
        render::{Form, render},
    },
    engine::Generation,
    load::{self, Fingerprint},
    plan::Plan,
    secret::Vault,
    text::FileSet,
    yaml::Variables,
};

/// What is watched.
#[derive(Clone)]
pub struct Watch {
    /// Files, and folders of them.
    pub paths: Vec<PathBuf>,
    /// What `${…}` in them stands for.
    pub variables: Arc<dyn Variables + Send + Sync>,
    /// How often the files are looked at. A change counts when the next look finds no other: who
    /// writes several files is waited for.
    pub every: Duration,
    /// What the files looked like before they were read for the start.
    first: Fingerprint,
}

impl Watch {
    /// Files that are looked at twice a second. Made before they are read for the start, so that
    /// no change is missed.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>, variables: Arc<dyn Variables + Send + Sync>) -> Self {
        let first = load::fingerprint(&paths, &[]);
        Self { paths, variables, every: Duration::from_millis(500), first }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watch").field("paths", &self.paths).field("every", &self.every).finish_non_exhaustive()
    }
}

/// Whoever serves what the files say.
pub(super) trait Swap: Send + Sync {
    /// Whether a plan can take the place of the one that is served; why not, otherwise.
    fn accepts(&self, plan: &Plan) -> Result<(), String>;

    /// What is served now.
    fn current(&self) -> Arc<Generation>;

    /// Serves another generation from now on.
    fn swap(&self, generation: Generation, vault: &Vault) -> Result<(), String>;

    /// Remembers whether the latest change could be served.
    fn settled(&self, outcome: Outcome);
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is served.
    Served,
    /// It has faults, and the one before it is served.
    Refused,
}

/// Serves what the files say, until `stop`.
pub(super) async fn watch(watch: Watch, swap: Arc<dyn Swap>, stop: CancellationToken) {
    let following = async {
        let (mut known, mut others, mut digest) = (watch.first.clone(), Vec::new(), None);
        if let Some(read) = read(&watch).await {
            // Which other files the bridge files depend on is known after reading them once. What
            // was read is what is served only if nothing has changed since the start.
            let now = look(&watch, read.others.clone()).await;
            if now.extends(&known, read.others.len()) {
                (known, others, digest) = (now, read.others, Some(read.digest));
            }
        }
        let mut seen = known.clone();
        loop {
            tokio::time::sleep(watch.every).await;
            let now = look(&watch, others.clone()).await;
            if now == known || now != std::mem::replace(&mut seen, now.clone()) {
                continue;
            }
            known = now;
            let Some(read) = read(&watch).await else { continue };
            // With other files the next look differs, and finds that they say the same: a look
            // here could hide a change since the files were read.
            others.clone_from(&read.others);
            if digest.replace(read.digest) == Some(read.digest) {
                tracing::debug!("the files were written, and say the same");
                continue;
            }
            swap.settled(apply(read, swap.as_ref()).await);
        }
    };
    tokio::select! {
        () = following => {}
        () = stop.cancelled() => {}
    }
}

/// What the files say.
struct Read {
    plan: Option<(Plan, Vault)>,
    /// Every fault, one in a line.
    faults: String,
    others: Vec<PathBuf>,
    /// A digest of all that was read: the same text makes the same plan.
    digest: [u8; 32],
}

async fn look(watch: &Watch, others: Vec<PathBuf>) -> Fingerprint {
    let paths = watch.paths.clone();
    aside(move || load::fingerprint(&paths, &others)).await.unwrap_or_default()
}

/// Reads and checks the files; nothing when there is nothing to read.
async fn read(watch: &Watch) -> Option<Read> {
    let watch = watch.clone();
    let read = aside(move || {
        let (files, mut diagnostics) = load::load(&watch.paths)?;
        let recorded = Recorded { variables: watch.variables, read: Mutex::new((Vec::new(), Sha256::new())) };
        let mut checked = check(&files, &recorded);
        diagnostics.append(std::mem::take(&mut checked.diagnostics));
        let plan = checked.plan.filter(|_| !diagnostics.has_errors());
        let (others, mut digest) = recorded.read.into_inner();
        files.ids().for_each(|id| note(&mut digest, files.name(id), files.text(id).as_bytes()));
        let (faults, digest) = (faults(&diagnostics, &files), digest.finalize().into());
        Ok::<_, load::Unreadable>(Read { plan, faults, others, digest })
    });
    match read.await? {
        Ok(read) => Some(read),
        Err(error) => {
            tracing::error!(%error, "the changed files cannot be read; the server goes on with what it had");
            None
        }
    }
}

async fn apply(read: Read, swap: &dyn Swap) -> Outcome {
    let Some((plan, vault)) = read.plan else {
        tracing::error!("the changed files have faults; the server goes on with what it had:\n{}", read.faults);
        return Outcome::Refused;
    };
    if let Err(reason) = swap.accepts(&plan) {
        tracing::error!("the changed files are not served: {reason}");
        return Outcome::Refused;
    }
    let tools = plan.tools.len();
    let generation = match Generation::follow(plan, &vault, &swap.current()).await {
        Ok(generation) => generation,
        Err(error) => {
            tracing::error!(reason = error.public(), "the changed files are not served");
            return Outcome::Refused;
        }
    };
    match swap.swap(generation, &vault) {
        Ok(()) => {
            tracing::info!(tools, "the changed files are served");
            Outcome::Served
        }
        Err(reason) => {
            tracing::error!("the changed files are not served: {reason}");
            Outcome::Refused
        }
    }
}

fn faults(diagnostics: &Diagnostics, files: &FileSet) -> String {
    let mut out = Vec::new();
    // Memory can be written.
    let _ = render(Form::Concise, diagnostics, files, &mut out);
    String::from_utf8_lossy(&out).trim_end().to_owned()
}

/// Does what blocks where it holds nobody up; nothing when the process ends.
fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> impl Future<Output = Option<T>> {
    let task = tokio::task::spawn_blocking(work);
    async { task.await.ok() }
}

/// Remembers which files were asked for, and a digest of what they held.
struct Recorded {
    variables: Arc<dyn Variables + Send + Sync>,
    read: Mutex<(Vec<PathBuf>, Sha256)>,
}

impl Recorded {
    fn note(&self, folder: &Path, path: &str, content: &[u8]) {
        let mut read = self.read.lock();
        let path = folder.join(path);
        note(&mut read.1, &path.display().to_string(), content);
        if !read.0.contains(&path) {
            read.0.push(path);
        }
    }
}

fn note(digest: &mut Sha256, name: &str, content: &[u8]) {
    for part in [name.as_bytes(), content] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
}

impl Variables for Recorded {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.variable(name)
    }

    fn file(&self, folder: &Path, path: &str) -> Result<String, String> {
        let content = self.variables.file(folder, path);
        self.note(folder, path, content.as_deref().unwrap_or_default().as_bytes());
        content
    }

    fn bytes(&self, folder: &Path, path: &str) -> Result<Vec<u8>, String> {
        let content = self.variables.bytes(folder, path);
        self.note(folder, path, content.as_deref().unwrap_or_default());
        content
    }

    fn find(&self, folder: &Path, path: &str) -> Result<(), String> {
        let found = self.variables.find(folder, path);
        self.note(folder, path, if found.is_ok() { b"there" } else { b"" });
        found
    }
}

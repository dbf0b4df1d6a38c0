//! Floor 4. The record of who did what (auth.md §4.11): one entry for each decision about a caller
//! and for each call of a tool, without a secret and, unless the author wants it, without a value.
//!
//! Entries are written by one thread. Nobody waits for it, but for the calls that change something:
//! those begin when it is written that they begin, and not at all when it cannot be.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Instant,
};

use chrono::{SecondsFormat, Utc};
use hmac::Mac;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use crate::{
    plan::AuditArguments,
    secret::{Secret, keyed},
};

/// Entries that may wait for the disk. What comes beyond that is counted, and told by the next one.
const WAITING: usize = 8192;
/// Entries that are written at once.
const AT_ONCE: usize = 256;

/// Where entries are kept, each as one JSON text.
pub trait Ledger: Send + 'static {
    /// Keeps entries; all of them, or the error says that it may be none.
    ///
    /// # Errors
    /// What the place says, in words for an operator.
    fn append(&mut self, entries: &[String]) -> Result<(), String>;
}

/// The record of one server.
#[derive(Debug)]
pub struct Audit {
    waiting: SyncSender<Message>,
    arguments: AuditArguments,
    key: Option<Secret<String>>,
    lost: AtomicU64,
}

#[derive(Debug)]
enum Message {
    Note(String),
    /// An entry that somebody waits for, or only that all before it are written.
    Sure(Option<String>, oneshot::Sender<bool>),
}

/// Who is meant, as far as it is known.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Who {
    /// How the caller identified itself.
    #[serde(rename = "auth")]
    pub kind: &'static str,
    /// What no other caller of this kind has.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The name that logs show.
    #[serde(rename = "caller")]
    pub name: String,
    /// Who it is to those who issued the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Where it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The program that calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The person that the caller names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_user: Option<String>,
    /// Whether the caller is believed when it names that person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_user_verified: Option<bool>,
}

/// A decision about a caller.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// `allowed` or `refused`.
    pub decision: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Where the caller is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What it asked for: a path of this server, or the name of a tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Who it is.
    #[serde(flatten)]
    pub who: Option<Who>,
}

/// A key that was made, replaced or taken back.
#[derive(Clone, Debug, Serialize)]
pub struct KeyChanged<'a> {
    /// `created`, `rotated` or `revoked`.
    pub decision: &'static str,
    /// The id of the key.
    pub key: &'a str,
    /// The caller that it identifies.
    pub caller: &'a str,
    /// Where it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<&'a str>,
}

/// A client or a person that was changed on the command line: by whoever may open the state.
#[derive(Clone, Debug, Serialize)]
pub struct AccountChanged<'a> {
    /// `client` or `user`.
    #[serde(rename = "event")]
    pub what: &'static str,
    /// What was done, such as `created` or `revoked`.
    pub decision: &'static str,
    /// The id of a client, or the name a person signs in with.
    pub id: &'a str,
    /// The name that people are shown, of a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// Where it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<&'a str>,
    /// What it may do from now on at most, where that was said.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub scopes: &'a [String],
}

/// Who changes things on the command line.
const OPERATOR: &str = "operator";

/// A call of a tool.
#[derive(Clone, Debug, Serialize)]
struct Entry<'a> {
    event: &'static str,
    request: u64,
    tool: &'a str,
    writes: bool,
    #[serde(flatten)]
    who: &'a Who,
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    args: &'a Value,
}

/// A call under way. Its entry is written when it is dropped, so also for one that is taken back.
#[derive(Debug)]
pub struct CallRecord<'a> {
    audit: &'a Audit,
    request: u64,
    tool: &'a str,
    writes: bool,
    who: Who,
    args: Value,
    started: Instant,
    outcome: &'static str,
    rows: Option<u64>,
    bytes: Option<u64>,
}

/// What is called.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// The id under which logs tell of the call.
    pub request: u64,
    /// The tool.
    pub tool: &'a str,
    /// Whether it changes something.
    pub writes: bool,
    /// The arguments as they came.
    pub arguments: Option<&'a str>,
}

impl Audit {
    /// Keeps a record in a place. Digests of arguments are made with the key, where there is one:
    /// then nobody without it can find out a short value by trying.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn new(
        ledger: impl Ledger,
        arguments: AuditArguments,
        key: Option<&Secret<String>>,
    ) -> std::io::Result<Arc<Self>> {
        let (waiting, entries) = sync_channel(WAITING);
        thread::Builder::new().name("audit".into()).spawn(move || write(ledger, &entries))?;
        Ok(Arc::new(Self { waiting, arguments, key: key.cloned(), lost: AtomicU64::new(0) }))
    }

    /// Notes a decision about a caller.
    pub fn decided(&self, decision: &Decision) {
        #[derive(Serialize)]
        struct Told<'a> {
            event: &'static str,
            #[serde(flatten)]
            decision: &'a Decision,
        }
        self.note(&Told { event: "auth", decision });
    }

    /// Notes what is offered from now on: how many tools, and a digest of all that models are told of
    /// them. Another digest means that somebody changed what they say (auth.md §4.10).
    pub fn served(&self, tools: &[Value]) {
        #[derive(Serialize)]
        struct Told {
            event: &'static str,
            tools: usize,
            digest: String,
        }
        let told = canonical(&Value::Array(tools.to_vec()));
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(told.as_bytes())));
        self.note(&Told { event: "served", tools: tools.len(), digest });
    }

    /// Notes a change of a key, and waits until that is written.
    ///
    /// # Errors
    /// When it was not.
    pub async fn key_changed(&self, change: &KeyChanged<'_>) -> Result<(), Unwritten> {
        #[derive(Serialize)]
        struct Told<'a> {
            event: &'static str,
            #[serde(flatten)]
            change: &'a KeyChanged<'a>,
            by: &'static str,
        }
        self.sure(&Told { event: "key", change, by: OPERATOR }).await
    }

    /// Notes a change of a client or a person, and waits until that is written.
    ///
    /// # Errors
    /// When it was not.
    pub async fn account_changed(&self, change: &AccountChanged<'_>) -> Result<(), Unwritten> {
        #[derive(Serialize)]
        struct Told<'a> {
            #[serde(flatten)]
            change: &'a AccountChanged<'a>,
            by: &'static str,
        }
        self.sure(&Told { change, by: OPERATOR }).await
    }

    /// Writes an entry that somebody waits for.
    async fn sure(&self, entry: &impl Serialize) -> Result<(), Unwritten> {
        let (done, wait) = oneshot::channel();
        let entry = text(entry, self.lost.swap(0, Ordering::Relaxed));
        self.waiting.try_send(Message::Sure(Some(entry), done)).map_err(|_| Unwritten)?;
        if wait.await == Ok(true) { Ok(()) } else { Err(Unwritten) }
    }

    /// Notes a call that begins now.
    #[must_use]
    pub fn call<'a>(&'a self, called: Called<'a>, who: Who) -> CallRecord<'a> {
        CallRecord {
            audit: self,
            request: called.request,
            tool: called.tool,
            writes: called.writes,
            who,
            args: self.arguments(called.arguments),
            started: Instant::now(),
            outcome: "cancelled",
            rows: None,
            bytes: None,
        }
    }

    /// Waits until everything that was noted is written.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.waiting.try_send(Message::Sure(None, done)).is_ok() {
            // A thread that has ended has written what it could.
            let _ = wait.await;
        }
    }

    /// Arguments as the author wants them kept.
    fn arguments(&self, arguments: Option<&str>) -> Value {
        // Members in one order, so that equal arguments have equal digests.
        let read = serde_json::from_str::<Value>(arguments.unwrap_or("{}"));
        let canonical = read.as_ref().map_or_else(|_| arguments.unwrap_or_default().to_owned(), canonical);
        match (self.arguments, read) {
            (AuditArguments::Plain, Ok(value)) => value,
            (AuditArguments::Plain, Err(_)) => Value::String(canonical),
            (AuditArguments::Digest, _) => self.digest(&canonical).into(),
        }
    }

    fn digest(&self, text: &str) -> String {
        match &self.key {
            Some(key) => {
                let mut mac = keyed(key.expose().as_bytes());
                mac.update(b"audit");
                mac.update(text.as_bytes());
                format!("hmac-sha256:{}", hex::encode(mac.finalize().into_bytes()))
            }
            None => format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes()))),
        }
    }

    fn note(&self, entry: &impl Serialize) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        match self.waiting.try_send(Message::Note(text(entry, lost))) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(lost + 1, Ordering::Relaxed);
                tracing::warn!("an entry of the audit was lost: entries come faster than they can be written");
            }
        }
    }
}

impl CallRecord<'_> {
    /// Writes that the call begins, and waits until it is written.
    ///
    /// # Errors
    /// When it was not: then the call must not run.
    pub async fn ahead(&self) -> Result<(), Unwritten> {
        self.audit.sure(&self.entry("begin")).await
    }

    /// How the call ended.
    pub const fn ended(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }

    /// How much came back: rows of a database, and bytes that the model reads.
    pub const fn returned(&mut self, rows: Option<u64>, bytes: u64) {
        self.rows = rows;
        self.bytes = Some(bytes);
    }

    fn entry(&self, event: &'static str) -> Entry<'_> {
        let ended = event == "call";
        Entry {
            event,
            request: self.request,
            tool: self.tool,
            writes: self.writes,
            who: &self.who,
            decision: "allowed",
            outcome: ended.then_some(self.outcome),
            ms: ended.then(|| (self.started.elapsed().as_secs_f64() * 1e6).round() / 1e3),
            rows: self.rows,
            bytes: self.bytes,
            args: &self.args,
        }
    }
}

impl Drop for CallRecord<'_> {
    fn drop(&mut self) {
        self.audit.note(&self.entry("call"));
    }
}

/// An entry that somebody waited for was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit cannot be written")]
pub struct Unwritten;

/// One entry as it is kept: when, what, and how many before it were lost.
fn text(entry: &impl Serialize, lost: u64) -> String {
    #[derive(Serialize)]
    struct Timed<'a, E> {
        time: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        lost: Option<u64>,
        #[serde(flatten)]
        entry: &'a E,
    }
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    serde_json::to_string(&Timed { time, lost: (lost > 0).then_some(lost), entry }).unwrap_or_default()
}

/// JSON with the members of every object in order.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            let all = sorted.iter().map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)));
            format!("{{{}}}", all.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// Writes what is noted until nobody can note anything any more.
fn write(mut ledger: impl Ledger, waiting: &Receiver<Message>) {
    let mut failing = false;
    while let Ok(first) = waiting.recv() {
        let mut entries = Vec::new();
        let mut sure = Vec::new();
        for message in std::iter::once(first).chain(waiting.try_iter().take(AT_ONCE)) {
            match message {
                Message::Note(entry) => entries.push(entry),
                Message::Sure(entry, done) => {
                    entries.extend(entry);
                    sure.push(done);
                }
            }
        }
        let written = if entries.is_empty() { Ok(()) } else { ledger.append(&entries) };
        if let Err(error) = &written
            && !failing
        {
            let lost = entries.len();
            tracing::error!(error, lost, "the audit cannot be written: tools that change something do not run");
        }
        failing = written.is_err();
        for done in sure {
            // Who does not wait any more has its answer.
            let _ = done.send(!failing);
        }
    }
}

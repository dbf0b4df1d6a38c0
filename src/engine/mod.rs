//! Floor 6. One call, end to end: arguments, source, result. Knows no wire and no HTTP server.

mod answer;
mod cache;
mod call;
mod confirm;
mod cursor;
mod cut;
mod error;
mod gate;
mod generation;
mod instructions;
mod limiter;
mod outcome;
mod peer;
mod places;
mod preview;
mod principal;
mod refusal;
mod render;
mod reply;
mod scope;
mod shape;
mod steps;
mod streamed;

pub use call::Call;
pub use confirm::consent;
pub use error::{CallError, ErrorClass};
pub use gate::{admit as call, seconds};
pub use generation::Generation;
pub use instructions::{LIMIT as INSTRUCTIONS_LIMIT, instructions};
pub use limiter::Limiter;
pub use outcome::{Block, Body, Contents, ContentsBody, Outcome};
pub use peer::{Abilities, Asked, Level, LogEntry, Peer, Progress, Proof, Question, QuestionKind, Silent};
pub use preview::{Preview, preview};
pub use principal::{Admitted, CallerHeaders, Identified, Identity, Principal};

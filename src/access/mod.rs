//! Floor 7. From a request's credential to a principal, or to a refusal.

mod apikey;

pub use apikey::{Authenticator, Presented, Verdict};

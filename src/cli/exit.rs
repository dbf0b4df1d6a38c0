//! Floor 9. Exit codes, by what went wrong.

use std::process::{ExitCode, Termination};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Fine.
    Fine,
    /// The bridges have errors.
    Faulty,
    /// Wrong usage, or a path that cannot be read.
    CouldNotRun,
    /// Serving failed.
    FailedServing,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Fine => 0,
            Self::Faulty => 1,
            Self::CouldNotRun => 2,
            Self::FailedServing => 3,
        })
    }
}

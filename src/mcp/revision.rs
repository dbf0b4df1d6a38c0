//! Floor 7. Protocol revisions and what each allows (protocol.md §1).

use std::fmt;

/// A released protocol revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// The first one.
    V2024_11_05,
    /// Streamable HTTP and batches.
    V2025_03_26,
    /// Structured content.
    V2025_06_18,
    /// Icons, descriptions of servers.
    V2025_11_25,
    /// Stateless: no handshake, each request says everything.
    V2026_07_28,
}

impl Revision {
    /// What a client is offered that asks for a revision nobody knows (protocol.md L-03).
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;
    /// What a client without a version header speaks (protocol.md L-08).
    pub const ASSUMED: Self = Self::V2025_03_26;
    /// The revisions with a handshake.
    pub const LEGACY: [Self; 4] = [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25];

    /// The revision with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::V2026_07_28].into_iter().chain(Self::LEGACY).find(|revision| revision.as_str() == text)
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Whether the revision has no handshake.
    #[must_use]
    pub const fn is_stateless(self) -> bool {
        matches!(self, Self::V2026_07_28)
    }

    /// Whether results may hold sounds (protocol.md T-14).
    #[must_use]
    pub fn has_audio(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Whether results may hold addresses of resources (protocol.md T-14).
    #[must_use]
    pub fn has_resource_links(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether several messages may come as one array (protocol.md S-05, S-06).
    #[must_use]
    pub const fn has_batches(self) -> bool {
        matches!(self, Self::V2025_03_26)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

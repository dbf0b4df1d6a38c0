//! Floor 7. Passwords: kept as `argon2id` has them, and compared where that holds nobody up. An unknown name
//! takes as long as a known one.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use crate::secret::Secret;

/// Each comparison takes a core and 19 MiB.
const AT_ONCE: usize = 2;
/// Shorter passwords can be guessed, and longer ones are not typed.
pub const LENGTHS: std::ops::RangeInclusive<usize> = 12..=256;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);
static NOBODYS: LazyLock<String> = LazyLock::new(|| hash("nobody has this password").unwrap_or_default());

/// What is kept of a password.
///
/// # Errors
/// When the system has no random numbers.
pub fn hash(password: &str) -> Result<String, String> {
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}

/// Whether a password is the one that was kept; `None` is nobody's.
pub(super) async fn holds(password: Secret<String>, kept: Option<String>) -> bool {
    let Ok(turn) = TURNS.acquire().await else { return false };
    let comparing = tokio::task::spawn_blocking(move || {
        let known = kept.is_some();
        let kept = kept.unwrap_or_else(|| NOBODYS.clone());
        let fits = PasswordHash::new(&kept)
            .is_ok_and(|kept| Argon2::default().verify_password(password.expose().as_bytes(), &kept).is_ok());
        fits && known
    });
    let fits = comparing.await.unwrap_or(false);
    drop(turn);
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_recognised_and_nobodys_never() {
        let kept = hash("correct horse battery").unwrap();
        assert!(kept.starts_with("$argon2id$") && !kept.contains("horse"));
        let try_it = |text: &str, kept: Option<&str>| holds(Secret::new(text.to_owned()), kept.map(str::to_owned));
        assert!(try_it("correct horse battery", Some(&kept)).await);
        assert!(!try_it("correct horse batterx", Some(&kept)).await);
        assert!(!try_it("nobody has this password", None).await);
        assert!(!try_it("", Some("not a hash")).await);
    }
}

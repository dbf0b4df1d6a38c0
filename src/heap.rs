//! Floor 0. Futures with a place of their own on the heap, so that those that wait for them stay small.
//! Serves every stage of a call.

use std::pin::Pin;

/// Makes a future in the place where it is run.
///
/// [`Box::pin`] is for what is rare: it has the future made on the stack first and copies it from there, with all
/// the room that it will need when it runs. That of one call is some kilobytes, and as much of the first cache.
#[inline]
pub fn place<F>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::into_pin(Box::write(Box::new_uninit(), make()))
}

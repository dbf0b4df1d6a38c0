//! `cargo +nightly fuzz run header`; what is held stands in `../src/lib.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcp_bridge_fuzz::header(bytes));

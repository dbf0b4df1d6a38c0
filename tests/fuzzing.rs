//! The properties of the fuzz targets, held against the corpus and random changes of it on every
//! run of the tests; `fuzz/README.md` says how a fuzzer is set on them.

#[path = "../fuzz/src/lib.rs"]
mod properties;

use std::{fs, path::Path};

use proptest::{collection::vec, prelude::*, sample::Index, test_runner::Config};

/// Random inputs for each target.
const CASES: u32 = 3000;

/// The hostile messages, and what a well-behaved client sends.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut files: Vec<_> = fs::read_dir(folder).expect("the corpus").flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "json"));
    files.sort();
    assert!(files.len() > 100, "{} messages", files.len());
    files.iter().map(|path| fs::read(path).expect("a message")).collect()
}

/// Lines of headers as the target for the era reads them.
const HEADERS: [&str; 8] = [
    "\n\n\n",
    "2026-07-28\ntools/call\ntake\n",
    " 2026-07-28\t\ntools/call\n=?base64?dGFrZQ==?=\n",
    "2025-11-25\n\n\n",
    "2026-07-28\nping\n\n",
    "2026-07-28\n\n\n",
    "v999\nTOOLS/CALL\n=?base64?dGFrZQ?=\n",
    "2024-11-05\ntools/call\ntake\n",
];

/// Pieces that the readers look for, so that changes come near to what matters.
const PIECES: [&str; 20] = [
    "\"jsonrpc\":\"2.0\",",
    "\"id\":1,",
    "\"id\":\"\\ud800\",",
    "\"method\":\"ping\",",
    "\"method\":\"initialize\",",
    "\"method\":\"tools/call\",",
    "\"params\":{\"_meta\":{}},",
    "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",",
    "\"io.modelcontextprotocol/protocolVersion\":\"2025-11-25\",",
    "\"io.modelcontextprotocol/clientCapabilities\":{},",
    "\"_meta\":",
    "=?base64?",
    "?=",
    "\\u006d",
    "null",
    "[",
    "]",
    "{",
    "}",
    "\n",
];

/// One change: where, how many bytes go, and what comes in their place.
type Change = (Index, u8, Vec<u8>);

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..4),
        any::<Index>().prop_map(|at| PIECES[at.index(PIECES.len())].as_bytes().to_vec()),
    ];
    (any::<Index>(), 0_u8..12, piece)
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for (at, gone, piece) in changes {
        let start = at.index(bytes.len() + 1);
        let end = (start + usize::from(*gone)).min(bytes.len());
        bytes.splice(start..end, piece.iter().copied());
    }
    bytes
}

/// Holds a property for the corpus, for changes of it and for bytes of no kind.
fn fuzz(seeds: &[Vec<u8>], target: fn(&[u8])) {
    for seed in seeds {
        target(seed);
    }
    let input = (any::<Index>(), vec(change(), 1..6));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let tried = runner.run(&input, |(seed, changes)| {
        target(&changed(seeds[seed.index(seeds.len())].clone(), &changes));
        Ok(())
    });
    tried.unwrap_or_else(|fault| panic!("{fault}"));
    let tried = runner.run(&vec(any::<u8>(), 0..64), |bytes| {
        target(&bytes);
        Ok(())
    });
    tried.unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn bodies_are_messages_or_refused() {
    fuzz(&corpus(), properties::body);
}

#[test]
fn revisions_are_those_that_were_claimed() {
    let bodies = corpus();
    let seeds: Vec<Vec<u8>> =
        bodies.iter().flat_map(|body| HEADERS.iter().map(|lines| [lines.as_bytes(), body].concat())).collect();
    fuzz(&seeds, properties::era);
}

#[test]
fn values_of_headers_mean_one_text() {
    let values = ["", "take", " take\t", "=?base64?dGFrZQ==?=", "=?base64??=", "=?base64?=", "=?BASE64?dGFrZQ==?="];
    let seeds: Vec<Vec<u8>> = values.iter().map(|value| value.as_bytes().to_vec()).collect();
    fuzz(&seeds, properties::header);
}

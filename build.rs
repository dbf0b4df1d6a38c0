//! Has the linker lay the code that every call runs side by side, in the order of a recorded load.
//! A call runs some hundred functions out of many thousand; spread over the whole program they cost more
//! time to be fetched than to be run (`benches/README.md`).
#![expect(clippy::disallowed_methods, reason = "cargo tells a build script everything in variables")]

use std::{
    env::{var, var_os},
    path::Path,
    process::{Command, Stdio},
};

/// The functions, by the names that the linker knows them by. Names of another compiler or of other
/// packages are passed over by it, and the program is as good without an order.
const SYMBOLS: &str = "benches/symbols.txt";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={SYMBOLS}");
    let Some(root) = var_os("CARGO_MANIFEST_DIR") else { return };
    let Some(symbols) = Path::new(&root).join(SYMBOLS).to_str().map(str::to_owned) else { return };
    let order = [
        "-Xlinker".to_owned(),
        format!("--symbol-ordering-file={symbols}"),
        "-Xlinker".to_owned(),
        "--no-warn-symbol-ordering".to_owned(),
    ];
    if var("PROFILE").is_ok_and(|profile| profile == "release") && var("HOST") == var("TARGET") && is_taken(&order) {
        for argument in &order {
            println!("cargo:rustc-link-arg-bins={argument}");
        }
    }
}

/// Whether the linker in use takes these arguments, which not every one knows: it is asked to link an
/// empty program.
fn is_taken(arguments: &[String]) -> bool {
    let (Some(compiler), Some(folder)) = (var_os("RUSTC"), var_os("OUT_DIR")) else { return false };
    let source = Path::new(&folder).join("empty.rs");
    if std::fs::write(&source, "fn main() {}\n").is_err() {
        return false;
    }
    let mut command = Command::new(compiler);
    command.arg(&source).arg("--out-dir").arg(&folder);
    if let Some(linker) = var_os("RUSTC_LINKER") {
        command.arg("-C").arg(format!("linker={}", linker.display()));
    }
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    command.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    for argument in arguments {
        command.arg("-C").arg(format!("link-arg={argument}"));
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

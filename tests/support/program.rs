//! The program as a process of its own, spoken to over its standard input and output: its memory is its
//! own, and so is its environment.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use super::{call_message, initialize_message};

/// A server that is served over stdio.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    /// Serves a file of a folder, and says hello.
    pub(crate) fn start(folder: &Path, file: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mcp-bridge"))
            .args(["serve", "--stdio", file])
            .current_dir(folder)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        let (input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let mut program = Self { child, input, output: BufReader::new(output) };
        let _ = program.ask(&initialize_message("2025-06-18"));
        program
    }

    fn ask(&mut self, message: &Value) -> Value {
        writeln!(self.input, "{message}").expect("the program reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the program answers");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no message: {line:?}"))
    }

    /// The result of a tool.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask(&call_message(tool, arguments))["result"].clone()
    }

    /// The tools, in their order.
    pub(crate) fn tools(&mut self) -> Vec<Value> {
        let message = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
        self.ask(&message)["result"]["tools"].as_array().expect("a list").clone()
    }

    /// The most memory it ever had, in KiB.
    pub(crate) fn most(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line about memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Floor 9. `mcp-bridge tools`: the tools as a client sees them.

use std::{fmt::Write as _, sync::Arc};

use clap::Args;
use serde_json::Value;

use super::{Exit, Paths, report};
use crate::{engine::Generation, mcp};

/// `mcp-bridge tools`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Options {
    #[command(flatten)]
    paths: Paths,
    /// Only those of one bridge, as at /mcp/NAME
    #[arg(long, value_name = "NAME")]
    bridge: Option<String>,
    /// The answer to `tools/list`, as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  mcp-bridge tools
  mcp-bridge tools bridges/shop.yaml --json
  mcp-bridge tools --bridge bookstore";

pub(super) fn run(options: &Options) -> Exit {
    let (plan, vault) = match report::plan(&options.paths.paths) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Exit::CouldNotRun;
    };
    let generation = match runtime.block_on(Generation::build(plan, &vault)) {
        Ok(generation) => generation,
        Err(error) => {
            report::tell(&format!("error: {}", error.public()));
            return Exit::CouldNotRun;
        }
    };
    let server = mcp::Server::new(Arc::new(generation), None);
    let Some(listed) = server.tools(options.bridge.as_deref()) else {
        report::tell("error: there is no bridge of this name");
        return Exit::CouldNotRun;
    };
    let value: Value = serde_json::from_slice(&listed).unwrap_or_default();
    if options.json {
        report::show(&serde_json::to_string_pretty(&value).unwrap_or_default());
    } else {
        report::show(&in_words(&value));
    }
    Exit::Fine
}

/// Names, descriptions, arguments and hints, for a person.
fn in_words(list: &Value) -> String {
    let mut text = String::new();
    for tool in list.get("tools").and_then(Value::as_array).into_iter().flatten() {
        let word = |name: &str| tool.get(name).and_then(Value::as_str).unwrap_or("");
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{}{}", word("name"), marks(tool));
        for line in word("description").trim().lines() {
            let _ = writeln!(text, "    {line}");
        }
        let properties = tool.pointer("/inputSchema/properties").and_then(Value::as_object);
        let required = tool.pointer("/inputSchema/required").and_then(Value::as_array);
        for (name, schema) in properties.into_iter().flatten() {
            let needed = required.is_some_and(|all| all.iter().any(|it| it == name));
            let _ = writeln!(text, "  - {name}{}: {}", if needed { "" } else { "?" }, argument(schema));
        }
        text.push('\n');
    }
    text
}

fn marks(tool: &Value) -> &'static str {
    let hint = |name: &str| tool.pointer(&format!("/annotations/{name}")).and_then(Value::as_bool).unwrap_or(false);
    match (hint("readOnlyHint"), hint("destructiveHint")) {
        (true, _) => "",
        (false, true) => "  [writes, may destroy]",
        (false, false) => "  [writes]",
    }
}

fn argument(schema: &Value) -> String {
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".into(),
    };
    let options = schema.get("enum").and_then(Value::as_array).map(|options| {
        let options: Vec<_> =
            options.iter().map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned)).collect();
        format!(" ({})", options.join(" | "))
    });
    let default = schema.get("default").map(|default| format!(", default {default}"));
    let words = schema.get("description").and_then(Value::as_str).map(|words| format!(" - {words}"));
    [Some(kind), options, default, words].into_iter().flatten().collect()
}

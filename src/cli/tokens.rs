//! Floor 9. `check --tokens`: what tools and instructions cost with every question, before a model has
//! done anything.

use std::{fmt::Write as _, sync::Arc};

use serde_json::Value;

use crate::{
    catalog::Catalog,
    check::apply_catalog,
    engine::{Generation, instructions},
    mcp,
    plan::Plan,
    secret::Vault,
    upstream::Upstreams,
};

/// Bytes of text that make about one token. Models differ; this is for comparing.
const BYTES: usize = 4;

/// Tokens of so many bytes.
pub(super) const fn about(bytes: usize) -> usize {
    bytes.div_ceil(BYTES)
}

/// The cost of every bridge, tool by tool. No source is asked: what a database would say about columns is in it
/// when there is a catalog.
///
/// # Errors
/// Why the tools cannot be listed.
pub(super) fn bill(mut plan: Plan, vault: &Vault, catalog: Option<&Catalog>) -> Result<String, String> {
    if let Some(catalog) = catalog {
        apply_catalog(&mut plan, catalog);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let _inside = runtime.enter();
    let upstreams = Upstreams::connect(&plan, vault).map_err(|error| error.public().to_owned())?;
    let generation = Arc::new(Generation::over(Arc::new(plan), upstreams));
    let server = mcp::Server::new(Arc::clone(&generation), None);
    let plan = generation.plan();
    let mut text = String::new();
    for (id, bridge) in plan.bridges().filter(|(id, _)| plan.tools_of(*id).next().is_some()) {
        let listed: Value = match server.tools(Some(&bridge.name)) {
            Some(listed) => serde_json::from_slice(&listed).unwrap_or_default(),
            None => continue,
        };
        let words = instructions(plan, &[id], &|_| true);
        // Writing to a String cannot fail.
        let _ = write!(text, "{}", of_bridge(&bridge.name, &listed, &words));
    }
    Ok(text)
}

fn of_bridge(name: &str, listed: &Value, instructions: &str) -> String {
    let tools = listed.get("tools").and_then(Value::as_array).into_iter().flatten();
    let mut lines: Vec<(usize, &str)> = tools
        .map(|tool| (tool.to_string().len().div_ceil(BYTES), tool.get("name").and_then(Value::as_str).unwrap_or("")))
        .collect();
    lines.sort_by_key(|(tokens, _)| std::cmp::Reverse(*tokens));
    if !instructions.is_empty() {
        lines.push((instructions.len().div_ceil(BYTES), "(instructions)"));
    }
    let sum = lines.iter().map(|(tokens, _)| tokens).sum();
    lines.push((sum, "in all"));
    let rows: String = lines.iter().fold(String::new(), |mut text, (tokens, name)| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{tokens:>8}  {name}");
        text
    });
    format!("{name}: tokens, about, at {BYTES} bytes each\n{rows}")
}

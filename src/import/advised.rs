//! Floor 7. What `check` advises on an imported file: bounds are added and descriptions completed; what only a person
//! can follow is silenced by `allow`, and told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Drafted;
use crate::diag::{Code, Diagnostic};

/// Items of a list that the API does not bound.
const MAX_ITEMS: u32 = 100;

/// Advice that the file silences: the code, and the tools that it is about, or nothing for the whole file.
pub type Silenced = BTreeMap<Code, BTreeSet<String>>;

/// Follows advice where that can be done. Whether anything was changed.
pub(super) fn follow(
    advice: &[&Diagnostic],
    starts: &BTreeMap<usize, String>,
    tools: &mut [Drafted],
    silenced: &mut Silenced,
) -> bool {
    let mut changed = false;
    for advice in advice {
        let at = advice.primary.as_ref().map(|label| label.span.range().start);
        let name = at.and_then(|at| starts.range(..=at).next_back()).map(|(_, name)| name.as_str());
        let tool = name.and_then(|name| tools.iter_mut().find(|tool| tool.name == name));
        changed |= match tool {
            Some(tool) => {
                mend(advice.code, tool)
                    || (silenced.entry(advice.code).or_default().insert(tool.name.clone()) && allow(tool, advice.code))
            }
            None => silenced.insert(advice.code, BTreeSet::new()).is_none_or(|tools| !tools.is_empty()),
        };
    }
    changed
}

/// The codes that the whole file silences.
pub(super) fn of_file(silenced: &Silenced) -> Vec<&'static str> {
    silenced.iter().filter(|(_, tools)| tools.is_empty()).map(|(code, _)| code.as_str()).collect()
}

/// Makes a tool better. `false` when there is nothing more that could be done.
fn mend(code: Code, tool: &mut Drafted) -> bool {
    match code {
        Code::Unbounded => {
            let Some(output) = tool.tool.get_mut("output").and_then(Value::as_object_mut) else { return false };
            output.insert("max_items".into(), MAX_ITEMS.into()).is_none()
        }
        Code::VagueDescription | Code::AlikeTools if tool.tool.contains_key("rest") => {
            say_request(&tool.key, &mut tool.tool)
        }
        _ => false,
    }
}

/// Adds to the description which request is sent: in an API with few words, paths say most.
fn say_request(key: &str, tool: &mut Map<String, Value>) -> bool {
    let Some(Value::String(text)) = tool.get_mut("description") else { return false };
    let sentence = format!("Sends {key}.");
    if text.ends_with(&sentence) {
        return false;
    }
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    *text = format!("{text}{end} {sentence}");
    true
}

fn allow(tool: &mut Drafted, code: Code) -> bool {
    match tool.tool.entry("allow").or_insert_with(|| json!([])) {
        Value::Array(codes) => {
            codes.push(code.as_str().into());
            true
        }
        _ => false,
    }
}

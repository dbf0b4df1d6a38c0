//! Floor 7. Questions of the stateless revision: a call ends by saying what it needs, and the
//! client calls again with the answers (protocol.md M-02 to M-07).
//!
//! What was answered so far travels with the client, marked and bound to the caller, the method,
//! its arguments and a time. A restart or a second replica goes on. What is remembered is bounded:
//! which states have brought a person's agreement, so that none brings it twice.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use parking_lot::Mutex;
use serde_json::{Map, Value, json, value::RawValue};
use sha2::{Digest, Sha256};

use super::{
    Refusal, printing,
    recent::Recent,
    seal::{MARK, Seal},
    session::owner,
    wire::{self, Request},
};
use crate::engine::{Principal, Proof, Question};

/// How long a person may think about a question.
const LIFE: Duration = Duration::from_hours(1);
/// The layout of a state; another one is another number.
const LAYOUT: u8 = 2;
/// What stands before the answers: layout, expiry, and what tells it from every other state.
const FACTS: usize = 1 + 8 + NONCE;
const NONCE: usize = 8;

/// What marks states, and which of them are spent.
#[derive(Clone, Debug)]
pub(super) struct States {
    seal: Seal,
    spent: Arc<Recent<[u8; MARK], ()>>,
}

impl States {
    /// States with the marks of this seal.
    pub(super) fn new(seal: Seal) -> Self {
        Self { seal, spent: Arc::default() }
    }
}

/// What a state says.
#[derive(Debug, Default, PartialEq)]
struct Known {
    /// The answers by the keys of their questions.
    answers: Map<String, Value>,
    /// Digests of the questions that were asked, of those whose answers need that.
    asked: Map<String, Value>,
    /// Tells the state from every other one.
    mark: Option<[u8; MARK]>,
}

/// The questions of one request and what is known of their answers.
#[derive(Debug)]
pub(super) struct Rounds {
    states: Option<States>,
    /// What the state is bound to.
    binding: [u8; 32],
    /// The answers that came, in this request or in its state.
    given: Known,
    /// Those among them that were asked for.
    used: Mutex<Known>,
}

impl Rounds {
    /// Takes up what a request says about earlier rounds.
    ///
    /// # Errors
    /// When its state is not as it was handed out, or was handed out for another request
    /// (protocol.md M-04, M-05).
    pub(super) fn resume(
        states: Option<&States>,
        principal: &Principal,
        request: &Request<'_>,
    ) -> Result<Self, Refusal> {
        let binding = binding(principal, request);
        // Clients that print every member they know say `null` for what they do not have.
        let state = request.params.request_state.filter(|state| state.get() != "null");
        let mut given = match state.map(wire::text) {
            None => Known::default(),
            Some(state) => {
                let known = states.zip(state).and_then(|(states, state)| unsealed(&states.seal, &binding, &state));
                known.ok_or_else(Refusal::state)?
            }
        };
        let responses = request.params.input_responses.map(RawValue::get);
        // What is no mapping answers nothing, and is asked for again (protocol.md M-06).
        if let Some(Value::Object(responses)) = responses.and_then(|text| serde_json::from_str(text).ok()) {
            given.answers.extend(responses);
        }
        Ok(Self { states: states.cloned(), binding, given, used: Mutex::default() })
    }

    /// The answer to a question, if it came.
    pub(super) fn answer(&self, question: &Question) -> Option<Value> {
        let answer = self.given.answers.get(&question.key)?;
        let proven = match question.proof {
            Proof::NotNeeded => None,
            Proof::Needed => Some(self.spend(question)?),
        };
        let mut used = self.used.lock();
        used.answers.insert(question.key.clone(), answer.clone());
        used.asked.extend(proven.map(|digest| (question.key.clone(), digest)));
        drop(used);
        Some(answer.clone())
    }

    /// Takes the state for an answer that it may bring once. `None` when this question was not
    /// asked in these words, and when the state brought an answer before.
    fn spend(&self, question: &Question) -> Option<Value> {
        let asked = self.given.asked.get(&question.key).filter(|asked| **asked == digest(question))?;
        let spent = &self.states.as_ref()?.spent;
        spent.put(self.given.mark?, ()).is_none().then(|| asked.clone())
    }

    /// The result that asks for the answers that are missing.
    pub(super) fn input_required(&self, id: &str, questions: &[Question], identity: &[u8]) -> Vec<u8> {
        let (mut answers, mut asked) = {
            let used = self.used.lock();
            (used.answers.clone(), used.asked.clone())
        };
        let mut requests = Map::new();
        for question in questions {
            // An answer that did not fit is no answer.
            answers.remove(&question.key);
            if question.proof == Proof::Needed {
                asked.insert(question.key.clone(), digest(question));
            }
            requests.insert(question.key.clone(), printed(question));
        }
        let mut result = json!({ "resultType": "input_required", "inputRequests": requests });
        if let (Some(states), Some(result)) = (&self.states, result.as_object_mut()) {
            let known = Known { answers, asked, mark: None };
            let until = now().saturating_add(LIFE.as_secs());
            result.insert("requestState".into(), sealed(&states.seal, &self.binding, known, until).into());
        }
        let result = result.as_object().cloned().unwrap_or_default();
        printing::result(id, result, Some(identity))
    }
}

fn printed(question: &Question) -> Value {
    let mut request = json!({ "method": question.kind.method() });
    let has_params = question.params.as_object().is_some_and(|params| !params.is_empty());
    if let Some(request) = request.as_object_mut().filter(|_| has_params) {
        request.insert("params".into(), question.params.clone());
    }
    request
}

/// What a person is asked, in short.
fn digest(question: &Question) -> Value {
    BASE64.encode(Sha256::digest(canonical(&question.params))).into()
}

/// A digest of who asks for what.
fn binding(principal: &Principal, request: &Request<'_>) -> [u8; 32] {
    // Whichever of the two the method goes by: the other one means nothing, and must not stand in for it.
    let [name, uri] = [request.params.name, request.params.uri].map(|it| it.and_then(wire::text).unwrap_or_default());
    let arguments = request.params.arguments.map_or("{}", RawValue::get);
    let arguments = serde_json::from_str(arguments).map_or_else(|_| arguments.to_owned(), |it| canonical(&it));
    let [kind, subject, workspace] = owner(principal);
    let mut digest = Sha256::new();
    let asked = [&*request.method, &*name, &*uri, &*arguments].map(str::as_bytes);
    for part in [kind, subject, workspace].into_iter().chain(asked) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// A value in one form, in whatever order its members came.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> =
                members.iter().map(|(name, it)| format!("{}:{}", json!(name), canonical(it))).collect();
            sorted.sort_unstable();
            format!("{{{}}}", sorted.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// A state that is good until a time, in seconds since 1970.
fn sealed(seal: &Seal, binding: &[u8; 32], known: Known, until: u64) -> String {
    let mut state = vec![LAYOUT];
    state.extend_from_slice(&until.to_be_bytes());
    let mut nonce = [0; NONCE];
    // Without randomness two states of the same second are the same one, and are good once together.
    let _ = getrandom::fill(&mut nonce);
    state.extend_from_slice(&nonce);
    // Every value can be printed, and writing to a Vec cannot fail.
    let _ = serde_json::to_writer(&mut state, &(known.answers, known.asked));
    let mark = seal.mark(&[&state, binding]);
    state.extend_from_slice(&mark);
    BASE64.encode(state)
}

fn unsealed(seal: &Seal, binding: &[u8; 32], state: &str) -> Option<Known> {
    let bytes = BASE64.decode(state).ok()?;
    let (state, mark) = bytes.split_at_checked(bytes.len().checked_sub(MARK)?)?;
    let (facts, answers) = state.split_at_checked(FACTS)?;
    let [LAYOUT, facts @ ..] = facts else { return None };
    let open = u64::from_be_bytes(*facts.first_chunk()?) >= now();
    if !open || !seal.holds(&[state, binding], mark) {
        return None;
    }
    let (answers, asked) = serde_json::from_slice(answers).ok()?;
    Some(Known { answers, asked, mark: mark.try_into().ok() })
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_good_for_its_request_and_its_seal() {
        let seal = Seal::new(b"secret", "state");
        let map = |value: Value| value.as_object().unwrap().clone();
        let answers = map(json!({ "who": { "action": "accept" } }));
        let asked = map(json!({ "sure": "a digest" }));
        let of = || Known { answers: answers.clone(), asked: asked.clone(), mark: None };
        let soon = now() + 60;
        let state = sealed(&seal, &[1; 32], of(), soon);
        let known = unsealed(&seal, &[1; 32], &state).unwrap();
        assert!(known.mark.is_some());
        assert_eq!(Known { mark: None, ..known }, of());
        assert_ne!(sealed(&seal, &[1; 32], of(), soon), state, "no two states are the same");
        for (seal, binding, state) in [
            (&Seal::new(b"other", "state"), [1; 32], state.clone()),
            (&Seal::new(b"secret", "session"), [1; 32], state.clone()),
            (&seal, [2; 32], state.clone()),
            (&seal, [1; 32], format!("{state}-TAMPERED")),
            (&seal, [1; 32], format!("B{}", &state[1..])),
            (&seal, [1; 32], state[..8].to_owned()),
            (&seal, [1; 32], String::new()),
            (&seal, [1; 32], sealed(&seal, &[1; 32], of(), now() - 1)),
        ] {
            assert_eq!(unsealed(seal, &binding, &state), None, "{state}");
        }
    }

    #[test]
    fn the_order_of_members_does_not_matter() {
        let [one, other] = [r#"{"a":1,"b":{"c":[1,2],"d":null}}"#, r#"{"b":{"d":null,"c":[1,2]},"a":1}"#];
        let of = |text: &str| canonical(&serde_json::from_str(text).unwrap());
        assert_eq!(of(one), of(other));
        assert_ne!(of(one), of(r#"{"a":1,"b":{"c":[2,1],"d":null}}"#));
    }
}

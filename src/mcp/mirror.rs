//! Floor 7. Headers that repeat arguments, so that what stands between client and server need not
//! read bodies: they must say the same (protocol.md H-12, H-13).

use serde_json::{Map, Number, Value};

use super::{Refusal, headers::decoded};
use crate::{engine::CallerHeaders, plan::Mirror};

/// Holds the headers of a request against its arguments.
pub(super) fn check(mirrors: &[Mirror], headers: &dyn CallerHeaders, arguments: Option<&str>) -> Result<(), Refusal> {
    if mirrors.is_empty() {
        return Ok(());
    }
    // What is no object is refused with all other faults of the arguments.
    let arguments: Map<String, Value> = arguments.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    for Mirror { path, header } in mirrors {
        let name = format!("mcp-param-{header}");
        let sent = headers.get(&name).map(|value| text(value).ok_or(()));
        let value = at(&arguments, path).filter(|value| !value.is_null());
        match (value, sent) {
            (_, Some(Err(()))) => return Err(Refusal::header(format!("{name} is not visible ASCII or valid base64"))),
            (None, _) => {}
            (Some(_), None) => return Err(Refusal::header(format!("{name} is missing, or came more than once"))),
            (Some(value), Some(Ok(sent))) if agrees(value, &sent) => {}
            (Some(_), Some(Ok(_))) => {
                return Err(Refusal::header(format!("{name} differs from the argument {}", path.join("."))));
            }
        }
    }
    Ok(())
}

fn at<'a>(arguments: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, inner) = path.split_first()?;
    inner.iter().try_fold(arguments.get(first)?, |value, name| value.get(name))
}

fn text(value: &[u8]) -> Option<String> {
    let visible = |byte: &u8| (b' '..=b'~').contains(byte) || *byte == b'\t';
    let value = std::str::from_utf8(value).ok().filter(|value| value.as_bytes().iter().all(visible))?;
    decoded(value).map(std::borrow::Cow::into_owned)
}

fn agrees(value: &Value, sent: &str) -> bool {
    match value {
        Value::String(text) => text == sent,
        Value::Bool(flag) => sent == if *flag { "true" } else { "false" },
        // `42.0` is the same number as `42`.
        Value::Number(number) => number.to_string() == sent || same_number(number, sent),
        // The schema refuses it, in words of its own.
        Value::Null | Value::Array(_) | Value::Object(_) => true,
    }
}

/// `42.0` is `42`. What a float cannot tell apart is compared as it is written.
fn same_number(number: &Number, sent: &str) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole =
        sent.split_once('.').map_or(sent, |(whole, rest)| if rest.trim_matches('0').is_empty() { whole } else { sent });
    if number.to_string() == whole {
        return true;
    }
    let (number, sent) = (number.as_f64(), sent.parse::<f64>().ok());
    // Whatever its sign, zero is zero.
    let same = |one: f64, other: f64| (one + 0.0).total_cmp(&(other + 0.0)).is_eq();
    number.zip(sent).is_some_and(|(number, sent)| number.abs() < EXACT && same(number, sent))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Sent(Option<&'static str>);

    impl CallerHeaders for Sent {
        fn get(&self, name: &str) -> Option<&[u8]> {
            self.0.filter(|_| name == "mcp-param-region").map(str::as_bytes)
        }
    }

    #[test]
    fn a_header_says_what_its_argument_says() {
        let mirrors = [Mirror { path: vec!["region".into()], header: "region".into() }];
        for (value, sent, fine) in [
            (json!("eu"), Some("eu"), true),
            (json!("eu"), Some(" eu\t"), true),
            (json!("eu"), Some("EU"), false),
            (json!("eu"), Some("us"), false),
            (json!("eu"), None, false),
            (json!("über"), Some("=?base64?w7xiZXI=?="), true),
            (json!("=?base64?w7xiZXI="), Some("=?base64?w7xiZXI="), true),
            (json!("über"), Some("=?base64?w7xiZXI?="), false),
            (json!("über"), Some("=?base64?!!!!?="), false),
            (json!("über"), Some("über"), false),
            (json!(42), Some("42"), true),
            (json!(42), Some("42.0"), true),
            (json!(42), Some("43"), false),
            (json!(0), Some("-0"), true),
            (json!(-0.0), Some("0"), true),
            (json!(0), Some("x"), false),
            (json!(true), Some("true"), true),
            (json!(true), Some("1"), false),
            (json!(null), None, true),
            (json!(null), Some("eu"), true),
            (json!(null), Some("=?base64?!!!!?="), false),
        ] {
            let arguments = json!({ "region": value }).to_string();
            assert_eq!(check(&mirrors, &Sent(sent), Some(&arguments)).is_ok(), fine, "{arguments} {sent:?}");
        }
        assert!(check(&mirrors, &Sent(None), None).is_ok());
    }
}

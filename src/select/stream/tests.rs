//! Floor 2. One pass and the tree agree on every document.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn path(source: &str) -> Path {
    Path::compile(source).unwrap()
}

/// A path of a few steps that one pass can follow.
fn any_path() -> impl Strategy<Value = Path> {
    let step = prop_oneof![
        6 => "[abc]".prop_map(|name| format!(".{name}")),
        2 => (0..3).prop_map(|index| format!("[{index}]")),
        2 => Just("[*]".to_owned()),
        1 => Just("['b','a']".to_owned()),
    ];
    prop::collection::vec(step, 0..4).prop_map(|steps| path(&format!("${}", steps.concat())))
}

fn any_field() -> impl Strategy<Value = Field> {
    let convert =
        prop_oneof![3 => Just(None), 1 => (0..Convert::ALL.len()).prop_map(|kind| Some(Convert::ALL[kind].1))];
    let default = prop_oneof![2 => Just(None), 1 => Just(Some(json!("\u{2028}none"))), 1 => Just(Some(json!([1, {}])))];
    ("[a-z\"]{0,3}", any_path(), convert, default).prop_map(|(name, path, convert, default)| Field {
        name,
        path,
        convert,
        default,
    })
}

/// The text of a document: white space anywhere, names that stand twice, escapes of every kind.
fn any_document() -> impl Strategy<Value = String> {
    let blank = || prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t")];
    let leaf = prop_oneof![
        prop_oneof![Just("null"), Just("true"), Just("false"), Just("[]"), Just("{}"), Just("{ }"), Just("[ ]")]
            .prop_map(str::to_owned),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        (-400..400_i32).prop_map(|number| (f64::from(number) / 8.0).to_string()),
        any_text(),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        let item = || (blank(), inner.clone(), blank()).prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        let name = prop_oneof![12 => "[a-e]".prop_map(|name| format!("\"{name}\"")), 1 => Just("\"\\u0061\"".to_owned()), 1 => any_text()];
        let member = (blank(), name, blank(), item()).prop_map(|(one, name, two, value)| format!("{one}{name}{two}:{value}"));
        prop_oneof![
            prop::collection::vec(item(), 1..6).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(member, 1..6).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    })
}

fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => "[a-zA-Z0-9 <>&ü\u{2028}😀\u{7f}-]{0,9}",
        1 => Just("\\n".to_owned()),
        1 => Just("\\\"".to_owned()),
        1 => Just("\\\\".to_owned()),
        1 => Just("\\/".to_owned()),
        1 => Just("\\u00fc".to_owned()),
        1 => Just("\\u0001".to_owned()),
        1 => Just("\\ud83d\\ude00".to_owned()),
    ];
    prop::collection::vec(part, 0..4).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

/// What the tree makes of a document.
fn by_tree(select: Option<&Path>, fields: Option<&Projection>, document: &str) -> Option<Value> {
    let document: Value = serde_json::from_str(document).ok()?;
    let value = select.map_or(Some(document.clone()), |path| path.value(&document)).unwrap_or_default();
    Some(match (fields, value) {
        (None, value) => value,
        (Some(fields), Value::Array(items)) => items.iter().map(|item| fields.apply(item)).collect(),
        (Some(fields), one) => fields.apply(&one),
    })
}

fn whole(streamed: &Streamed) -> String {
    let text = std::str::from_utf8(&streamed.json).unwrap();
    if streamed.ends.is_some() { format!("[{text}]") } else { text.to_owned() }
}

/// A change that most often makes text no JSON any more, or other JSON.
fn torn(document: &str, at: usize, with: &str) -> String {
    let mut places = document.char_indices().map(|(place, _)| place).collect::<Vec<_>>();
    places.push(document.len());
    let place = places[at % places.len()];
    let (before, after) = document.split_at(place);
    match with {
        "cut" => before.to_owned(),
        "without" => format!("{before}{}", after.chars().skip(1).collect::<String>()),
        put => format!("{before}{put}{after}"),
    }
}

fn any_tear() -> impl Strategy<Value = String> {
    let put = prop::sample::select(vec!["cut", "without", "\u{1}", "\\ud800", "1e999", "\u{a0}", "-", "0"]);
    prop_oneof![put.prop_map(str::to_owned), "[\\[\\]{},:\"\\\\0-9.eE+-]{1,2}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_pass_and_the_tree_print_the_same(
        document in any_document(),
        select in prop::option::of(any_path()),
        fields in prop::option::of(prop::collection::vec(any_field(), 1..5)),
    ) {
        let numbered = |(index, field): (usize, Field)| Field { name: format!("{}{index}", field.name), ..field };
        let fields = fields.map(|fields| Projection { fields: fields.into_iter().enumerate().map(numbered).collect() });
        let Some(stream) = Stream::of(select.as_ref(), fields.as_ref()) else { return Ok(()) };
        if let Some(streamed) = stream.run(document.as_bytes(), usize::MAX) {
            let tree = by_tree(select.as_ref(), fields.as_ref(), &document).map(|value| value.to_string());
            prop_assert_eq!(Some(whole(&streamed)), tree);
            if let Some(ends) = &streamed.ends {
                prop_assert_eq!(ends.len(), streamed.total);
            }
            // Of a list as many are kept as are wanted, and all are counted.
            let two = stream.run(document.as_bytes(), 2).unwrap();
            prop_assert_eq!(two.total, streamed.total);
            if let (Some(ends), Some(all)) = (two.ends, streamed.ends) {
                prop_assert_eq!(ends.len(), all.len().min(2));
                prop_assert_eq!(&two.json[..], &streamed.json[..ends.last().copied().unwrap_or(0)]);
            }
        }
    }

    #[test]
    fn one_pass_takes_no_text_that_the_tree_does_not_take(
        document in any_document(),
        at: usize,
        with in any_tear(),
        select in prop::option::of(any_path()),
    ) {
        let document = torn(&document, at, &with);
        let Some(stream) = Stream::of(select.as_ref(), None) else { return Ok(()) };
        if let Some(streamed) = stream.run(document.as_bytes(), usize::MAX) {
            let tree = by_tree(select.as_ref(), None, &document);
            prop_assert_eq!(serde_json::from_str(&whole(&streamed)).ok(), tree, "{}", document);
        }
    }

    #[test]
    fn most_documents_need_no_tree(document in any_document()) {
        // What is left to the tree is a name that stands twice, and nothing else that is JSON.
        let stream = Stream::of(Some(&path("$.a")), Some(&Projection { fields: Vec::new() })).unwrap();
        let twice = document.matches("\"a\"").count() + document.matches("\\u0061").count() > 1;
        prop_assert!(twice || stream.run(document.as_bytes(), 1).is_some(), "{}", document);
    }
}

fn projection(fields: &[(&str, Option<Convert>)]) -> Projection {
    let field = |(index, (source, convert)): (usize, &(&str, Option<Convert>))| Field {
        name: format!("f{index}"),
        path: path(source),
        convert: *convert,
        default: None,
    };
    Projection { fields: fields.iter().enumerate().map(field).collect() }
}

#[test]
fn numbers_keep_every_digit() {
    let fields = projection(&[
        ("$.id", None),
        ("$.price", None),
        ("$.more[*]", None),
        ("$.id", Some(Convert::String)),
        ("$.id", Some(Convert::Number)),
        ("$.low", None),
    ]);
    let stream = Stream::of(Some(&path("$.data[*]")), Some(&fields)).unwrap();
    let document = r#"{"data":[{"id":12345678901234567890123,"price":1.10,"more":[1e2,0.1000000000000000055,-0],"low":[{"a":1.0E-2}]}]}"#;
    assert_eq!(
        whole(&stream.run(document.as_bytes(), 9).unwrap()),
        r#"[{"f0":12345678901234567890123,"f1":1.10,"f2":[1e2,0.1000000000000000055,-0],"f3":"12345678901234567890123","f4":12345678901234567890123,"f5":[{"a":1.0E-2}]}]"#
    );
}

#[test]
fn what_one_pass_does_is_told_by_the_path() {
    for (select, field, can) in [
        ("$", "$.a", true),
        ("$.a.b", "$.a[0].b", true),
        ("$.a[*].b[*]", "$", true),
        ("$['a','b']", "$.a[*].b", true),
        ("$..a", "$.a", false),
        ("$.a[-1]", "$.a", false),
        ("$.a[?@.b]", "$.a", false),
        ("$.a[0:2]", "$.a", false),
        ("$.a['b',0]", "$.a", false),
        ("$.a", "$.a[-1]", false),
        ("$.a", "$['a','b']", false),
        ("$.a", "$..b", false),
    ] {
        assert_eq!(
            Stream::of(Some(&path(select)), Some(&projection(&[(field, None)]))).is_some(),
            can,
            "{select} {field}"
        );
    }
    // One value would be looked into in two ways at once.
    assert_eq!(Stream::of(None, Some(&projection(&[("$.a[*]", None), ("$.a[0]", None)]))), None);
}

#[test]
fn the_tree_is_left_what_only_it_can_tell() {
    let stream = Stream::of(Some(&path("$.a[*]")), None).unwrap();
    let deep = |levels: usize| format!("{{\"b\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
    for (document, can) in [
        (r#"{"a":[1]}"#.to_owned(), true),
        (r#"{"a":[{"b":1,"c":2}]}"#.to_owned(), true),
        (r#"{"a":[1],"\u0061":[2]}"#.to_owned(), false),
        (r#"{"a":[{"b":1,"b":2}]}"#.to_owned(), false),
        (r#"{"a":[{"b":1,"\u0062":2}]}"#.to_owned(), false),
        (r#"{"b":1,"b":2}"#.to_owned(), true),
        (r#"{"a":["\ud800"]}"#.to_owned(), false),
        (r#"{"b":"\ud800 \ude00"}"#.to_owned(), false),
        (r#"{"b":1e999}"#.to_owned(), false),
        (format!("{{\"b\":{}}}", "9".repeat(400)), false),
        (deep(100), true),
        (deep(126), false),
        (String::new(), false),
        ("{} x".to_owned(), false),
        ("{\"a\":[1],}".to_owned(), false),
        ("\u{feff}{}".to_owned(), false),
    ] {
        assert_eq!(stream.run(document.as_bytes(), 9).is_some(), can, "{document}");
    }
    assert_eq!(stream.run(b"{\"a\":[\"\xFF\"]}", 9), None);
    let many: Vec<String> = (0..40).map(|number| format!("\"{}\":0", number % 39)).collect();
    assert_eq!(stream.run(format!("{{\"a\":[{{{}}}]}}", many.join(",")).as_bytes(), 9), None);
}

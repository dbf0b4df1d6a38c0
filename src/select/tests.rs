//! Floor 2. What paths find, in which order, and which texts are no paths.

use serde_json::{Value, json};

use super::*;

fn path(source: &str) -> Path {
    Path::compile(source).unwrap_or_else(|fault| panic!("{source}: {fault}"))
}

#[test]
fn paths_find_values_in_the_order_of_the_standard() {
    let data = json!({
        "a": [{"x": 1, "y": 2}, {"x": 3, "y": 4}], "b": {"k": [10, 11, 12, 13]}, "n": null,
        "s p": 5, "d-e": 6, "ü": 7, "q'": 8, "limit": 2, "deep": {"a": {"x": 9}}
    });
    for (source, expected) in [
        ("$", json!([data])),
        ("$.a[0].x", json!([1])),
        ("$.a[-1].y", json!([4])),
        ("$.a[2]", json!([])),
        ("$.a[-3]", json!([])),
        ("$.n", json!([null])),
        ("$.n.x", json!([])),
        ("$.a[*].x", json!([1, 3])),
        ("$.a[*]['x','y']", json!([1, 2, 3, 4])),
        ("$.a[*]['y','x']", json!([2, 1, 4, 3])),
        ("$.a[0,0].x", json!([1, 1])),
        ("$['s p']", json!([5])),
        ("$[\"d-e\"]", json!([6])),
        ("$.ü", json!([7])),
        ("$['\\u00fc']", json!([7])),
        ("$['q\\'']", json!([8])),
        ("$.b.k[1:3]", json!([11, 12])),
        ("$.b.k[:]", json!([10, 11, 12, 13])),
        ("$.b.k[-2:]", json!([12, 13])),
        ("$.b.k[::2]", json!([10, 12])),
        ("$.b.k[::-1]", json!([13, 12, 11, 10])),
        ("$.b.k[2:0:-1]", json!([12, 11])),
        ("$.b.k[::0]", json!([])),
        ("$.b.k[5:]", json!([])),
        ("$.b.k[1 : 3 : 1]", json!([11, 12])),
        ("$.b.k[0, 2:]", json!([10, 12, 13])),
        ("$..x", json!([1, 3, 9])),
        ("$.a..*", json!([{"x": 1, "y": 2}, {"x": 3, "y": 4}, 1, 2, 3, 4])),
        ("$..['x','y']", json!([1, 2, 3, 4, 9])),
        ("$..k[0]", json!([10])),
        ("$ .b ['k'] [0]", json!([10])),
        ("$.b.*", json!([[10, 11, 12, 13]])),
        ("$.a[?@.x > 1].y", json!([4])),
        ("$.a[?@.x > $.limit].x", json!([3])),
        ("$.a[?@.x == 1 || @.y == 4].x", json!([1, 3])),
        ("$.a[?!(@.x == 1)].x", json!([3])),
        ("$.a[?@.z]", json!([])),
        ("$.a[?(@.x)]['x']", json!([1, 3])),
        ("$.b.k[?@ >= 12, 0]", json!([12, 13, 10])),
        ("$[?length(@) == 4]", json!([])),
        ("$.b[?length(@) == 4][0]", json!([10])),
        ("$[?count(@.*) == 2][0].x", json!([1])),
        ("$..[?@.x == 9].x", json!([9])),
        ("$.deep[?@['x'] == 9]", json!([{"x": 9}])),
        ("$[?@[?@.y == 4]][1].x", json!([3])),
    ] {
        let found: Value = path(source).find(&data).into_iter().cloned().collect();
        assert_eq!(found, expected, "{source}");
        assert_eq!(path(source).first(&data), expected.get(0), "{source}");
    }
}

#[test]
fn regular_expressions_filter() {
    let data = json!([{"n": "alpha"}, {"n": "beta"}, {"n": 1}]);
    for (source, expected) in [
        ("$[?match(@.n, 'a.*')].n", json!(["alpha"])),
        ("$[?search(@.n, 'et')].n", json!(["beta"])),
        ("$[?match(@.n, 'a')].n", json!([])),
        ("$[?match(@.n, '[')].n", json!([])),
        ("$[?@.n == 'it, ]) is'].n", json!([])),
    ] {
        assert_eq!(path(source).value(&data), Some(expected), "{source}");
    }
}

#[test]
fn a_singular_path_yields_the_value_and_any_other_a_list() {
    let data = json!({"a": {"b": [1, 2]}, "o": {"x": 1, "y": 2}});
    for (source, singular, names, value) in [
        ("$", true, Some(vec![]), Some(data.clone())),
        ("$.a.b", true, Some(vec!["a", "b"]), Some(json!([1, 2]))),
        ("$['a'].b", true, Some(vec!["a", "b"]), Some(json!([1, 2]))),
        ("$.a.b[-1]", true, None, Some(json!(2))),
        ("$.a.c", true, Some(vec!["a", "c"]), None),
        ("$.a.b[*]", false, None, Some(json!([1, 2]))),
        ("$.o[*]", false, None, Some(json!([1, 2]))),
        ("$.o.*", false, None, Some(json!([1, 2]))),
        ("$.z[*]", false, None, Some(json!([]))),
        ("$.o.x[*]", false, None, Some(json!([]))),
        ("$..x", false, None, Some(json!([1]))),
        ("$['a','o']", false, None, Some(json!([{"b": [1, 2]}, {"x": 1, "y": 2}]))),
        ("$.a.b[0:1]", false, None, Some(json!([1]))),
        ("$.a.b[?@ > 1]", false, None, Some(json!([2]))),
        ("$..*.b[*]", false, None, Some(json!([1, 2]))),
    ] {
        let path = path(source);
        assert_eq!(path.is_singular(), singular, "{source}");
        assert_eq!(path.as_names(), names, "{source}");
        assert_eq!(path.is_root(), source == "$", "{source}");
        assert_eq!(path.value(&data), value, "{source}");
        assert_eq!(path.take(data.clone()), value, "take {source}");
    }
}

#[test]
fn found_places_can_be_blotted_out() {
    for (source, count, expected) in [
        ("$..ssn", 2, json!({"a": {"ssn": "[redacted]", "k": 1}, "l": [{"ssn": null}]})),
        ("$.a", 1, json!({"a": null, "l": [{"ssn": {"ssn2": 2}}]})),
        ("$..*", 7, json!({"a": null, "l": null})),
        ("$.none", 0, json!({"a": {"ssn": "x", "k": 1}, "l": [{"ssn": {"ssn2": 2}}]})),
        ("$", 1, json!(null)),
    ] {
        let mut data = json!({"a": {"ssn": "x", "k": 1}, "l": [{"ssn": {"ssn2": 2}}]});
        assert_eq!(path(source).blot(&mut data), Ok(count), "{source}");
        assert_eq!(data, expected, "{source}");
    }
}

#[test]
fn texts_that_are_no_paths_are_refused_at_their_place() {
    for (source, range, message) in [
        ("", 0..0, "starts with `$`"),
        ("data.items", 0..1, "did you mean `$.data.items`"),
        ("[0]", 0..1, "did you mean `$[0]`"),
        (" $.a", 0..1, "starts with `$`"),
        ("$.a b", 3..4, "in quotes"),
        ("$.a ", 3..4, "no blanks at its end"),
        ("$ ", 1..2, "no blanks at its end"),
        ("$.a-b", 3..4, "$['a-b']"),
        ("$a", 1..2, "goes on with"),
        ("$.", 2..2, "missing after the dot"),
        ("$..", 3..3, "missing after the dot"),
        ("$...a", 3..4, "two dots"),
        ("$. a", 2..3, "missing after the dot"),
        ("$.1", 2..3, "in brackets"),
        ("$.'a'", 2..3, "in brackets"),
        ("$[]", 2..3, "selector is missing"),
        ("$[0,]", 4..5, "selector is missing"),
        ("$[0", 1..3, "never closed"),
        ("$[", 2..2, "ends inside"),
        ("$[0 1]", 4..5, "ends with `,` or `]`"),
        ("$[name]", 2..6, "['name']"),
        ("$['a]", 2..5, "never closed"),
        ("$['\\x']", 3..5, "no such escape"),
        ("$['\\ud800']", 3..9, "surrogate"),
        ("$['\\u12']", 3..7, "four hexadecimal"),
        ("$['\n']", 3..4, "control character"),
        ("$[01]", 2..4, "leading zero"),
        ("$[-0]", 2..4, "leading zero"),
        ("$[-]", 2..3, "digits are missing"),
        ("$[9007199254740992]", 2..18, "2^53"),
        ("$[1:99999999999999999999]", 4..24, "2^53"),
        ("$[(@.a)]", 2..3, "no selector starts"),
        ("$[?]", 3..4, "filter is empty"),
        ("$[?@.a", 3..6, "never closed"),
        ("$[?@.a b]", 7..8, "operator is missing"),
        ("$[?@.a b == 1]", 7..8, "operator is missing"),
        ("$[?@.a-1 == 1]", 6..7, "in quotes"),
        ("$[?@.a = 1]", 7..8, "cannot be read"),
        ("$[?@.a == ]", 3..9, "cannot be read"),
        ("$[?@.a == 1)]", 11..12, "never opened"),
        ("$[?@.* == 1]", 7..8, "cannot be read"),
        ("$[?nope(@.a)]", 3..4, "cannot be read"),
        ("$[?é == 1]", 3..5, "cannot be read"),
    ] {
        let fault = Path::compile(source).expect_err(source);
        assert!(fault.message.contains(message), "{source}: {}", fault.message);
        assert_eq!(fault.range, range, "{source}: {}", fault.message);
    }
}

#[test]
fn evaluation_and_sources_are_bounded() {
    let wide = Value::Array((0..3000).map(|n| json!([n])).collect());
    assert_eq!(path("$[*,*,*][*,*,*]").try_find(&wide).map(|found| found.len()), Ok(27_000));
    assert_eq!(path("$..*..*..*").try_find(&wide).map(|found| found.len()), Ok(0));
    let many = format!("$[{}]", vec!["*"; 2000].join(","));
    assert_eq!(path(&many).try_find(&wide), Err(TooManyNodes));
    let texts = Value::Array(vec![json!("x"); 20_001]);
    assert_eq!(path("$[?match(@, 'x')]").try_find(&texts), Err(TooManyNodes));
    assert!(path("$[?match(@, 'x')]").find(&texts).is_empty());

    let mut deep = json!(1);
    for _ in 0..600 {
        deep = json!([deep]);
    }
    assert_eq!(path("$..x").try_find(&deep), Err(TooManyNodes));

    for (source, fine) in [
        (format!("$[?{}@.a{}]", "(".repeat(7), ")".repeat(7)), true),
        (format!("$[?{}@.a{}]", "(".repeat(2000), ")".repeat(2000)), false),
        (format!("$[?{}@{}==1]", "length(".repeat(8), ")".repeat(8)), false),
        (format!("${}", "[?@".repeat(1000)), false),
        (format!("${}", ".a".repeat(2000)), true),
        (format!("${}", ".a".repeat(3000)), false),
    ] {
        assert_eq!(Path::compile(&source).is_ok(), fine, "{} bytes", source.len());
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_compiler_or_the_walker_fall_over(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "$", ".", "..", "[", "]", "?", "@", "*", "a", "'a'", "\"b\"", "0", "-1", ":", ",", "(", ")", "==", "<",
                "&&", "||", "!", " ", "length(", "count(", "match(", "value(", "in(", "'", "\\", "\\u00e9", "é", "[?@.a", "[*]", "1e5", "null", "true", "[::-1]", "9007199254740991",
            ]), 0..12)
    ) {
        let source = format!("${}", parts.concat());
        let data = json!({"a": [1, {"a": "x", "b": [null, 2.5]}], "b": "é"});
        match Path::compile(&source) {
            Ok(path) => {
                let found = path.find(&data);
                assert_eq!(path.first(&data), found.first().copied());
                assert_eq!(path.take(data.clone()), path.value(&data));
            }
            Err(fault) => assert!(source.get(fault.range).is_some()),
        }
    }
}

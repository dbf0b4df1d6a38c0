//! Floor 2. What templates print, read and refuse.

use serde_json::{Map, Value, json};

use super::*;

fn scope() -> Map<String, Value> {
    let data = json!({
        "id": 7, "name": "Ada <b>", "url": "a b/ü", "nil": null, "empty": "", "zero": 0, "yes": true,
        "tags": ["x", "y"], "none": [], "date": "2024-02-29T10:00:00Z", "number": 1234.5,
        "rows": [{"id": 1, "name": "A|B"}, {"id": 2, "name": "C"}],
        "o": {"a": {"b": [1, {"c": "deep"}]}, "n": null, "default": "d"},
        "words": {"k": "v", "l": "w"}, "evil": "{{id}}", "big": 9_007_199_254_740_993_i64,
        "key": "k"
    });
    let Value::Object(map) = data else { unreachable!() };
    map
}

fn rendered(source: &str) -> Result<String, String> {
    let text = Text::compile(source, Escape::None).map_err(|fault| fault.message)?;
    text.render(&scope()).map_err(|fault| fault.to_string())
}

#[test]
fn names_are_replaced() {
    for (source, expected) in [
        ("", ""),
        ("plain }} text", "plain }} text"),
        ("{{id}}", "7"),
        ("Hello {{ name }}!", "Hello Ada <b>!"),
        ("{{o.a.b.[1].c}} {{o.a.b.1.c}}", "deep deep"),
        ("{{o.default}}{{date}}{{number}}", "d2024-02-29T10:00:00Z1234.5"),
        ("{{#if yes}}{{date}} {{number}} {{o.default}}{{/if}}", "2024-02-29T10:00:00Z 1234.5 d"),
        ("[{{nil}}][{{nothing}}][{{nothing.more}}][{{o.n.more}}]", "[][][][]"),
        ("{{#if yes}}[{{nil}}][{{nothing}}][{{nothing.more}}][{{o.n.more}}]{{/if}}", "[][][][]"),
        ("{{tags}} {{o.a}}", r#"["x","y"] {"b":[1,{"c":"deep"}]}"#),
        ("{{#if yes}}{{tags}} {{words}}{{/if}}", r#"["x","y"] {"k":"v","l":"w"}"#),
        ("{{evil}}{{#if yes}}{{evil}}{{/if}}", "{{id}}{{id}}"),
        ("\\{{id}} {{id}}", "{{id}} 7"),
        ("a {{~id~}} b", "a7b"),
        ("{{! a {{ comment }}{{id}}{{!-- }} --}}", "7"),
        ("{{@root.id}}{{this.id}}", "77"),
    ] {
        assert_eq!(rendered(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn blocks_repeat_and_choose() {
    for (source, expected) in [
        ("{{#each tags}}{{@index}}{{this}}{{#unless @last}},{{/unless}}{{/each}}", "0x,1y"),
        ("{{#each rows}}{{id}}:{{name}} of {{../name}};{{/each}}", "1:A|B of Ada <b>;2:C of Ada <b>;"),
        ("{{#each rows as |row i|}}{{i}}{{row.id}}{{id}}{{/each}}", "011122"),
        ("{{#each words}}{{@key}}={{this}} {{/each}}", "k=v l=w "),
        ("{{#each none}}x{{else}}empty{{/each}}", "empty"),
        ("{{#each nothing}}x{{/each}}|{{#each nil}}x{{/each}}|{{#each none}}x{{/each}}", "||"),
        ("{{#if nothing}}a{{else if nil}}b{{else if id}}c{{else}}d{{/if}}", "c"),
        ("{{#if nothing}}a{{else if nil}}b{{else}}d{{/if}}", "d"),
        ("{{#if o.missing}}a{{else}}{{#each tags}}{{this}}{{/each}}{{/if}}", "xy"),
        ("{{#if nothing}}a{{else each tags}}{{this}}{{/if}}", "xy"),
        ("{{#if zero}}a{{/if}}{{#if zero includeZero=true}}b{{/if}}", "b"),
        ("{{#with o.a}}{{b.[0]}}{{../id}}{{/with}}", "17"),
        ("{{#with nil}}x{{else}}y{{/with}}", "y"),
        ("{{#each rows}}{{#each ../tags}}{{../id}}{{this}}{{../../id}} {{/each}}{{/each}}", "1x7 1y7 2x7 2y7 "),
        ("{{#each rows}}\n- {{name}}\n{{/each}}\nend", "- A|B\n- C\nend"),
        ("{{lookup words key}}{{lookup tags 1}}{{lookup tags 9}}", "vy"),
        ("{{#each tags}}{{lookup ../rows @index}}{{/each}}", r#"{"id":1,"name":"A|B"}{"id":2,"name":"C"}"#),
    ] {
        assert_eq!(rendered(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn helpers_compute() {
    for (source, expected) in [
        ("{{json name}} {{json o.n}} {{json nothing}}", r#""Ada <b>" null null"#),
        ("{{date date \"%d %B %Y\"}}", "29 February 2024"),
        ("{{date date}}|{{date nothing \"%Y\"}}", "2024-02-29|"),
        ("{{number number 2}} {{number big}}", "1,234.50 9,007,199,254,740,993"),
        ("{{truncate name 4}}", "Ada…"),
        ("{{join tags}} {{join tags \"/\"}} {{join nothing}}{{join none}}", "x, y x/y "),
        ("{{default nothing \"-\"}}{{default empty \"-\"}}{{default zero \"-\"}}{{default o.x 1}}", "--01"),
        ("{{eq id 7}}{{eq id 7.0}}{{ne id 7}}{{eq nothing nil}}{{eq id \"7\"}}", "truetruefalsetruefalse"),
        ("{{eq big 9007199254740992}}", "false"),
        ("{{lt id 8}}{{gt id 8}}{{lt \"a\" \"b\"}}{{gt nothing 1}}", "truefalsetruefalse"),
        ("{{and id yes}}{{and id zero}}{{or zero nil}}{{or nothing id}}{{not zero}}", "truefalsefalsetruetrue"),
        ("{{#if (and (gt id 5) (not (eq name \"x\")))}}ok{{/if}}", "ok"),
        (
            "{{id}} {{pluralize id \"order\" \"orders\"}}, 1 {{pluralize 1 \"order\"}}, {{pluralize tags \"tag\"}}",
            "7 orders, 1 order, tags",
        ),
        ("{{table rows}}", "| id | name |\n| --- | --- |\n| 1 | A\\|B |\n| 2 | C |\n"),
        ("{{table rows \"name\"}}", "| name |\n| --- |\n| A\\|B |\n| C |\n"),
        ("{{default (lookup words \"z\") (join tags \"+\")}}", "x+y"),
    ] {
        assert_eq!(rendered(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn every_place_has_its_escaping_with_and_without_the_engine() {
    for (source, escape, expected) in [
        ("/x?q={{url}}", Escape::UrlQuery, "/x?q=a%20b%2F%C3%BC"),
        ("/x?q={{#if yes}}{{url}}{{/if}}", Escape::UrlQuery, "/x?q=a%20b%2F%C3%BC"),
        ("{{join tags \"&\"}}", Escape::UrlQuery, "x%26y"),
        (
            "{\"n\":\"{{url}} \\\"{{empty}}\",\"i\":{{id}},\"z\":{{nil}}}",
            Escape::Json,
            "{\"n\":\"a b/ü \\\"\",\"i\":7,\"z\":null}",
        ),
        ("{{json name}}{{#if yes}}{{nothing}}{{/if}}", Escape::Json, "\"Ada <b>\"null"),
        ("<q a=\"{{name}}\">{{xml name}}</q>", Escape::Xml, "<q a=\"Ada &lt;b&gt;\">Ada &lt;b&gt;</q>"),
        ("{{url url}}", Escape::UrlQuery, "a%20b%2F%C3%BC"),
        ("{{xml name}},{{csv tags}}", Escape::None, "Ada &lt;b&gt;,\"[\"\"x\"\",\"\"y\"\"]\""),
    ] {
        let text = Text::compile(source, escape).unwrap();
        assert_eq!(text.render(&scope()).as_deref(), Ok(expected), "{source}");
    }
}

fn refused(rows: &[(&str, &str, &str)]) {
    for (source, place, message) in rows {
        let fault = Text::compile(source, Escape::None).expect_err(source);
        assert!(fault.message.contains(message), "{source}: {}", fault.message);
        assert_eq!(&source[fault.range.clone()], *place, "{source}: {}", fault.message);
    }
}

#[test]
fn faulty_tags_are_refused_at_their_place() {
    refused(&[
        ("a {{{id}}}", "{{{id}}}", "two braces"),
        ("{{&id}}", "{{&id}}", "two braces"),
        ("{{~{id}~}}", "{{~{id}~}}", "two braces"),
        ("{{> other}}", "{{> other}}", "no partials"),
        ("{{#> layout}}x{{/layout}}", "{{#> layout}}", "no partials"),
        ("{{* inline}}", "{{* inline}}", "no decorators"),
        ("{{#*inline \"x\"}}{{/inline}}", "{{#*inline \"x\"}}", "no decorators"),
        ("{{{{raw}}}}x{{{{/raw}}}}", "{{{{raw}}}}", "raw blocks"),
        ("{{}}", "{{}}", "no name"),
        ("x {{id", "{{id", "no matching"),
        ("x {{id\nnext", "{{id", "no matching"),
        ("{{#if id}}x", "{{#if id}}", "never closed"),
        ("x{{/if}}", "{{/if}}", "never opened"),
        ("{{#if id}}{{/each}}", "{{/each}}", "open block is `{{#if}}`"),
        ("{{else}}", "{{else}}", "outside"),
        ("{{#if id}}{{else}}{{else}}{{/if}}", "{{else}}", "already has"),
        ("{{#rows}}x{{/rows}}", "{{#rows}}", "`{{#each rows}}`"),
        ("{{#eech rows}}x{{/eech}}", "{{#eech rows}}", "did you mean `#each`"),
    ]);
}

#[test]
fn faulty_helpers_and_names_are_refused_at_their_place() {
    refused(&[
        ("{{nmber id 2}}", "nmber", "did you mean `number`"),
        ("{{order id}}", "order", "no helper `order`"),
        ("{{if id}}", "if", "is a block"),
        ("{{json}}{{json id id}}", "json", "use `{{json value}}`"),
        ("{{json id pretty=true}}", "pretty", "no named argument"),
        ("{{#if id zero=true}}{{/if}}", "zero", "no named argument"),
        ("{{#if id yes}}{{/if}}", "{{#if id yes}}", "takes one argument"),
        ("{{#if (nope id)}}{{/if}}", "nope", "no helper `nope`"),
        ("{{#if (json)}}{{/if}}", "json", "given 0"),
        ("{{date id \"%Q\"}}", "{{date id \"%Q\"}}", "unknown `%`"),
        ("{{number id 99}}", "{{number id 99}}", "0 to 20"),
        ("{{truncate name 0}}", "{{truncate name 0}}", "positive"),
        ("{{o.a.b[1]}}", "{{o.a.b[1]}}", "list.[0]"),
        ("é\n {{a,b}}", "{{a,b}}", "cannot be read"),
        ("{{this}}", "this", "names nothing"),
        ("{{@index}}", "@index", "names nothing"),
        ("{{../id}}", "../id", "leads out"),
        ("{{#each rows}}{{../../id}}{{/each}}", "../../id", "leads out"),
        ("{{(json id)}}", "{{(json id)}}", "leave them out"),
        ("{{log id}}", "log", "no helper"),
        ("{{len tags}}", "len", "no helper"),
    ]);
}

#[test]
fn variables_are_reported_where_they_stand() {
    for (source, variables, unchecked) in [
        ("{{id}} {{o.a.[0].b}}", vec!["id@2", "o.a.0.b@9"], vec![]),
        ("{{id}}{{id}}", vec!["id@2", "id@8"], vec![]),
        ("{{default id id}}", vec!["id@10", "id@13"], vec![]),
        ("{{default \"id\" id}}", vec!["id@15"], vec![]),
        (
            "{{#each rows}}{{name}}{{../id}}{{@index}}{{this}}{{@root.o.a}}{{/each}}",
            vec!["rows@8", "id@24", "o.a@51"],
            vec!["name@16"],
        ),
        (
            "{{#each rows as |r|}}{{r.id}}{{#each r.x}}{{y}}{{../../z}}{{/each}}{{/each}}",
            vec!["rows@8", "z@49"],
            vec!["y@44"],
        ),
        (
            "{{#if a}}{{b}}{{else if c}}{{d}}{{else}}{{e}}{{/if}}{{f}}",
            vec!["a@6", "b@11", "c@24", "d@29", "e@42", "f@54"],
            vec![],
        ),
        ("{{#each xs}}{{a}}{{else}}{{b}}{{/each}}", vec!["xs@8", "b@27"], vec!["a@14"]),
        ("{{! id }}{{#if (and a (not b))}}{{/if}}", vec!["a@20", "b@27"], vec![]),
    ] {
        let text = Text::compile(source, Escape::None).unwrap();
        let list = |all: &[Variable]| -> Vec<String> {
            all.iter().map(|v| format!("{}@{}", v.path.join("."), v.range.start)).collect()
        };
        let mut found = list(text.variables());
        found.sort_by_key(|v| v.rsplit('@').next().and_then(|n| n.parse::<usize>().ok()));
        assert_eq!(found, variables, "{source}");
        assert_eq!(list(text.unchecked()), unchecked, "{source}");
    }
}

#[test]
fn exact_and_constant_sources_are_known() {
    for (source, exact, constant) in [
        ("{{a.b}}", Some("a.b"), false),
        ("{{ a.[0] }}", Some("a.0"), false),
        (" {{a}}", None, false),
        ("{{a}}{{b}}", None, false),
        ("{{~a}}", None, false),
        ("{{json a}}", None, false),
        ("{{!c}}{{a}}", None, false),
        ("text", None, true),
        ("\\{{a}}", None, true),
        ("", None, true),
        ("{{#if a}}{{/if}}", None, false),
    ] {
        let text = Text::compile(source, Escape::None).unwrap();
        assert_eq!(text.as_exact().map(|p| p.join(".")).as_deref(), exact, "{source}");
        assert_eq!(text.is_constant(), constant, "{source}");
    }
}

#[test]
fn plain_templates_do_not_need_the_engine() {
    for (source, plain) in [("a {{b}} {{c.d}}", true), ("{{json a}}", false), ("{{#if a}}{{/if}}", false)] {
        let text = Text::compile(source, Escape::None).unwrap();
        assert_eq!(matches!(text.body, Body::Segments(_)), plain, "{source}");
    }
}

#[test]
fn data_that_is_not_there_is_a_fault() {
    for (source, message) in [
        ("{{o.x}}", "the data has no `o.x`"),
        ("{{#if yes}}{{o.x}}{{/if}}", "the data has no `o.x`"),
        ("{{o.a.b.[7]}}", "the data has no `o.a.b.7`"),
        ("{{id.x}}", "the data has no `id.x`"),
        ("{{#each rows}}{{nme}}{{/each}}", "the data has no `nme`"),
        ("{{#each o.rows}}x{{/each}}", "the data has no `o.rows`"),
        ("{{#if nil}}{{else each o.rows}}x{{/if}}", "the data has no `o.rows`"),
        ("{{#if yes}}{{tags.first}}{{/if}}", "the data has no `first`"),
        ("{{number name}}", "`number`: `Ada <b>` is no number"),
        ("{{date name}}", "`date`: `Ada <b>` is no date or time"),
        ("{{date date key}}{{date date name}}{{lt id name}}", "`lt`: compares two numbers or two strings"),
    ] {
        assert_eq!(rendered(source), Err(message.to_owned()), "{source}");
    }
}

#[test]
fn output_and_sources_are_bounded() {
    let mut wide = Map::new();
    wide.insert("big".to_owned(), json!("x".repeat(400_000)));
    wide.insert("list".to_owned(), json!(vec![0; 1000]));
    for source in [
        "{{big}}{{big}}{{big}}",
        "{{#each list}}{{../big}}{{/each}}",
        "{{#each list}}{{#each ../list}}0123456789{{/each}}{{/each}}",
        "{{join list big}}",
    ] {
        let text = Text::compile(source, Escape::None).unwrap();
        assert_eq!(text.render(&wide), Err(RenderError::TooLarge), "{source}");
    }
    let deep = |times: usize| format!("{}x{}", "{{#if a}}".repeat(times), "{{/if}}".repeat(times));
    for (source, fine) in [
        (deep(16), true),
        (deep(17), false),
        (deep(5000), false),
        (format!("{{{{json {}a{}}}}}", "(json ".repeat(15), ")".repeat(15)), true),
        (format!("{{{{json {}a{}}}}}", "(json ".repeat(5000), ")".repeat(5000)), false),
        (format!("{{{{json {}{}}}}}", "[".repeat(5000), "]".repeat(5000)), false),
        (format!("{{{{#if a}}}}{}{{{{/if}}}}", "{{else if a}}".repeat(5000)), false),
        ("{{a}}".repeat(2001), false),
        ("x".repeat(MAX_SOURCE + 1), false),
    ] {
        assert_eq!(Text::compile(&source, Escape::None).is_ok(), fine, "{} bytes", source.len());
    }
}

proptest::proptest! {
    #[test]
    fn no_source_makes_the_compiler_or_the_engine_fall_over(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "{{", "}}", "{{#if a}}", "{{/if}}", "{{else}}", "{{else if b}}", "{{^}}", "{{#each a}}", "{{/each}}",
                "a", ".b", "../", "@index", "this", "\\", "~", "(", ")", "\"", "'", "[", "]", "{", "}", "|x|", " as ",
                "json ", "date ", "=", " ", "\n", "!", "--", "é", "&", ">", "*", "#", "/", "^", "1", "{{a}}", "{{~b.c~}}", ",", ":", "@root.", "null", "true ", "{{!-- c --}}",
            ]), 0..14)
    ) {
        let source = parts.concat();
        if let Ok(text) = Text::compile(&source, Escape::Json) {
            let _ = text.render(&scope());
            for variable in text.variables() {
                assert!(source.get(variable.range.clone()).is_some());
            }
        }
    }
}

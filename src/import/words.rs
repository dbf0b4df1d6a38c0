//! Floor 7. Words of a document, made fit for a model: without markup, on one line, cut at the end of a
//! sentence where one ends near.

/// Characters of a tool's description at most.
pub(super) const TOOL: usize = 600;
/// Characters of a param's description at most.
pub(super) const PARAM: usize = 300;
/// Characters of the description of a part of a param at most.
pub(super) const PART: usize = 160;

/// A text as one clean line of at most so many characters.
pub(super) fn clean(text: &str, longest: usize) -> String {
    // What is cut away at the end need not be cleaned: documents hold whole pages.
    let head: String = text.chars().take(longest * 8 + 256).collect();
    let plain = without_markup(&head);
    let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    cut(line.trim_matches(|char: char| char == '-' || char.is_whitespace()), longest)
}

/// Removes tags, code fences, headings, images, and the addresses of links.
fn without_markup(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        let ruled = line.len() > 2 && line.chars().all(|char| "-=*_|: ".contains(char));
        if line.starts_with("```") || ruled {
            continue;
        }
        let line = line.trim_start_matches('#').trim_start_matches("> ");
        lines.push(line.strip_prefix("* ").unwrap_or(line).to_owned());
    }
    let text = links(&tags(&lines.join("\n")));
    let text = text.replace("**", "").replace("__", "");
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    let text = text.replace("&nbsp;", " ").replace("&amp;", "&");
    text.chars().filter(|char| !is_hidden(*char)).collect()
}

/// Characters that a reader does not see and a model does.
fn is_hidden(char: char) -> bool {
    let format =
        matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let tag = matches!(char, '\u{e0000}'..='\u{e007f}' | '\u{e000}'..='\u{f8ff}');
    (char.is_control() && !char.is_whitespace()) || format || tag
}

/// Removes what looks like an HTML tag or a comment; `a < b` is none.
fn tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        let (before, from) = rest.split_at(open);
        out.push_str(before);
        let inner = from.get(1..).unwrap_or("");
        let looks = inner.starts_with(|char: char| char.is_ascii_alphabetic() || char == '/' || char == '!');
        let end = inner.find('>').filter(|end| looks && *end < 400);
        match end {
            // A blank keeps the words on both sides apart.
            Some(end) if is_markup(inner.get(..end).unwrap_or("")) => {
                let inline = [
                    "b", "i", "em", "code", "strong", "a", "span", "/b", "/i", "/em", "/code", "/strong", "/a", "/span",
                ];
                let name = inner.get(..end).unwrap_or("").split(' ').next().unwrap_or("");
                if !inline.contains(&name) {
                    out.push(' ');
                }
                rest = inner.get(end + 1..).unwrap_or("");
            }
            _ => {
                out.push('<');
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    out
}

/// `<id>` in a text stands for an id; `<p class="x">` is markup.
fn is_markup(inner: &str) -> bool {
    const NAMES: [&str; 40] = [
        "a",
        "b",
        "i",
        "u",
        "p",
        "br",
        "hr",
        "em",
        "li",
        "ul",
        "ol",
        "dl",
        "dt",
        "dd",
        "td",
        "tr",
        "th",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "div",
        "pre",
        "img",
        "sup",
        "sub",
        "del",
        "code",
        "span",
        "body",
        "table",
        "tbody",
        "thead",
        "strong",
        "small",
        "blockquote",
        "details",
        "summary",
    ];
    if inner.starts_with('!') {
        return true;
    }
    let name = inner.trim_start_matches('/').trim_end_matches('/');
    let name = name.split([' ', '\n', '/']).next().unwrap_or("").to_ascii_lowercase();
    NAMES.contains(&name.as_str())
}

/// `[words](address)` becomes `words`, and `![picture](address)` nothing.
fn links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, from) = rest.split_at(open);
        let link = from.find("](").and_then(|close| {
            let words = from.get(1..close).filter(|words| !words.contains(['[', '\n']))?;
            let address = from.get(close + 2..)?;
            let end = address.find(')').filter(|end| address.get(..*end).is_some_and(|it| !it.contains('\n')))?;
            Some((words, address.get(end + 1..)?))
        });
        let Some((words, after)) = link else {
            out.push_str(before);
            out.push('[');
            rest = from.get(1..).unwrap_or("");
            continue;
        };
        let picture = before.strip_suffix('!');
        out.push_str(picture.unwrap_or(before));
        if picture.is_none() {
            out.push_str(words);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// At most so many characters: whole sentences where they make up half of them, else whole words.
fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let end = text.char_indices().nth(longest.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    let head = text.get(..end).unwrap_or(text);
    let sentence = head.rfind(". ").map(|at| at + 1).filter(|at| *at * 2 >= head.len());
    match sentence.or_else(|| head.rfind(' ')) {
        Some(at) if sentence.is_some() => head.get(..at).unwrap_or(head).to_owned(),
        Some(at) => format!("{}…", head.get(..at).unwrap_or(head).trim_end_matches([',', ';', ' '])),
        None => format!("{head}…"),
    }
}

/// Joins sentences, each with a full stop.
pub(super) fn sentences(parts: &[String]) -> String {
    let mut out = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !out.is_empty() {
            if !out.ends_with(['.', '!', '?', ':', '…']) {
                out.push('.');
            }
            out.push(' ');
        }
        out.push_str(part);
    }
    out
}

/// The words of a name such as `petId`, `pet_id` or `pet.id`, in lower case.
pub(super) fn words_of(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (at, char) in chars.iter().copied().enumerate() {
        if !char.is_alphanumeric() {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let after = chars.get(at + 1).copied();
        let rises = before.is_some_and(|it| it.is_lowercase() || it.is_ascii_digit()) && char.is_uppercase();
        // In `HTTPServer` the last capital begins the next word; in `IDs` it does not.
        let falls = before.is_some_and(char::is_uppercase)
            && char.is_uppercase()
            && after.is_some_and(char::is_lowercase)
            && !(after == Some('s') && chars.get(at + 2).is_none_or(|next| !next.is_lowercase()));
        if rises || falls {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
        word.extend(char.to_lowercase());
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// A name as words with a capital: `petId` is `Pet id`.
pub(super) fn spoken(name: &str) -> String {
    let words = words_of(name).join(" ");
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes_and_words_stay() {
        for (text, expected) in [
            ("Finds **pets**.\n\n* by `status`\n", "Finds pets. by `status`"),
            ("<p>One</p><p>Two &amp; <b>three</b></p>", "One Two & three"),
            ("See [the guide](https://x.test/a) ![i](b.png) now", "See the guide now"),
            ("a < b and <id> and <br/>c", "a < b and <id> and c"),
            ("# Title\n---\nText\n```\ncode\n```", "Title Text code"),
            ("hid\u{200b}den\u{7}", "hidden"),
            ("list[0] and [x]", "list[0] and [x]"),
        ] {
            assert_eq!(clean(text, 100), expected, "{text}");
        }
    }

    #[test]
    fn long_texts_end_at_a_sentence_or_a_word() {
        assert_eq!(clean("One two three. Four five six seven.", 20), "One two three.");
        assert_eq!(clean("One two three four five six seven", 20), "One two three four…");
        assert_eq!(clean(&"ä".repeat(50), 10), format!("{}…", "ä".repeat(9)));
    }

    #[test]
    fn names_have_words() {
        for (name, expected) in [
            ("petId", "pet id"),
            ("HTTPServer2", "http server2"),
            ("list_all-the.things", "list all the things"),
            ("userIDs", "user ids"),
            ("getV1Users", "get v1 users"),
        ] {
            assert_eq!(words_of(name).join(" "), expected, "{name}");
        }
        assert_eq!(spoken("petId"), "Pet id");
    }
}

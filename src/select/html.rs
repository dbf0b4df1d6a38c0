//! Floor 2. The text of an HTML fragment: tags go, entities become characters, paragraphs stay
//! apart. Not a browser: forgiving, in one pass, never longer than its input by more than a half.

/// Elements whose content is no text.
const SILENT: &[&str] = &["script", "style", "head", "template", "noscript", "svg"];

/// Elements with a blank line around them.
const PARAGRAPHS: &[&str] = &[
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "dl",
    "table",
    "blockquote",
    "pre",
    "hr",
    "section",
    "article",
    "header",
    "footer",
    "figure",
];

/// Elements on a line of their own.
const LINES: &[&str] = &["br", "div", "li", "tr", "dt", "dd", "option", "figcaption", "main", "nav", "aside", "form"];

/// Entities of Latin-1 from U+00A0 on, in order.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr \
    deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest \
    Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc \
    Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute \
    THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave \
    iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc \
    uuml yacute thorn yuml";

const NAMED: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("ndash", '–'),
    ("mdash", '—'),
    ("hellip", '…'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("bull", '•'),
    ("euro", '€'),
    ("trade", '™'),
    ("larr", '←'),
    ("rarr", '→'),
    ("uarr", '↑'),
    ("darr", '↓'),
    ("le", '≤'),
    ("ge", '≥'),
    ("ne", '≠'),
    ("asymp", '≈'),
    ("minus", '−'),
    ("infin", '∞'),
    ("prime", '′'),
    ("OElig", 'Œ'),
    ("oelig", 'œ'),
    ("Scaron", 'Š'),
    ("scaron", 'š'),
    ("ensp", ' '),
    ("emsp", ' '),
    ("thinsp", ' '),
    ("check", '✓'),
    ("dagger", '†'),
    ("permil", '‰'),
    ("lsaquo", '‹'),
    ("rsaquo", '›'),
    ("circ", 'ˆ'),
    ("tilde", '˜'),
    ("fnof", 'ƒ'),
];

/// The text of an HTML fragment. Blanks are collapsed as a browser does, except inside `pre`.
#[must_use]
pub fn html_to_text(html: &str) -> String {
    let mut out = Writer { text: String::with_capacity(html.len()), gap: Gap::None, pre: 0 };
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at_checked(start).unwrap_or((rest, ""));
        out.write(before);
        let Some(Tag { name, closing, after }) = read_tag(tag) else {
            out.write("<");
            rest = tag.get(1..).unwrap_or_default();
            continue;
        };
        out.tag(&name, closing);
        let silent = !closing && SILENT.contains(&name.as_str());
        rest = if silent { skip(after, &name) } else { after };
    }
    out.write(rest);
    out.text.trim_end().to_owned()
}

struct Tag<'h> {
    name: String,
    closing: bool,
    after: &'h str,
}

/// Reads a tag, comment or declaration; `None` when `<` is only a character.
fn read_tag(html: &str) -> Option<Tag<'_>> {
    if let Some(comment) = html.strip_prefix("<!--") {
        let after = comment.split_once("-->").map_or("", |(_, after)| after);
        return Some(Tag { name: String::new(), closing: false, after });
    }
    let inside = html.strip_prefix('<')?;
    let (closing, inside) = inside.strip_prefix('/').map_or((false, inside), |rest| (true, rest));
    if !inside.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!' || c == '?') {
        return None;
    }
    let end = inside.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inside.len());
    let (name, attributes) = inside.split_at_checked(end)?;
    let mut quote = None;
    let mut after = "";
    for (at, c) in attributes.char_indices() {
        match quote {
            Some(mark) if mark == c => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '>' => {
                after = attributes.get(at + 1..).unwrap_or_default();
                break;
            }
            Some(_) | None => {}
        }
    }
    Some(Tag { name: name.to_ascii_lowercase(), closing, after })
}

/// What follows the end of an element without text.
fn skip<'h>(html: &'h str, name: &str) -> &'h str {
    let mut rest = html;
    while let Some(at) = rest.find("</") {
        let tag = rest.get(at..).unwrap_or_default();
        let found = tag.get(2..2 + name.len());
        // Only the right end tag is read to its end, so the search stays linear.
        if found.is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return read_tag(tag).map_or("", |tag| tag.after);
        }
        rest = tag.get(2..).unwrap_or_default();
    }
    ""
}

/// What stands between the text so far and the next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Blank,
    Line,
    Paragraph,
}

struct Writer {
    text: String,
    gap: Gap,
    /// How many `pre` are open.
    pre: usize,
}

impl Writer {
    fn tag(&mut self, name: &str, closing: bool) {
        let gap = if PARAGRAPHS.contains(&name) {
            Gap::Paragraph
        } else if LINES.contains(&name) {
            Gap::Line
        } else if name == "td" || name == "th" {
            Gap::Blank
        } else {
            return;
        };
        // Two line breaks in a row are a paragraph.
        let twice = name == "br" && self.gap == Gap::Line;
        self.gap = self.gap.max(if twice { Gap::Paragraph } else { gap });
        match (name, closing) {
            ("pre", false) => self.pre += 1,
            ("pre", true) => self.pre = self.pre.saturating_sub(1),
            ("li", false) => {
                self.flush();
                self.text.push_str("- ");
            }
            _ => {}
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("- ") {
            self.text.push_str(match self.gap {
                Gap::None => "",
                Gap::Blank => " ",
                Gap::Line => "\n",
                Gap::Paragraph => "\n\n",
            });
        }
        self.gap = Gap::None;
    }

    fn write(&mut self, html: &str) {
        let mut rest = html;
        while let Some(c) = rest.chars().next() {
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            if c.is_ascii_whitespace() && self.pre == 0 {
                self.gap = self.gap.max(Gap::Blank);
                continue;
            }
            let mut c = c;
            if c == '&'
                && let Some((decoded, after)) = entity(rest)
            {
                c = decoded;
                rest = after;
            }
            match c {
                '\u{a0}' => self.gap = self.gap.max(Gap::Blank),
                // Soft hyphens and zero-width blanks are nothing to read.
                '\u{ad}' | '\u{200b}' => {}
                _ => {
                    self.flush();
                    self.text.push(c);
                }
            }
        }
    }
}

/// The character of an entity after its `&`, and what follows.
fn entity(rest: &str) -> Option<(char, &str)> {
    let head = rest.get(..rest.len().min(12)).or_else(|| {
        let end = rest.char_indices().map(|(at, _)| at).take_while(|at| *at <= 12).last()?;
        rest.get(..end)
    })?;
    let end = head.find(';')?;
    let name = head.get(..end)?;
    let after = rest.get(end + 1..)?;
    let c = if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        char::from_u32(code.ok()?).filter(|c| !c.is_control() || *c == '\n')?
    } else if let Some((_, c)) = NAMED.iter().find(|(known, _)| *known == name) {
        *c
    } else {
        let index = LATIN.split_whitespace().position(|known| known == name)?;
        char::from_u32(0xA0 + u32::try_from(index).ok()?)?
    };
    Some((c, after))
}

#[cfg(test)]
mod tests {
    use super::html_to_text;

    #[test]
    fn html_becomes_readable_text() {
        for (html, expected) in [
            ("", ""),
            ("plain  text\n here", "plain text here"),
            ("a &amp; b &lt;c&gt; &#39;d&#x27; &uuml;&yuml;&nbsp;&euro;", "a & b <c> 'd' üÿ €"),
            ("&unknown; & &#0; &#xD800;", "&unknown; & &#0; &#xD800;"),
            ("&amp;lt;", "&lt;"),
            ("<p>one</p><p>two <b>bold</b>, <i>x</i></p>", "one\n\ntwo bold, x"),
            ("one<p>two<p>three", "one\n\ntwo\n\nthree"),
            ("a<br>b<br/>c<br><br>d", "a\nb\nc\n\nd"),
            ("<div>a</div>\n  <div>b</div>", "a\nb"),
            ("<ul><li>one</li><li> two </li></ul>after", "- one\n- two\n\nafter"),
            ("<script>if (a < b) alert('</p>')</script>x<style>y</style>", "x"),
            ("a<!-- <p>no</p> -->b", "ab"),
            ("<a href=\"x>y\" title='z'>link</a>", "link"),
            ("1 < 2 and 3 > 2, a<3", "1 < 2 and 3 > 2, a<3"),
            ("<!DOCTYPE html><html><head><title>t</title></head><body>b</body></html>", "b"),
            ("<pre>a\n  b</pre>c", "a\n  b\n\nc"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
            ("unclosed <b", "unclosed"),
            ("<script>never closed", ""),
            ("soft&shy;hyphen", "softhyphen"),
            ("éàü <p>ß", "éàü\n\nß"),
            ("&ééééééééééééé", "&ééééééééééééé"),
        ] {
            assert_eq!(html_to_text(html), expected, "{html}");
        }
    }
}

//! Floor 7. Names of tools and bridges: words of the document, in snake case, within what hosts permit
//! (protocol.md §6), each of them once.

use std::collections::BTreeSet;

use super::words::words_of;

/// Hosts put their own prefix before a tool's name and cut at 64.
const TOOL: usize = 40;
/// Characters of a bridge's name at most.
const BRIDGE: usize = 32;
/// Words that may go where a name is too long.
const IDLE: [&str; 14] = ["by", "the", "of", "and", "for", "with", "from", "using", "a", "an", "in", "to", "via", "on"];
/// Words of a title that say nothing about which API it is.
const GENERIC: [&str; 14] = [
    "api",
    "apis",
    "rest",
    "restful",
    "openapi",
    "swagger",
    "the",
    "v1",
    "v2",
    "v3",
    "spec",
    "specification",
    "public",
    "documentation",
];

/// The name of a tool, from the id of an operation or else from its method and path.
pub(super) fn tool(id: Option<&str>, method: &str, path: &str) -> String {
    let words = match id.map(|id| of_id(id, method, path)).filter(|words| !words.is_empty()) {
        Some(words) => words,
        None => of_path(method, path),
    };
    let mut name = fitted(words, TOOL);
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        name = fitted(vec![method.to_owned(), name], TOOL);
    }
    name
}

/// The words of an id. Some frameworks append path and method to the name of the function.
fn of_id(id: &str, method: &str, path: &str) -> Vec<String> {
    let joined = |text: &str| ascii(text).join("_");
    let whole = joined(id);
    let tail = format!("_{}_{method}", joined(path));
    let short = whole.strip_suffix(&tail).filter(|short| short.contains('_') || short.len() > 4).unwrap_or(&whole);
    short.split('_').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// `GET /users/{id}/posts` is `get_users_posts_by_id`.
fn of_path(method: &str, path: &str) -> Vec<String> {
    let verb = match method {
        "post" => "create",
        "put" => "replace",
        "patch" => "update",
        other => other,
    };
    let segments = path.split(['/', ':']).filter(|segment| !segment.is_empty());
    let is_version = |word: &str| {
        let digits = word.strip_prefix('v').unwrap_or("");
        word == "api" || word == "rest" || (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut words = vec![verb.to_owned()];
    let mut last = None;
    for segment in segments {
        if segment.contains('{') {
            last = Some(segment);
        } else {
            last = None;
            words.extend(ascii(segment).into_iter().filter(|word| !is_version(word)));
        }
    }
    if let Some(last) = last {
        words.push("by".into());
        words.extend(ascii(last));
    }
    if words.len() == 1 {
        words.push("root".into());
    }
    words
}

/// The words of a name, as far as they are of letters and digits that every host permits.
fn ascii(name: &str) -> Vec<String> {
    let plain = |word: String| word.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    words_of(name).into_iter().map(plain).filter(|word| !word.is_empty()).collect()
}

/// The words joined, without the idle ones and without the last where that is too long.
fn fitted(mut words: Vec<String>, longest: usize) -> String {
    let length = |words: &[String]| words.iter().map(|word| word.len() + 1).sum::<usize>().saturating_sub(1);
    let mut at = words.len();
    while length(&words) > longest && at > 1 {
        at -= 1;
        if words.get(at).is_some_and(|word| IDLE.contains(&word.as_str())) {
            words.remove(at);
        }
    }
    // A word that comes twice says nothing the second time.
    let mut at = 1;
    while length(&words) > longest && at < words.len() {
        let (before, rest) = words.split_at(at);
        if rest.first().is_some_and(|word| before.contains(word)) {
            words.remove(at);
        } else {
            at += 1;
        }
    }
    while length(&words) > longest && words.len() > 2 {
        // The verb stands first and what is meant last, so that what can go is between them.
        words.remove(words.len() / 2);
    }
    let mut name = words.join("_");
    name.truncate(longest);
    name.trim_end_matches('_').to_owned()
}

/// Names that are taken.
#[derive(Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// The name, or the first with a number behind it that is free.
    pub(super) fn take(&mut self, name: &str, longest: usize) -> String {
        let mut free = name.to_owned();
        let mut number = 2;
        while !self.taken.insert(free.to_ascii_lowercase()) {
            let tail = format!("_{number}");
            let head: String = name.chars().take(longest.saturating_sub(tail.len())).collect();
            free = format!("{}{tail}", head.trim_end_matches('_'));
            number += 1;
        }
        free
    }

    pub(super) fn tool(&mut self, name: &str) -> String {
        self.take(name, TOOL)
    }
}

/// The name of a bridge, from the title of the document or what else there is.
pub(super) fn bridge(title: &str) -> String {
    let all = ascii(&title.replace("OpenAPI", "openapi").replace("OpenApi", "openapi"));
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let telling = all.iter().filter(|word| !GENERIC.contains(&word.as_str()) && !is_number(word));
    let telling: Vec<String> = telling.cloned().collect();
    let mut words = if telling.is_empty() { all } else { telling };
    words.truncate(4);
    let mut name = words.join("-");
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        name.insert_str(0, "api-");
    }
    name.truncate(BRIDGE);
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_named_by_what_the_document_calls_them() {
        for (id, method, path, name) in [
            (Some("getPetById"), "get", "/pet/{petId}", "get_pet_by_id"),
            (Some("issues/list-for-repo"), "get", "/x", "issues_list_for_repo"),
            (Some("read_item_items__item_id__get"), "get", "/items/{item_id}", "read_item"),
            (Some("1st"), "get", "/x", "get_1st"),
            (Some("***"), "get", "/pets", "get_pets"),
            (None, "get", "/api/v1/users/{id}/posts", "get_users_posts"),
            (None, "delete", "/users/{userId}", "delete_users_by_user_id"),
            (None, "post", "/", "create_root"),
            (
                Some("repos/list-deployment-branch-policies-for-the-environment-of-a-repo"),
                "get",
                "/x",
                "repos_list_deployment_environment_repo",
            ),
        ] {
            assert_eq!(tool(id, method, path), name, "{id:?} {path}");
        }
    }

    #[test]
    fn a_name_is_given_once() {
        let mut names = Names::default();
        assert_eq!(names.tool("get_pet"), "get_pet");
        assert_eq!(names.tool("get_pet"), "get_pet_2");
        assert_eq!(names.tool("Get_pet"), "Get_pet_3");
        let long = "a".repeat(40);
        assert_eq!(names.tool(&long), long);
        assert_eq!(names.tool(&long), format!("{}_2", "a".repeat(38)));
    }

    #[test]
    fn bridges_are_named_by_the_title() {
        for (title, name) in [
            ("Swagger Petstore - OpenAPI 3.0", "petstore"),
            ("The API", "the-api"),
            ("1Password Connect", "password-connect"),
            ("", "api"),
            ("Ünïcode größe", "ncode-gre"),
        ] {
            assert_eq!(bridge(title), name, "{title}");
        }
    }
}

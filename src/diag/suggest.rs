//! Floor 1. Which known name was meant. Silence beats a wrong guess.

/// The known name nearest to `given`, unless all are further off than a third of its length.
#[must_use]
pub fn closest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = given.to_lowercase();
    let limit = (given.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= limit && *name != given)
        .min_by(|(a, left), (b, right)| {
            let near = |name: &str| strsim::jaro_winkler(&lower, name);
            a.cmp(b).then_with(|| near(right).total_cmp(&near(left)))
        })
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_near_name_is_found_and_a_far_one_is_not() {
        let known = ["timeout", "title", "tags", "params"];
        for (given, found) in [
            ("tiemout", Some("timeout")),
            ("Title", Some("title")),
            ("tag", Some("tags")),
            ("parmas", Some("params")),
            ("headers", None),
            ("x", None),
        ] {
            assert_eq!(closest(given, known), found, "{given}");
        }
    }
}

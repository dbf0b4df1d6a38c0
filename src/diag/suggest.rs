//! Floor 1. Which known name was meant. Silence beats a wrong guess.

/// The known name nearest to `given`, unless all are further off than a third of its length.
#[must_use]
pub fn closest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = given.to_lowercase();
    near(given, known)
        .min_by(|(a, left), (b, right)| {
            let likeness = |name: &str| strsim::jaro_winkler(&lower, name);
            a.cmp(b).then_with(|| likeness(right).total_cmp(&likeness(left)))
        })
        .map(|(_, name)| name)
}

/// Every known name that `given` may have been meant to be, with its distance.
pub fn near<'a, 'g>(
    given: &'g str,
    known: impl IntoIterator<Item = &'a str> + 'g,
) -> impl Iterator<Item = (usize, &'a str)> + 'g
where
    'a: 'g,
{
    let lower = given.to_lowercase();
    let limit = (given.chars().count() / 3).max(1);
    let apart = move |name: &'a str| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name);
    known.into_iter().map(apart).filter(move |(distance, name)| *distance <= limit && *name != given)
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

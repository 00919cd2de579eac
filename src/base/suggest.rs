//! "Did you mean": the known name nearest to one that is not known.

/// The one of `known` that `name` most likely meant, or none where nothing is near.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn finds_the_near_and_not_the_far() {
        let known = ["click", "dblclick", "timeout", "wait_until"];
        assert_eq!(closest("clik", known), Some("click"));
        assert_eq!(closest("timout", known), Some("timeout"));
        assert_eq!(closest("waitUntil", known), Some("wait_until"));
        assert_eq!(closest("banana", known), None);
    }
}

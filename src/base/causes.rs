//! Errors with what led to them.

use std::error::Error;

/// The messages of the errors below `error`, outermost first.
pub fn causes(error: &dyn Error) -> Vec<String> {
    std::iter::successors(error.source(), |&cause| cause.source()).map(ToString::to_string).collect()
}

/// The messages of `error` and of all below it, in one line.
pub fn with_causes(error: &dyn Error) -> String {
    std::iter::once(error.to_string()).chain(causes(error)).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{what}")]
    struct Layer {
        what: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn causes_stand_outermost_first() {
        let layer = |what, source: Option<Layer>| Layer { what, source: source.map(Box::new) };
        let error = layer("not saved", Some(layer("not written", Some(layer("disk full", None)))));
        assert_eq!(causes(&error), ["not written", "disk full"]);
        assert_eq!(with_causes(&error), "not saved: not written: disk full");
        assert_eq!(causes(&layer("alone", None)), Vec::<String>::new());
    }
}

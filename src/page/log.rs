//! The call log of one verb: what was tried and why it was not good enough, equal lines counted instead of repeated.

/// Lines in order. Never holds a secret's value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallLog {
    lines: Vec<(String, usize)>,
}

impl CallLog {
    /// Adds a line; one equal to the last is counted.
    pub fn line(&mut self, text: impl Into<String>) {
        let text = text.into();
        match self.lines.last_mut() {
            Some((last, count)) if *last == text => *count += 1,
            _ => self.lines.push((text, 1)),
        }
    }

    /// The lines, each with how often it came in a row.
    pub fn lines(&self) -> impl Iterator<Item = (&str, usize)> {
        self.lines.iter().map(|(text, count)| (text.as_str(), *count))
    }
}

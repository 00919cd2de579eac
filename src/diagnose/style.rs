//! How text is to look: width, colours, line drawing. Decided by whoever knows the terminal.

use anstyle::{AnsiColor, Color};

/// What the reader's terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns.
    pub width: usize,
    /// Whether to colour.
    pub color: bool,
    /// Whether lines are drawn with more than ASCII.
    pub unicode: bool,
}

impl Style {
    /// For files, pipes and tests: 100 columns, no colour, line drawing.
    pub const PLAIN: Self = Self { width: 100, color: false, unicode: true };

    /// `text` in `tone`, where colours are on.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let style = tone.style();
        format!("{style}{text}{style:#}")
    }
}

/// What a piece of text is, from which its colour follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something failed.
    Bad,
    /// Something to look at.
    Warning,
    /// Something went well.
    Good,
    /// A heading or a name to find again.
    Strong,
    /// Something of less weight.
    Faint,
}

impl Tone {
    fn style(self) -> anstyle::Style {
        let color = |color| anstyle::Style::new().fg_color(Some(Color::Ansi(color)));
        match self {
            Self::Bad => color(AnsiColor::Red).bold(),
            Self::Warning => color(AnsiColor::Yellow),
            Self::Good => color(AnsiColor::Green),
            Self::Strong => anstyle::Style::new().bold(),
            Self::Faint => anstyle::Style::new().dimmed(),
        }
    }
}

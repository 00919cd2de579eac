//! Options of the verbs, one struct per kind of verb; defaults are the documented ones.

use std::time::Duration;

/// When a navigation counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoadState {
    /// The response has begun and the document been swapped in.
    Commit,
    /// `DOMContentLoaded`.
    DomContentLoaded,
    /// The `load` event.
    #[default]
    Load,
    /// No network traffic for 500 ms.
    NetworkIdle,
}

/// What `wait_for` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WaitState {
    /// In the document.
    Attached,
    /// Not in the document.
    Detached,
    /// In the document, with a box, and not `visibility: hidden`.
    #[default]
    Visible,
    /// Detached or not visible.
    Hidden,
}

/// Options of `goto`, `reload`, `go_back`.
#[derive(Debug, Clone, Default)]
pub struct GotoOptions {
    /// When it counts as done.
    pub wait_until: LoadState,
    /// The `Referer` to send.
    pub referer: Option<String>,
    /// Not to ask the document for its status, which costs a round trip: `goto` answers none then. `Page::status` asks for it, beside
    /// whatever else is asked.
    pub skip_status: bool,
}

/// Options of every action.
#[derive(Debug, Clone, Default)]
pub struct ActionOptions {
    /// Skip actionability checks other than that the element exists.
    pub force: bool,
    /// Check, but do not act.
    pub trial: bool,
}

/// Options of `click` and `dblclick`.
#[derive(Debug, Clone, Default)]
pub struct ClickOptions {
    /// As for every action.
    pub action: ActionOptions,
    /// `left` (default), `right` or `middle`.
    pub button: Option<String>,
    /// `Alt`, `Control`, `Meta`, `Shift`, `ControlOrMeta`, held down during the click.
    pub modifiers: Vec<String>,
    /// A point relative to the element's top left corner; its middle where none.
    pub position: Option<(f64, f64)>,
    /// 1, or more for multiple clicks.
    pub click_count: Option<u32>,
    /// Between press and release.
    pub delay: Option<Duration>,
}

/// Options of `type` and `press`.
#[derive(Debug, Clone, Default)]
pub struct TypeOptions {
    /// As for every action.
    pub action: ActionOptions,
    /// Between keys; one pipelined burst where none.
    pub delay: Option<Duration>,
}

/// How `select_option` finds an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectBy {
    /// By value or, failing that, by label: what a bare string means.
    ValueOrLabel(String),
    /// By its `value`.
    Value(String),
    /// By its text.
    Label(String),
    /// By its place, from 0.
    Index(usize),
}

/// What `wait_for_url` compares with.
#[derive(Debug, Clone)]
pub enum UrlPattern {
    /// `*` within a path segment, `**` across, `{a,b}`; the whole URL has to match.
    Glob(String),
    /// A regular expression, found anywhere.
    Regex(regex::Regex),
}

/// Options of `screenshot`.
#[derive(Debug, Clone, Default)]
pub struct ScreenshotOptions {
    /// Only this element.
    pub selector: Option<super::Selector>,
    /// The whole page and not only the viewport.
    pub full_page: bool,
    /// Elements painted over.
    pub mask: Vec<super::Selector>,
    /// `png` (default) or `jpeg`.
    pub jpeg: bool,
}

/// Where to scroll to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Towards the end of the page.
    #[default]
    Down,
    /// Towards its beginning.
    Up,
    /// Towards the left.
    Left,
    /// Towards the right.
    Right,
}

impl Direction {
    /// As scripts write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
            Self::Left => "left",
            Self::Right => "right",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Down, Self::Up, Self::Left, Self::Right].into_iter().find(|direction| direction.name() == name)
    }
}

/// Options of `scroll`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScrollOptions {
    /// Where to.
    pub direction: Direction,
    /// How far, in CSS pixels; four fifths of what is seen where none.
    pub amount: Option<u32>,
    /// On and on, until the end is reached and nothing more is added.
    pub until_stable: bool,
}

/// What `scroll` did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scrolled {
    /// How far it went, in CSS pixels; negative upwards and to the left.
    pub moved: i64,
    /// Whether the end in that direction is reached.
    pub at_end: bool,
    /// With `until_stable`: whether nothing more was added, and not only the time over.
    pub stable: bool,
}

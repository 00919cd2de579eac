//! What viewers are told.

use serde::{Deserialize, Serialize};

use super::Role;

/// A message to a viewer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToViewer {
    /// First of all, once.
    Hello {
        /// [`VERSION`](super::VERSION).
        version: u32,
        /// This viewer's number.
        viewer: u32,
        /// What it may.
        role: Role,
        /// The viewport's size.
        width: u32,
        /// See `width`.
        height: u32,
        /// The most pictures a second.
        fps: u32,
        /// Whether the page shows the picture alone.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        kiosk: bool,
        /// Whether it does not show the pointer.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        hide_cursor: bool,
        /// Whether there is no profile that bookmarks and passwords could be kept in.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        keeps_nothing: bool,
    },
    /// All tabs, whenever something about them has changed.
    Tabs {
        /// In the order of their opening.
        tabs: Vec<Tab>,
    },
    /// The icon of a tab, whenever that has changed: it is much more than all else of the tab. One that is told of no icon has none.
    Icon {
        /// Which.
        tab: u32,
        /// The icon as a `data:` URL.
        icon: Option<String>,
    },
    /// Who is in control, whenever that has changed.
    Control {
        /// The viewer in control; none where nobody is.
        holder: Option<u32>,
        /// How many viewers there are.
        viewers: u32,
        /// Whether it is the one that reads this.
        yours: bool,
        /// What the one that reads this may by now.
        role: Role,
    },
    /// The page asks with a dialog and stands still until it is answered.
    Dialog(Dialog),
    /// The dialog has been answered, or has gone.
    DialogClosed {
        /// Which.
        id: u32,
    },
    /// The page wants something chosen that Chromium would draw outside of the page.
    Picker(Picker),
    /// The picker has been answered, or has gone.
    PickerClosed {
        /// Which.
        id: u32,
    },
    /// The pointer's shape, as CSS has it (`pointer`, `text`, `default`, ...); never a URL.
    Cursor {
        /// The value of the CSS property `cursor`.
        cursor: String,
    },
    /// Where one types: for on-screen keyboards and the place of an input method's window. `null` where nothing editable has the focus.
    Caret {
        /// The focused field.
        at: Option<Caret>,
    },
    /// A download has begun, has got further, or has ended.
    Download(Download),
    /// The answer to `copy` and `cut`.
    Clipboard {
        /// What was selected; never what a password field holds.
        text: String,
    },
    /// It ends in so many seconds unless somebody does something.
    Warning {
        /// Which timer.
        kind: WarningKind,
        /// Seconds that are left.
        seconds: u64,
    },
    /// The warning is over: it goes on.
    WarningOver {},
    /// A script waits for a person; `done` lets it go on.
    Pause {
        /// What it asks for.
        reason: String,
    },
    /// It does not wait any more.
    PauseOver {},
    /// A form with a password was sent: keep it?
    PasswordOffer {
        /// What `save_password` is to name.
        id: u32,
        /// The site.
        origin: String,
        /// The user's name there; may be empty.
        username: String,
    },
    /// Whether an address is bookmarked: after `bookmark`, and of the page in front when one that is comes or goes.
    Bookmarked {
        /// The address.
        url: String,
        /// Whether it is.
        is: bool,
    },
    /// What was asked was not done.
    Error {
        /// A short stable name: `not_in_control`, `refused_address`, `too_large`, `not_understood`, `gone`, `failed`.
        code: String,
        /// For people.
        message: String,
        /// The picker whose files were not taken, where it is about those.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        picker: Option<u32>,
    },
    /// The last message: the browser has ended, or this viewer was sent away.
    Closed {
        /// `ended`, `offline`, `inactive`, `absolute`, `crashed`, `shutdown`, `removed` or another short name.
        reason: String,
    },
    /// The answer to `ping`.
    Pong {
        /// As it was sent.
        t: f64,
    },
}

/// A tab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is told by itself")]
pub struct Tab {
    /// Its number, never used again. The `tab` of pictures is its low 16 bits.
    pub id: u32,
    /// Its title; the address where it has none.
    pub title: String,
    /// Its address.
    pub url: String,
    /// Whether it is the one that the pictures show.
    pub active: bool,
    /// Whether it loads.
    pub loading: bool,
    /// Whether `back` leads somewhere.
    pub can_go_back: bool,
    /// Whether `forward` leads somewhere.
    pub can_go_forward: bool,
    /// Whether its renderer has crashed: `reload` revives it, `tab_close` ends it.
    #[serde(default)]
    pub crashed: bool,
}

/// What `alert`, `confirm`, `prompt` and `beforeunload` show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialog {
    /// What `dialog_answer` is to name.
    pub id: u32,
    /// Which kind.
    pub kind: DialogKind,
    /// What the page says; empty for `beforeunload`.
    pub message: String,
    /// What a prompt offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The document that asks.
    pub url: String,
    /// The tab that it is in.
    pub tab: u32,
}

/// The kinds of dialogs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialogKind {
    /// Tells something.
    Alert,
    /// Yes or no.
    Confirm,
    /// Asks for a text.
    Prompt,
    /// Leave the page? `accept` leaves it.
    Beforeunload,
}

/// A field whose value is chosen from something that the viewer's page draws.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picker {
    /// What `pick`, `pick_cancel` and `files` are to name.
    pub id: u32,
    /// Which kind.
    pub kind: PickerKind,
    /// Where the field is.
    pub rect: Rect,
    /// Its value as the field has it: `2031-05-06`, `12:30`, `#ff0000`; of a `select` the first chosen option's.
    pub value: String,
    /// What there is to choose from: of a `select` its options, else what a `datalist` suggests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Choice>,
    /// Whether several may be chosen.
    #[serde(default)]
    pub multiple: bool,
    /// The least value, as the field says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// The greatest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// The step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Which files are wanted, as the attribute `accept` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<String>,
}

/// The kinds of pickers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PickerKind {
    /// A drop-down.
    Select,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A day and a time of day.
    DatetimeLocal,
    /// A month.
    Month,
    /// A week.
    Week,
    /// A colour.
    Color,
    /// Files of the viewer's machine; answered by `files` or `pick_cancel`.
    File,
}

/// A rectangle in the viewport.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// One of a picker's options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What people read.
    pub label: String,
    /// What `pick` names. Opaque for a `select` (two options may have one value of the page's).
    pub value: String,
    /// The heading that it stands under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether it cannot be chosen.
    #[serde(default)]
    pub disabled: bool,
    /// Whether it is chosen now.
    #[serde(default)]
    pub selected: bool,
}

/// The field that has the focus and takes text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Caret {
    /// Where the field is.
    #[serde(flatten)]
    pub rect: Rect,
    /// Which on-screen keyboard fits, as the attribute `inputmode` has it: `text`, `numeric`, `email`, ...
    pub mode: String,
    /// Whether what is typed there is hidden.
    #[serde(default)]
    pub password: bool,
}

/// How far a download is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// An opaque name, hard to guess.
    pub id: String,
    /// The file's name, without folders.
    pub name: String,
    /// How it stands.
    pub state: DownloadState,
    /// Bytes that are here.
    pub received: u64,
    /// Bytes that it has; none where the server did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Where the viewer gets it, once it is completed. The HTTP layer fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub href: Option<String>,
}

/// How a download stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadState {
    /// It has begun.
    Started,
    /// It goes on.
    Progress,
    /// It is whole.
    Completed,
    /// It was broken off.
    Canceled,
}

/// The timers of a live browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// Nobody is connected.
    Offline,
    /// Nobody does anything.
    Inactive,
    /// It has lived as long as it may.
    Absolute,
}

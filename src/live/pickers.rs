//! Pickers: what the viewers' page draws in place of Chromium, and what was chosen there.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::browser::{Cdp, RawEvent};

use super::engine::Engine;
use super::hands::World;
use super::mailbox::{LONGEST_ERROR, cut};
use super::rpc::rpc;
use super::told::Wanted;
use super::uploads;
use super::wire::{File, Picker, PickerKind, Rect, ToViewer};

/// More options than these nobody looks through.
const MOST_OPTIONS: usize = 2000;

/// A picker that is open.
pub(super) struct Open {
    pub message: Picker,
    field: Field,
}

/// What it is for.
enum Field {
    /// Our script knows it by this number.
    Value(World, u32),
    /// A file input, in this tab and by Chromium's number.
    Files(u32, Cdp, i64),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chooser {
    mode: String,
    backend_node_id: Option<i64>,
}

impl Engine {
    pub(super) fn open_picker(&mut self, world: World, wanted: Wanted) {
        let rect = self.placed_at(&wanted.place).unwrap_or_default();
        let Wanted { kind, token, value, mut options, min, max, step, .. } = wanted;
        options.truncate(MOST_OPTIONS);
        let picker = Picker { id: 0, kind, rect, value, options, multiple: false, min, max, step, accept: None };
        self.show_picker(picker, Field::Value(world, token));
    }

    fn show_picker(&mut self, mut picker: Picker, field: Field) {
        self.close_picker();
        picker.id = self.number();
        self.tell(&ToViewer::Picker(picker.clone()));
        self.picker = Some(Open { message: picker, field });
    }

    /// There is none any more.
    pub(super) fn close_picker(&mut self) {
        if let Some(open) = self.picker.take() {
            self.tell(&ToViewer::PickerClosed { id: open.message.id });
        }
    }

    /// The page has gone on to something else.
    pub(super) fn picker_gone(&mut self, world: &World, token: u32) {
        let is_it = |open: &Open| {
            matches!(&open.field, Field::Value((cdp, context), known)
                if cdp.session_id() == world.0.session_id() && *context == world.1 && *known == token)
        };
        if self.picker.as_ref().is_some_and(is_it) {
            self.close_picker();
        }
    }

    /// What was chosen goes into the field.
    pub(super) fn pick(&mut self, id: u32, values: &[String]) {
        let Some(Open { field: Field::Value((cdp, context), token), .. }) = self.picker_with(id) else { return };
        let Ok(values) = serde_json::to_string(values) else { return };
        if values != "[]" {
            evaluate(cdp, *context, &format!("__rhavenLive.pick({token},{values})"));
        }
        self.close_picker();
    }

    pub(super) fn unpick(&mut self, id: u32) {
        let Some(open) = self.picker_with(id) else { return };
        if let Field::Value((cdp, context), token) = &open.field {
            evaluate(cdp, *context, &format!("__rhavenLive.unpick({token})"));
        }
        self.close_picker();
    }

    fn picker_with(&self, id: u32) -> Option<&Open> {
        self.picker.as_ref().filter(|open| open.message.id == id)
    }

    /// Takes `Page.fileChooserOpened`.
    pub(super) fn wants_files(&mut self, tab: u32, cdp: &Cdp, event: &RawEvent) {
        let Some(chooser) = event.decode::<Chooser>().filter(|_| tab == self.active) else { return };
        let Some(node) = chooser.backend_node_id else { return };
        let multiple = chooser.mode == "selectMultiple";
        let described = cdp.send(rpc("DOM.describeNode", json!({"backendNodeId": node})));
        let (cdp, orders) = (cdp.clone(), self.orders.clone());
        tokio::spawn(async move {
            let accept = described.await.ok().and_then(|node| attribute(&node["node"]["attributes"], "accept"));
            orders.then(move |engine| {
                // The field itself is often hidden: what was clicked stands in for it.
                let rect = Rect { x: engine.mouse.0, y: engine.mouse.1, ..Rect::default() };
                let picker = Picker {
                    id: 0,
                    kind: PickerKind::File,
                    rect,
                    value: String::new(),
                    options: Vec::new(),
                    multiple,
                    min: None,
                    max: None,
                    step: None,
                    accept,
                };
                engine.show_picker(picker, Field::Files(tab, cdp, node));
            });
        });
    }

    /// The files that a viewer hands over.
    pub(super) fn files(&mut self, viewer: u32, id: u32, mut files: Vec<File>) {
        let Some(Open { field: Field::Files(tab, cdp, node), message }) = self.picker_with(id) else {
            return self.refuse_files(viewer, id, "gone", "nobody waits for files any more");
        };
        if !message.multiple {
            files.truncate(1);
        }
        let field = uploads::Field { tab: *tab, cdp: cdp.clone(), node: *node };
        self.hand_over((viewer, id), field, files);
    }

    /// Tells a viewer that the files for a picker were not taken.
    pub(super) fn refuse_files(&self, viewer: u32, id: u32, code: &str, message: impl Into<String>) {
        let (code, message) = (code.to_owned(), cut(&message.into(), LONGEST_ERROR).to_owned());
        self.tell_one(viewer, ToViewer::Error { code, message, picker: Some(id) });
    }
}

/// As a person's choice: what the page opens then is not held back.
fn evaluate(cdp: &Cdp, context: i64, expression: &str) {
    let params = json!({"expression": expression, "contextId": context, "userGesture": true});
    cdp.send(rpc("Runtime.evaluate", params)).forget();
}

/// An attribute in the list of names and values that `DOM.describeNode` answers.
fn attribute(list: &Value, name: &str) -> Option<String> {
    let list = list.as_array()?;
    let found = list.chunks_exact(2).find(|pair| pair[0] == name)?;
    found[1].as_str().filter(|value| !value.is_empty()).map(str::to_owned)
}

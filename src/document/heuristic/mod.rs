//! Extraction by description: a page's HTML and a schema of names and descriptions in, values of the described shape out, with
//! where each was taken from and how sure that is. Nothing is guessed beyond what the page says: what is not sure enough is
//! missing. Pure and deterministic; time and memory stay within bounds that the size of the page sets, whatever is in it.

mod aside;
mod choose;
mod columns;
mod complete;
mod convert;
mod dates;
mod describe;
mod dom;
mod evidence;
mod facts;
mod grammar;
mod grid;
mod groups;
mod linked;
mod lists;
mod model;
mod naming;
mod offers;
mod phrase;
mod places;
mod reading;
mod shapes;
mod spoken;
mod utility;
mod value;
mod vocabulary;
mod wanted;
mod words;

use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

pub use aside::extract_by;
pub(super) use reading::Reading;
pub use wanted::{Schema, SchemaError};

use super::DocumentError;
use aside::GivenUp;
use choose::Page;
use wanted::Want;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Extraction {
    /// By name; without what is missing.
    pub data: Map<String, Value>,
    /// Names that nothing was found for; `orders[].status` where a whole column was not.
    pub missing: Vec<String>,
    /// Where each value was taken from.
    pub sources: Vec<Provenance>,
}

/// Where a value was taken from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Provenance {
    /// The field: `price`, `orders[].id`.
    pub field: String,
    /// A selector, or such as `json-ld Product.name`.
    pub from: String,
    /// 0 to 1.
    pub confidence: f64,
}

/// Looks for what `schema` describes. Blocks: milliseconds for most pages, seconds for the largest. `base` is what addresses are relative to; a `<base>` of the page counts more.
pub fn extract(html: &str, base: Option<&Url>, schema: &Schema) -> Result<Extraction, DocumentError> {
    extract_until(html, base, schema, GivenUp::default())
}

fn extract_until(
    html: &str,
    base: Option<&Url>,
    schema: &Schema,
    given_up: GivenUp,
) -> Result<Extraction, DocumentError> {
    let page = Page::read(html, base, schema, given_up)?;
    let mut found = Extraction { data: Map::new(), missing: Vec::new(), sources: Vec::new() };
    let matches = lists::assign(&page, schema);
    for ((name, want), assigned) in schema.fields.iter().zip(matches) {
        let value = match want {
            Want::One(attribute) => page.one(name, attribute, &mut found),
            Want::Record(attributes) => page.record(name, attributes, &mut found),
            Want::List(list) => lists::find(&page, name, list, assigned, &mut found),
        };
        match value {
            Some(value) => drop(found.data.insert(name.clone(), value)),
            None => found.missing.push(name.clone()),
        }
    }
    // What was found until then is not what the page says.
    if page.dom.given_up.is_so() { Err(DocumentError::Late) } else { Ok(found) }
}

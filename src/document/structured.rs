//! What a document says for machines, put together.

use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use super::DocumentError;
use super::dom::with_dom;
use super::{json_ld, meta, microdata};

/// What a document says for machines.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StructuredData {
    /// The nodes of its JSON-LD, those of a `@graph` each by itself.
    pub json_ld: Vec<Value>,
    /// The items of its microdata: `{type?, id?, properties: {name: [value or item]}}`.
    pub microdata: Vec<Value>,
    /// Its Open Graph properties, without `og:`; a list where one comes again.
    pub open_graph: Map<String, Value>,
    /// Its Twitter card, without `twitter:`.
    pub twitter: Map<String, Value>,
    /// Its title, language, canonical address and further `<meta>` names.
    pub meta: Map<String, Value>,
    /// What could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// The structured data of a document: JSON-LD, microdata, Open Graph and the like. Blocks while it reads.
pub fn structured_data(html: &str, base: &Url) -> Result<StructuredData, DocumentError> {
    with_dom(html, base, |dom| {
        let (json_ld, problems) = json_ld::read(dom);
        let meta::Meta { open_graph, twitter, other } = meta::read(dom);
        Ok(StructuredData { json_ld, microdata: microdata::read(dom), open_graph, twitter, meta: other, problems })
    })
}

//! Where the user's own page is.

use crate::api::response::Render;

/// One key of a ConfigMap in the window's namespace, and what is done to what it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageRef {
    /// The name of the ConfigMap: one that the path of a request may have in it.
    pub config_map: String,
    /// The key in its `data` or `binaryData`.
    pub key: String,
    /// Absent in the manifest: Verbatim.
    pub render: Render,
}

//! Names of labels, annotations and objects: what Entracte writes on, and beside, a user's
//! objects. A person who cleans up by hand looks for these.

/// The API group of `MaintenanceWindow`, and the prefix of every label and annotation of ours.
pub const GROUP: &str = "entracte.dev";

/// The selector key that holds a Service. Its value is the Service's uid; no pod bears it.
pub const HOLD_KEY: &str = "entracte.dev/hold";

/// The annotation on a held object that says what to put back.
pub const HOLD_ANNOTATION: &str = "entracte.dev/hold";

/// The label on a held object: `kubectl get svc,ing -A -l entracte.dev/held` lists them.
pub const HELD_LABEL: &str = "entracte.dev/held";

/// The value of [`HELD_LABEL`] while an object is held.
pub const HELD: &str = "true";

/// The label on a bridge, and on its slices, that names its window.
pub const WINDOW_LABEL: &str = "entracte.dev/window";

/// The label on a notice (a ConfigMap in the operator's namespace): the uid of its window.
pub const WINDOW_UID_LABEL: &str = "entracte.dev/window-uid";

/// The label that every notice bears; the backend watches ConfigMaps with it and nothing else.
pub const NOTICE_LABEL: &str = "entracte.dev/notice";

/// The key of a notice's ConfigMap under which the notice lies, as JSON.
pub const NOTICE_KEY: &str = "notice.json";

/// The annotation on an object of ours that lingers: the instant (RFC 3339) of its deletion.
pub const LINGER_ANNOTATION: &str = "entracte.dev/linger-until";

/// The usual label that says who made an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// The value of [`MANAGED_BY_LABEL`] on objects of ours.
pub const MANAGED_BY: &str = "entracte";

/// Who writes an EndpointSlice: `endpointslice.kubernetes.io/managed-by` (KEP-752). The
/// platform's controller leaves slices of other managers alone.
pub const SLICE_MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";

/// The value of [`SLICE_MANAGED_BY_LABEL`] on slices of ours.
pub const SLICE_MANAGED_BY: &str = "entracte.dev";

/// The label that ties an EndpointSlice to its Service.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

/// The field manager of every write of ours.
pub const FIELD_MANAGER: &str = "entracte";

/// The response header that names the window which answers, as `namespace/name`.
pub const WINDOW_HEADER: &str = "entracte-window";

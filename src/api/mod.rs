//! The custom resource `MaintenanceWindow`, and the names that we write on objects.
//!
//! The schema is all of version `v1alpha1`: fields that this version of the operator does not
//! honour yet are in it, say so in their description, and are refused by [`crate::schedule`]
//! while they are set. It holds no defaults: what is absent stays absent, and the description
//! says what that means.

pub mod conditions;
pub mod crd;
pub mod httproute;
pub mod names;
pub mod response;
mod rules;
mod schema;
pub mod status;
pub mod target;
pub mod time;
pub mod window;

pub use window::{MaintenanceWindow, MaintenanceWindowSpec};

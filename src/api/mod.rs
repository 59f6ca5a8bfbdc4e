//! The custom resource `MaintenanceWindow`, and the names that we write on objects.

pub mod names;

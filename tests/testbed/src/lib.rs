//! A real Kubernetes cluster without containers.

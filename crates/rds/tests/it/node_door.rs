//! The node as its control plane meets it: over mutual TLS.

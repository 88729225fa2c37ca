//! Typed header extensions.

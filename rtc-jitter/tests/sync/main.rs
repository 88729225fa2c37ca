//! Lip sync of sound and picture that come over networks of their own, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod scenes;
mod sim;

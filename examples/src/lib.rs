//! x
pub mod wav;

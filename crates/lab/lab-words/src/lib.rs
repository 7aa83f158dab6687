//! What is said of stored figures and checks: evidence is data, and becomes words here, when it is shown.
//!
//! - [`words`]: a figure, a share, a list as text
//! - [`checks`]: what a check says

pub mod checks;
pub mod words;

//! A sender of documents: hands in a file whole or by parts, asks again where there is no answer, and knows in the end that it
//! is stored. With [samples](sample) of what a school system hands in.

pub mod sample;
pub mod sender;

/// An error that is only to be read by a person.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// A result with such an error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

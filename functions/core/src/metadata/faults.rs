//! The faults of a message, gathered so that its sender hears of all of them at once.

use crate::{Error, MetadataFault, Result};

/// The faults that were found so far.
#[derive(Default)]
pub(super) struct Faults {
    found: Vec<MetadataFault>,
    /// The first error that is no fault of the metadata.
    other: Option<Error>,
}

impl Faults {
    /// What was read; where it has faults, these are noted, and there is nothing.
    pub(super) fn take<T>(&mut self, read: Result<T>) -> Option<T> {
        match read {
            Ok(value) => return Some(value),
            Err(Error::InvalidMetadata(faults)) => {
                for fault in faults {
                    // A member that is read twice has its fault once.
                    if self.found.iter().all(|known| known.pointer != fault.pointer) {
                        self.found.push(fault);
                    }
                }
            }
            Err(error) => self.other = self.other.take().or(Some(error)),
        }
        None
    }

    /// Ends with an error where something was found.
    pub(super) fn end(self) -> Result<()> {
        match self.other {
            _ if !self.found.is_empty() => Err(Error::InvalidMetadata(self.found)),
            Some(other) => Err(other),
            None => Ok(()),
        }
    }

    /// The same, for what was made of all that was read: it is there where nothing was found.
    pub(super) fn end_with<T>(self, made: Option<T>) -> Result<T> {
        self.end()?;
        made.ok_or_else(|| Error::metadata("", "cannot be read"))
    }
}

//! Reads `multipart/form-data` (RFC 7578) as OKD's messages come: a part with the metadata and a part with the file. The service
//! reads a form that is [whole](multipart), the relay one of any size [piece by piece](incoming); both take and refuse the same.

pub mod fault;
pub mod incoming;
pub mod multipart;
pub mod parameters;

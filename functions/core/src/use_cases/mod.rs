//! The use cases, one file each. Senders: a document is [stored whole](fn@store_inline), an upload
//! [begun](fn@begin_upload), its [status](fn@status) read, [completed](fn@complete) or [aborted](fn@abort). A document is
//! [found](fn@find) to be read, [listed](fn@list), [replaced](fn@replace) or [deleted](fn@delete). An enrolment is
//! [reported](fn@report_association). Behind their backs: a new object is [looked at](fn@on_object_created), a checksum
//! [verified](mod@verify), a scanner's verdict [written down](fn@on_verdict), what is due
//! [swept](fn@sweep), the bucket [looked through](fn@look_through). Operators: [open uploads](fn@open_uploads) are
//! listed and ended.
//!
//! Between any two calls the process may die. The order of the calls sees to it that what is left behind is either
//! invisible (an upload that no item points to: the bucket's lifecycle rule ends it) or listed as pending, so that the
//! same request sent again finishes it, or else the sweep. Only the conditional write of the document's item
//! ([`commit`]) makes anything true.

mod abort;
mod begin_upload;
mod cleanup;
mod commit;
mod complete;
mod delete;
mod destroy;
mod fate;
mod finding;
mod finish;
mod hold;
mod list;
mod load;
mod look_through;
mod on_object_created;
mod open_uploads;
mod read;
mod replace;
mod report_association;
mod screen;
mod status;
mod store_inline;
mod sweep;
mod tell_documents;
mod verify;
mod view;

pub use abort::abort;
pub use begin_upload::{Begun, begin_upload};
pub use complete::{Completed, complete};
pub use delete::{delete, restore};
pub use destroy::destroy;
pub use hold::hold;
pub use list::{Cursor, MAX_PAGE, PAGE, Page, PageAsked, Question, Start, list};
pub use look_through::{Looked, look_through};
pub use on_object_created::{Created, on_object_created};
pub use open_uploads::{end_upload, open_uploads};
pub use read::{NotStored, Readable, Standing, fetch, find, keeping, link, open};
pub use replace::{Replaced, replace, replace_by_parts};
pub use report_association::report_association;
pub use screen::{Screened, on_verdict};
pub use status::{UploadStatus, status};
pub use store_inline::store_inline;
pub use sweep::{Swept, longest, sweep};
pub use verify::Verified;
pub use view::UploadView;

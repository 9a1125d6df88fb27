//! A sender of documents to the OKD document service: hands in a file whole or by parts, asks again where there is no answer,
//! and knows in the end that it is stored.
//!
//! ```no_run
//! use std::path::PathBuf;
//!
//! use okd_client::{Kind, Message, Resource, Sender, Source};
//!
//! # async fn example() -> okd_client::Result<()> {
//! let sender = Sender::new("https://dms.example/live", "a token".to_owned());
//! let resource = Resource { kind: Kind::Association, id: "123e4567-e89b-12d3-a456-426614174000".to_owned() };
//! let json = r#"{
//!     "associationId": "123e4567-e89b-12d3-a456-426614174000",
//!     "consumers": [{
//!         "consumerKey": "nl-okd", "documentType": "examination",
//!         "documentId": "100245", "documentName": "recording.mp4"
//!     }]
//! }"#;
//! let message = Message::new(resource, json.to_owned());
//! let file = Source::File(PathBuf::from("recording.mp4"));
//! let contents = file.contents().await?;
//! let handed_in = sender.put(&message, &file, &contents).await?;
//! println!("{}", handed_in.id);
//! # Ok(())
//! # }
//! ```
//!
//! With a client's id and secret instead of a token, see [`Tokens::of_client`]. What the service refused is
//! [`Error::Refused`], with its problem document.

mod calls;
mod download;
mod error;
mod message;
mod sender;
mod source;
mod tokens;
mod webhook;

pub use calls::{connections, url_of};
pub use error::{Error, Refused, Result};
pub use message::{Kind, Message, OfFile, Resource};
pub use sender::{End, HandedIn, Sender};
pub use source::{Contents, Digests, INLINE, Source};
pub use tokens::{Client, Credential, Tokens};
pub use webhook::{Signing, secret};

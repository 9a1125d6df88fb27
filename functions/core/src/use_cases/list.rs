//! Documents are listed for those who may know of them: those of an association, an offering, a person or a student, and
//! those that need no longer be kept.

use jiff::civil::Date;

use super::read::{Readable, find_newest};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    class::DocumentType,
    document::{Content, Document},
    retention::day,
    stores::{By, ItemKey},
};

/// The most documents on one page (OOAPI's largest `pageSize`).
pub const MAX_PAGE: usize = 250;
/// The documents on a page where a request does not say (OOAPI's `pageSize`).
pub const PAGE: usize = 10;
/// The most documents that are looked at for one page, so that it comes in time also where the caller may see few of them.
const MAX_LOOKED_AT: usize = 5_000;
/// The characters of a document's id, 28 of 36, that a cursor leaves out which stands at one that the caller may not see.
const HIDDEN: usize = 28;

/// A question for documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What they are found by.
    pub by: By,
    /// Only documents of this type.
    pub document_type: Option<DocumentType>,
    /// Only documents stored on this day (UTC) or later.
    pub since: Option<Date>,
    /// Only documents stored on this day (UTC) or earlier.
    pub until: Option<Date>,
    /// The page of the answer.
    pub page: PageAsked,
}

/// The page that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageAsked {
    /// The most documents on it: 1 to [`MAX_PAGE`].
    pub size: usize,
    /// The place where it begins.
    pub start: Start,
}

/// The place in a list where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With the page of this number, from 1.
    Page(usize),
    /// After this cursor, as the page that its reader takes for the one of this number.
    After(Cursor, usize),
}

/// A place in a list: that of a document's entry, or the beginning of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor as one of our answers had it; `None` where it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let has_characters = text.bytes().all(|byte| b"-.".contains(&byte) || byte.is_ascii_hexdigit());
        ((1..="2029-07-31.".len() + 36).contains(&text.len()) && has_characters).then(|| Self(text.to_owned()))
    }

    /// The cursor as an answer has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// Its documents, each with the content that its reader gets.
    pub documents: Vec<(Document, Content)>,
    /// The place where the next page begins, where there is one.
    pub next: Option<Cursor>,
}

/// Lists the documents that the caller may read and that are stored (also while a newer content is on its way). It reads
/// their entries, then the documents, a hundred at once, until the page is full.
pub async fn list(stores: &Stores, caller: &Caller, question: &Question) -> Result<Page> {
    let PageAsked { size, ref start } = question.page;
    let (mut to_skip, mut after) = match start {
        Start::Page(number) => (number.saturating_sub(1).saturating_mul(size), None),
        Start::After(cursor, _) => (0, Some(cursor.0.clone())),
    };
    let mut documents: Vec<(Document, Content)> = Vec::new();
    let mut looked_at = 0;
    loop {
        let (keys, last) = stores.documents.listed(&caller.tenant, &question.by, after.as_deref()).await?;
        looked_at += keys.len();
        for document in stores.documents.load_all(&keys).await? {
            let Some(found) = answer(stores, caller, document, question).await? else {
                continue;
            };
            if to_skip > 0 {
                to_skip -= 1;
            } else if documents.len() == size {
                let next = documents.last().and_then(|(document, _)| question.place_of(document));
                return Ok(Page { documents, next });
            } else {
                documents.push(found);
            }
        }
        let Some(last) = last else {
            return Ok(Page { documents, next: None });
        };
        if looked_at >= MAX_LOOKED_AT {
            if to_skip > 0 {
                return Err(Error::PageTooFar);
            }
            return Ok(Page { documents, next: Some(Cursor(last[..last.len() - HIDDEN].to_owned())) });
        }
        after = Some(last);
    }
}

impl Question {
    /// The place of a document of the answer.
    fn place_of(&self, document: &Document) -> Option<Cursor> {
        let link = match &self.by {
            By::Link(link) => link.clone(),
            By::DueBefore(_) => document.retention_link()?,
        };
        Some(Cursor(ItemKey::link(&document.key(), &link).sk))
    }
}

/// The document with the content that its reader would get, if it is an answer to the question. One call, where the current
/// content has yet to be compared.
async fn answer(
    stores: &Stores,
    caller: &Caller,
    document: Document,
    question: &Question,
) -> Result<Option<(Document, Content)>> {
    if document.content.is_none() || !caller.may_know_of(&document) {
        return Ok(None);
    }
    let Readable::Content(document, content) = find_newest(stores, caller, document).await? else {
        return Ok(None);
    };
    let metadata = &content.metadata;
    let stored_on = day(content.stored_at);
    let is_found = match &question.by {
        By::Link(link) => metadata.links.all().contains(link),
        By::DueBefore(day) => document.kept_until.is_some_and(|until| until < *day),
    };
    let is_answer = is_found
        && question.document_type.is_none_or(|wanted| wanted == metadata.okd.document_type)
        && question.since.is_none_or(|since| stored_on >= since)
        && question.until.is_none_or(|until| stored_on <= until);
    Ok(is_answer.then_some((*document, *content)))
}

//! Pages of listings.

use s3s::dto::{CommonPrefix, EncodingType};
use s3s::{S3Result, s3_error};

use crate::percent;

/// The number of entries a page has unless the request asks for fewer.
const PAGE: i32 = 1000;

pub(crate) struct Page<T> {
    pub(crate) entries: Vec<T>,
    pub(crate) common_prefixes: Vec<String>,
    /// The last key or common prefix on this page, if there is a next one.
    pub(crate) next: Option<String>,
}

/// The part of a walk that goes on one page.
pub(crate) struct Cut<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    /// The end of the page before; if that was a common prefix, its keys are done.
    pub(crate) after: &'a str,
    pub(crate) max: usize,
}

impl Cut<'_> {
    pub(crate) fn page<'k, T>(&self, walk: impl Iterator<Item = (&'k str, T)>) -> Page<T> {
        let mut page = Page { entries: Vec::new(), common_prefixes: Vec::new(), next: None };
        let mut last = String::new();
        for (key, entry) in walk.filter(|(key, _)| key.starts_with(self.prefix)) {
            let group = self.common_prefix(key);
            if group.is_some_and(|group| {
                group == self.after || page.common_prefixes.last().is_some_and(|seen| seen == group)
            }) {
                continue;
            }
            if page.entries.len() + page.common_prefixes.len() == self.max {
                page.next = Some(last).filter(|_| self.max > 0);
                break;
            }
            group.unwrap_or(key).clone_into(&mut last);
            match group {
                Some(group) => page.common_prefixes.push(group.to_owned()),
                None => page.entries.push(entry),
            }
        }
        page
    }

    fn common_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter.filter(|delimiter| !delimiter.is_empty())?;
        let at = key[self.prefix.len()..].find(delimiter)?;
        Some(&key[..self.prefix.len() + at + delimiter.len()])
    }
}

pub(crate) fn page_size(asked: Option<i32>, name: &str) -> S3Result<(i32, usize)> {
    let size = asked.unwrap_or(PAGE).min(PAGE);
    let count = usize::try_from(size)
        .map_err(|_| s3_error!(InvalidArgument, "Argument {name} must be an integer between 0 and 2147483647"))?;
    Ok((size, count))
}

/// Writes keys as the request wants them: as they are, or percent-encoded.
pub(crate) fn writer(encoding: Option<&EncodingType>) -> fn(&str) -> String {
    match encoding.map(EncodingType::as_str) {
        Some(EncodingType::URL) => percent::encode,
        _ => str::to_owned,
    }
}

pub(crate) fn prefixes(page: &[String], write: fn(&str) -> String) -> Vec<CommonPrefix> {
    page.iter().map(|prefix| CommonPrefix { prefix: Some(write(prefix)) }).collect()
}

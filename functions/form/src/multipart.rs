//! The parts of a `multipart/form-data` body that has come whole (RFC 2046, section 5.1, and RFC 7578).
//!
//! A delimiter is a line of its own. A line that only begins like one is content, so that a file is what it was, byte
//! for byte.

use bytes::Bytes;
use memchr::memmem;

use crate::parameters::{Fault, Valued, is_token};

/// Bytes of headers that a part may have; real ones have some hundred.
pub(crate) const MAX_HEAD: usize = 8 * 1024;

/// Blanks behind a boundary, at most (RFC 2046 lets transports add some).
const MAX_PADDING: usize = 256;

/// Reasons why a body is no form. The texts follow "The multipart/form-data body cannot be read: ".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each says it in its text")]
pub enum Malformed {
    #[error("its Content-Type names no boundary")]
    NoBoundary,
    #[error("its Content-Type gives a parameter twice")]
    AmbiguousType,
    #[error("it is empty")]
    Empty,
    #[error("a line of it ends in LF; lines have to end in CRLF")]
    BareLf,
    #[error("no line of it is the boundary that its Content-Type names")]
    OtherBoundary,
    #[error("it ends before its last boundary")]
    CutShort,
    #[error("the headers of a part cannot be read; in a quoted file name a quote has a backslash before it")]
    Head,
    #[error("the headers of a part are longer than {MAX_HEAD} bytes")]
    LongHead,
    #[error("a part has the same header, or the same parameter of it, twice")]
    Twice,
    #[error("a part gives its name as name*, which readers take for different names; send name=\"file\"")]
    ExtendedName,
}

/// The boundary that a request's Content-Type names.
pub fn boundary(content_type: &str) -> Result<String, Malformed> {
    let valued = Valued::parse(content_type).map_err(|fault| match fault {
        Fault::Unreadable => Malformed::NoBoundary,
        Fault::Twice => Malformed::AmbiguousType,
    })?;
    let boundary = valued.get("boundary").filter(|boundary| !boundary.is_empty() && !boundary.ends_with(' '));
    boundary.map(str::to_owned).ok_or(Malformed::NoBoundary)
}

/// A part: its headers and its bytes.
#[derive(Debug)]
pub struct Part {
    /// Its headers.
    pub head: Head,
    /// The bytes between the head and the next delimiter.
    pub bytes: Bytes,
}

/// The headers of a part: pairs of a name in lower case and the value as sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head(Vec<(String, String)>);

impl Head {
    /// Returns a header's value as sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns a header's value with its parameters.
    pub fn valued(&self, name: &str) -> Result<Option<Valued>, Malformed> {
        let valued = self.header(name).map(Valued::parse).transpose();
        valued.map_err(|fault| match fault {
            Fault::Unreadable => Malformed::Head,
            Fault::Twice => Malformed::Twice,
        })
    }
}

/// The parts of a body, one after the other. Bytes before the first delimiter and behind the last are ignored.
pub struct Parts {
    body: Bytes,
    /// CRLF, two hyphens and the boundary.
    delimiter: Vec<u8>,
    /// The place where the next part's head begins; `None` behind the last part.
    next: Option<usize>,
}

/// A delimiter in a body.
struct Delimiter {
    /// The place of its CRLF.
    start: usize,
    /// The place where the next part begins; `None` if it is the last delimiter.
    next: Option<usize>,
}

impl Parts {
    /// The parts of `body` between lines of this boundary.
    pub fn of(body: Bytes, boundary: &str) -> Result<Self, Malformed> {
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        let mut parts = Self { body, delimiter, next: None };
        let first = parts.delimiter_at_the_start().or_else(|| parts.find(0));
        parts.next = first.ok_or_else(|| parts.explain())?.next;
        Ok(parts)
    }

    /// Finds the reason why there is no delimiter.
    fn explain(&self) -> Malformed {
        let holds = |needle: &[u8]| memmem::find(&self.body, needle).is_some();
        if self.body.is_empty() {
            Malformed::Empty
        } else if holds(&[&self.delimiter[2..], b"\n"].concat()) {
            Malformed::BareLf
        } else if self.body.trim_ascii_end().ends_with(&self.delimiter[2..]) {
            Malformed::CutShort
        } else {
            Malformed::OtherBoundary
        }
    }

    /// The next part.
    pub fn next_part(&mut self) -> Result<Option<Part>, Malformed> {
        let Some(start) = self.next else {
            return Ok(None);
        };
        let (head, content) = head(&self.body[start..])?;
        let content = start + content;
        // In a part without a body the empty line's CRLF is the delimiter's too.
        let end = self.find(content - 2).ok_or_else(|| self.explain_end(content))?;
        self.next = end.next;
        Ok(Some(Part { head, bytes: self.body.slice(content..end.start.max(content)) }))
    }

    /// Finds the reason why the content that begins at `content` has no end.
    fn explain_end(&self, content: usize) -> Malformed {
        let bare = [b"\n", &self.delimiter[2..], b"--"].concat();
        if memmem::find(&self.body[content..], &bare).is_some() { Malformed::BareLf } else { Malformed::CutShort }
    }

    /// Returns the delimiter that a body may begin with: the first one, without a CRLF before it.
    fn delimiter_at_the_start(&self) -> Option<Delimiter> {
        let line = &self.delimiter[2..];
        self.body.starts_with(line).then(|| self.delimiter(0, line.len())).flatten()
    }

    /// Returns the first delimiter from `from` on.
    fn find(&self, from: usize) -> Option<Delimiter> {
        let mut starts = memmem::find_iter(&self.body[from..], &self.delimiter);
        starts.find_map(|start| self.delimiter(from + start, from + start + self.delimiter.len()))
    }

    /// Returns the delimiter that begins at `start` and whose boundary ends at `end`. There is none where the line goes
    /// on: that is content.
    fn delimiter(&self, start: usize, end: usize) -> Option<Delimiter> {
        match judge(&self.body[end..], true) {
            Judged::Next(length) => Some(Delimiter { start, next: Some(end + length) }),
            Judged::Last => Some(Delimiter { start, next: None }),
            Judged::Content | Judged::TooShort => None,
        }
    }
}

/// What follows a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// So many bytes end its line, and a part follows.
    Next(usize),
    /// It was the last one.
    Last,
    /// The line goes on: it is content.
    Content,
    /// More has to come before that can be told.
    TooShort,
}

/// Judges what follows a boundary; `is_all` where nothing comes behind it.
pub(crate) fn judge(rest: &[u8], is_all: bool) -> Judged {
    let (is_last, line) = rest.strip_prefix(b"--").map_or((false, rest), |line| (true, line));
    let padding = line.iter().take(MAX_PADDING + 1).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if padding > MAX_PADDING {
        return Judged::Content;
    }
    match (is_last, &line[padding..]) {
        (true, [b'\r', b'\n', ..]) => Judged::Last,
        (true, [] | [b'\n']) if is_all => Judged::Last,
        (false, [b'\r', b'\n', ..]) => Judged::Next(padding + 2),
        (_, [] | [b'\r']) | (true, [b'\n']) if !is_all => Judged::TooShort,
        (false, [b'-']) if !is_all && padding == 0 => Judged::TooShort,
        _ => Judged::Content,
    }
}

/// Reads the headers that `rest` begins with; returns them and where what they describe begins.
///
/// Errors: [`Malformed::CutShort`] where `rest` ends too soon.
pub(crate) fn head(rest: &[u8]) -> Result<(Head, usize), Malformed> {
    if rest.starts_with(b"\r\n") {
        return Ok((Head::default(), 2));
    }
    let within = &rest[..rest.len().min(MAX_HEAD + 4)];
    let end = memmem::find(within, b"\r\n\r\n");
    if memmem::find(&within[..end.unwrap_or(within.len())], b"\n\n").is_some() {
        return Err(Malformed::BareLf);
    }
    let end = end.ok_or(if within.len() < rest.len() { Malformed::LongHead } else { Malformed::CutShort })?;
    Ok((Head(headers(&rest[..end])?), end + 4))
}

/// The headers of a head, folded lines put together (RFC 5322, section 2.2.3, as mail libraries write them).
fn headers(head: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text.to_owned(),
        Err(_) => head.iter().copied().map(in_windows_1252).collect(),
    };
    let unfolded = text.replace("\r\n ", " ").replace("\r\n\t", " ");
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in unfolded.split("\r\n") {
        if line.contains('\n') {
            return Err(Malformed::BareLf);
        }
        let (name, value) = line.split_once(':').ok_or(Malformed::Head)?;
        let control = |character: char| character.is_ascii_control() && character != '\t';
        if name.is_empty() || !name.bytes().all(is_token) || value.contains(control) {
            return Err(Malformed::Head);
        }
        let name = name.to_ascii_lowercase();
        if name.starts_with("content-") && headers.iter().any(|(other, _)| *other == name) {
            return Err(Malformed::Twice);
        }
        headers.push((name, value.trim_matches([' ', '\t']).to_owned()));
    }
    Ok(headers)
}

/// Reads a byte of a head that is not UTF-8. Browsers take ISO-8859-1 for this charset too (the WHATWG Encoding
/// standard).
fn in_windows_1252(byte: u8) -> char {
    const FROM_80: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => FROM_80[usize::from(byte - 0x80)],
        other => char::from(other),
    }
}

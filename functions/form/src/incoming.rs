//! The parts of a body that comes piece by piece. No more is held than a head, or a line that may be a delimiter.

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use crate::multipart::{Head, Judged, MAX_HEAD, Malformed, head, judge};

/// Bytes before the first delimiter, at most; mail libraries write a line.
const MAX_PREAMBLE: usize = 64 << 10;

/// A body that comes piece by piece.
#[derive(Debug)]
pub struct Incoming {
    /// CRLF, two hyphens and the boundary.
    delimiter: Vec<u8>,
    /// What came and was not given yet.
    buffer: BytesMut,
    state: State,
    has_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first delimiter.
    Preamble,
    /// A part begins.
    Head,
    /// Within a part. The buffer begins with so many bytes that are the head's.
    Content(usize),
    /// Behind the last delimiter.
    Done,
}

/// What comes next.
#[derive(Debug)]
pub enum Event {
    /// A part begins.
    Part(Head),
    /// Bytes of the part that began last.
    Bytes(Bytes),
    /// There are no more parts.
    End,
    /// The next piece is to be pushed, or the end to be told.
    More,
}

impl Incoming {
    /// A body with this boundary.
    pub fn of(boundary: &str) -> Self {
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        // A body may begin with a delimiter without the CRLF before it.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        Self { delimiter, buffer, state: State::Preamble, has_ended: false }
    }

    /// Adds the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        if self.state != State::Done {
            self.buffer.extend_from_slice(piece);
        }
    }

    /// Tells that there is no further piece.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// What comes next.
    pub fn next_event(&mut self) -> Result<Event, Malformed> {
        loop {
            match self.state {
                State::Preamble => match self.find() {
                    Found::At(_, next) => self.enter(next),
                    Found::Perhaps(_) if self.has_ended => return Err(self.explain()),
                    Found::Perhaps(start) if start > MAX_PREAMBLE => return Err(Malformed::OtherBoundary),
                    Found::Perhaps(_) => return Ok(Event::More),
                },
                State::Head => {
                    return match head(&self.buffer) {
                        Err(Malformed::CutShort) if !self.has_ended && self.buffer.len() <= MAX_HEAD + 4 => {
                            Ok(Event::More)
                        }
                        Err(malformed) => Err(malformed),
                        Ok((head, content)) => {
                            // In a part without a body the empty line's CRLF is the delimiter's too.
                            let _ = self.buffer.split_to(content - 2);
                            self.state = State::Content(2);
                            Ok(Event::Part(head))
                        }
                    };
                }
                State::Content(heads) => {
                    let (start, next) = match self.find() {
                        Found::At(start, next) => (start, Some(next)),
                        Found::Perhaps(_) if self.has_ended => return Err(self.explain()),
                        Found::Perhaps(start) => (start, None),
                    };
                    if start > heads {
                        let _ = self.buffer.split_to(heads);
                        let bytes = self.buffer.split_to(start - heads).freeze();
                        self.state = State::Content(0);
                        return Ok(Event::Bytes(bytes));
                    }
                    match next {
                        Some(next) => self.enter(next),
                        None => return Ok(Event::More),
                    }
                }
                State::Done => return Ok(Event::End),
            }
        }
    }

    /// Goes on behind a delimiter.
    fn enter(&mut self, next: Option<usize>) {
        match next {
            Some(next) => {
                let _ = self.buffer.split_to(next);
                self.state = State::Head;
            }
            None => {
                self.buffer.clear();
                self.state = State::Done;
            }
        }
    }

    /// Finds the first delimiter, or the place up to which there is none.
    fn find(&self) -> Found {
        for start in memmem::find_iter(&self.buffer, &self.delimiter) {
            let end = start + self.delimiter.len();
            match judge(&self.buffer[end..], self.has_ended) {
                Judged::Next(length) => return Found::At(start, Some(end + length)),
                Judged::Last => return Found::At(start, None),
                Judged::Content => {}
                Judged::TooShort => return Found::Perhaps(start),
            }
        }
        // What may be the beginning of one.
        let tail = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
        let begins = |from: &usize| self.delimiter.starts_with(&self.buffer[*from..]);
        Found::Perhaps((tail..self.buffer.len()).find(begins).unwrap_or(self.buffer.len()))
    }

    /// Finds the reason why there is no further delimiter.
    fn explain(&self) -> Malformed {
        let bare = [b"\n", &self.delimiter[2..]].concat();
        let holds_bare = memmem::find_iter(&self.buffer, &bare).any(|at| at == 0 || self.buffer[at - 1] != b'\r');
        match self.state {
            _ if holds_bare => Malformed::BareLf,
            State::Preamble if self.buffer.len() == 2 => Malformed::Empty,
            State::Preamble if !self.buffer.trim_ascii_end().ends_with(&self.delimiter[2..]) => {
                Malformed::OtherBoundary
            }
            _ => Malformed::CutShort,
        }
    }
}

/// A delimiter.
enum Found {
    /// Its place, and where the next part begins; there is none behind the last.
    At(usize, Option<usize>),
    /// None before this place.
    Perhaps(usize),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::multipart::Parts;
    use proptest::prelude::*;

    type Part = (Head, Vec<u8>);

    /// The parts of a body that comes in pieces that end at these places.
    fn in_pieces(body: &[u8], cuts: &[usize]) -> Result<Vec<Part>, Malformed> {
        let mut incoming = Incoming::of("X");
        let mut parts: Vec<Part> = Vec::new();
        let mut read = |incoming: &mut Incoming| -> Result<bool, Malformed> {
            loop {
                match incoming.next_event()? {
                    Event::Part(head) => parts.push((head, Vec::new())),
                    Event::Bytes(bytes) => parts.last_mut().unwrap().1.extend_from_slice(&bytes),
                    Event::End => return Ok(true),
                    Event::More => return Ok(false),
                }
            }
        };
        let mut from = 0;
        for &cut in cuts.iter().chain([&body.len()]) {
            let to = cut.clamp(from, body.len());
            incoming.push(&body[from..to]);
            from = to;
            read(&mut incoming)?;
        }
        incoming.end();
        let has_ended = read(&mut incoming)?;
        assert!(has_ended, "nothing more is asked for at the end");
        Ok(parts)
    }

    fn at_once(body: &[u8]) -> Result<Vec<Part>, Malformed> {
        let mut parts = Parts::of(Bytes::copy_from_slice(body), "X")?;
        let mut all = Vec::new();
        while let Some(part) = parts.next_part()? {
            all.push((part.head, part.bytes.to_vec()));
        }
        Ok(all)
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let known = prop::sample::select(vec![
            "--X",
            "--X--",
            "--",
            "-",
            "\r\n",
            "\r",
            "\n",
            "\r\n ",
            "\r\n\r\n",
            ":",
            "X",
            " ",
            "\t",
            "\r\n--X",
            "\r\n--X\r\n",
            "\r\n--X--",
            "\r\n--X--\r\n",
            "--X\r\n",
            "--X\r\na: b\r\n\r\n",
            "\r\n--X\r\na: b\r\n\r\n",
            "a: b\r\n\r\n",
            "\r\n--XY",
        ]);
        prop_oneof![
            6 => known.prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..8),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_body_reads_the_same_whole_and_in_whatever_pieces(
            pieces in prop::collection::vec(piece(), 0..20), cuts in prop::collection::vec(0_usize..80, 0..10),
        ) {
            let body = pieces.concat();
            let mut cuts = cuts;
            cuts.sort_unstable();
            match (at_once(&body), in_pieces(&body, &cuts)) {
                (Ok(whole), pieces) => prop_assert_eq!(Ok(whole), pieces),
                (Err(_), pieces) => prop_assert!(pieces.is_err(), "{:?}", pieces),
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_as_of_a_body_that_is_whole() {
        for body in [
            "",
            "text",
            "--Y\r\n\r\n--Y--",
            "--X\n\na\n--X--\n",
            "--X\r\n\r\na",
            "--X",
            "--X\r\na: b",
            "--X\r\nno head\r\n\r\n--X--",
            "--X\r\na: b\n\n",
        ] {
            assert_eq!(in_pieces(body.as_bytes(), &[1, 3]).err(), at_once(body.as_bytes()).err(), "{body:?}");
        }
    }

    #[test]
    fn a_line_of_blanks_behind_a_boundary_is_content_before_it_is_held() {
        let mut incoming = Incoming::of("X");
        incoming.push(b"--X\r\n\r\n\r\n--X");
        let mut given = 0;
        for _ in 0..1000 {
            incoming.push(&[b' '; 100]);
            loop {
                match incoming.next_event().unwrap() {
                    Event::Bytes(bytes) => given += bytes.len(),
                    Event::More => break,
                    Event::Part(_) | Event::End => {}
                }
            }
            assert!(incoming.buffer.len() < 1000, "{}", incoming.buffer.len());
        }
        assert!(given > 99_000, "{given}");
    }

    #[test]
    fn a_preamble_and_a_head_without_end_are_refused_before_they_are_held() {
        for (begin, error) in [("", Malformed::OtherBoundary), ("--X\r\na: ", Malformed::LongHead)] {
            let mut incoming = Incoming::of("X");
            incoming.push(begin.as_bytes());
            let mut held = 0;
            let refused = loop {
                incoming.push(&[b'a'; 1000]);
                match incoming.next_event() {
                    Ok(Event::More) => held = incoming.buffer.len(),
                    other => break other.err(),
                }
            };
            assert_eq!(refused, Some(error));
            assert!(held <= MAX_PREAMBLE + 1000, "{held}");
        }
    }
}

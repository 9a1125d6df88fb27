//! The promises of `docs/promises.md`, as one function. Files are all of one size, and have numbers; so have uploads,
//! and whatever else the metadata say.

use std::collections::{BTreeMap, BTreeSet};

/// Quotes the sentence of the page that the arm checks; a test compares the two.
macro_rules! promise {
    ($sentence:literal) => {};
}

/// Which file.
pub type File = u8;
/// What the metadata say.
pub type Says = u8;
/// Which upload.
pub type Upload = u16;

/// Uploads from this number on were opened by requests that never heard of them.
const UNHEARD_OF: Upload = 1 << 15;

/// Which checksum an offer declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Declared {
    /// None.
    Nothing,
    /// The SHA-256 of this file.
    Sha256(File),
    /// The CRC64NVME of this file.
    Crc64Nvme(File),
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// PUT with the file inside.
    HandIn(File, Says),
    /// PUT of the metadata alone.
    Offer(Declared, Says),
    /// PUT of the bytes of a file to an upload's URL.
    Send(Upload, File),
    /// POST that completes an upload.
    Complete(Upload),
    /// GET of an upload.
    Look(Upload),
    /// DELETE of an upload.
    Abort(Upload),
    /// The clock ticks when everything is due.
    Tick,
    /// A look at what is stored.
    Read,
}

/// How an upload ended without a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// It was aborted.
    Aborted,
    /// A newer PUT took its place.
    Superseded,
    /// Its time was over.
    Expired,
    /// Its bytes are not the ones declared.
    Wrong,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// Nothing that obliges anybody: no answer, or a 5xx. The effect may come at any later time, or never.
    Silence,
    /// The document is stored.
    Stored,
    /// All bytes are there, and are being compared.
    Verifying,
    /// This upload is open; whether all its bytes have arrived.
    Open(Upload, bool),
    /// S3 still joins the parts.
    Completing,
    /// Parts are missing.
    Incomplete,
    /// The upload has ended.
    Ended(End),
    /// There never was such an upload.
    Unknown,
    /// It is done.
    Done,
    /// S3 does not want the bytes.
    Refused,
    /// This file is current, with this metadata; none where nothing is stored.
    Holds(Option<(File, Says)>),
}

/// A content of the document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Content {
    file: File,
    says: Says,
    by: Option<Upload>,
    check: Check,
}

/// What is known of a content's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Check {
    /// They have been compared; with their SHA-256, or a CRC only.
    Compared { sha256: bool },
    /// They are to be compared with the SHA-256 of this file.
    Pending(File),
}

/// An open upload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Open {
    upload: Upload,
    declared: Declared,
    says: Says,
    sent: Option<File>,
    /// S3 was asked to join the parts, and did not say whether it has.
    joining: bool,
}

/// What became of an upload that is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Fate {
    Content,
    Ended(End),
}

/// A document, as far as the promises go.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    current: Option<Content>,
    /// What was current before, the newest last.
    past: Vec<Content>,
    open: Option<Open>,
    uploads: BTreeMap<Upload, Fate>,
}

/// What goes on beside a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meanwhile {
    /// Whether bytes are under way.
    pub bytes: bool,
    /// The uploads that others have begun to complete.
    pub completing: Vec<Upload>,
}

/// The states that a document can be in after this answer to this request; none, where it cannot have been answered so.
/// `number` tells the request from others.
pub fn step(
    state: &State,
    number: usize,
    operation: Operation,
    answer: Answer,
    meanwhile: &Meanwhile,
) -> BTreeSet<State> {
    let mut after = BTreeSet::new();
    for state in state.settled(&meanwhile.completing) {
        after.extend(state.step(number, operation, answer, meanwhile.bytes));
    }
    after
}

impl State {
    /// This state, and those that the service may have brought about by itself since.
    fn settled(&self, completing: &[Upload]) -> BTreeSet<Self> {
        let mut all = BTreeSet::from([self.clone()]);
        let mut new = vec![self.clone()];
        while let Some(state) = new.pop() {
            for next in state.compared().into_iter().chain(state.joined(completing)) {
                if all.insert(next.clone()) {
                    new.push(next);
                }
            }
        }
        all
    }

    /// The bytes of one upload, current or replaced, have been compared.
    fn compared(&self) -> Vec<Self> {
        let contents = self.past.iter().chain(&self.current);
        let pending = contents.filter_map(|content| match content.check {
            Check::Pending(declared) => Some((content.by, content.file == declared)),
            Check::Compared { .. } => None,
        });
        let pending: BTreeSet<_> = pending.collect();
        let compared = pending.into_iter().map(|(by, holds)| {
            let mut next = self.clone();
            let is_it = |content: &Content| content.by == by;
            if holds {
                promise!("Bytes that are what was declared stay what they are.");
                let contents = next.past.iter_mut().chain(&mut next.current);
                for content in contents.filter(|content| is_it(content)) {
                    content.check = Check::Compared { sha256: true };
                }
                return next;
            }
            promise!("Bytes that are not what was declared are never current again, and what was current before them is so once more.");
            next.uploads.extend(by.map(|upload| (upload, Fate::Ended(End::Wrong))));
            next.past.retain(|past| !is_it(past));
            if next.current.as_ref().is_some_and(is_it) {
                next.current = next.past.last().cloned();
            }
            next
        });
        compared.collect()
    }

    /// What S3 was asked to join is joined, and written down.
    fn joined(&self, completing: &[Upload]) -> Option<Self> {
        promise!(
            "What its sender is about to complete the service may complete first, when S3 reports the object; others see it so before the sender is answered."
        );
        self.open.as_ref().filter(|open| open.joining || completing.contains(&open.upload))?;
        Some(self.completed()?.0)
    }

    fn step(&self, number: usize, operation: Operation, answer: Answer, meets_bytes: bool) -> Vec<Self> {
        match operation {
            Operation::HandIn(file, says) => self.hand_in(file, says, answer),
            Operation::Offer(declared, says) => self.offer(number, declared, says, answer),
            Operation::Send(upload, file) => self.send(upload, file, answer),
            Operation::Complete(upload) => self.complete(upload, answer),
            Operation::Look(upload) => self.look(upload, answer),
            Operation::Abort(upload) => self.abort(upload, answer),
            Operation::Tick => self.tick(meets_bytes),
            Operation::Read => {
                promise!("What is stored is the content that was made current last.");
                let current = self.current.as_ref();
                let current = current.map(|content| (content.file, content.says));
                self.only_if(answer == Answer::Holds(current))
            }
        }
    }

    fn only_if(&self, may_be: bool) -> Vec<Self> {
        may_be.then(|| self.clone()).into_iter().collect()
    }

    fn hand_in(&self, file: File, says: Says, answer: Answer) -> Vec<Self> {
        let known = self.current.as_ref().filter(|current| {
            promise!(
                "A file that is current already, and compared by its SHA-256, is not stored again, and ends no upload."
            );
            current.file == file && current.check == Check::Compared { sha256: true }
        });
        let after = if known.is_some() {
            self.corrected(says)
        } else {
            promise!(
                "A file that came whole is current when it is answered 200, and an upload that was open then has ended."
            );
            let mut next = self.ended(End::Superseded);
            next.make_current(Content { file, says, by: None, check: Check::Compared { sha256: true } });
            next
        };
        match answer {
            Answer::Stored | Answer::Silence => vec![after],
            _ => Vec::new(),
        }
    }

    fn offer(&self, number: usize, declared: Declared, says: Says, answer: Answer) -> Vec<Self> {
        let open = self.open.as_ref();
        let resumed = open.filter(|open| {
            promise!("An offer that declares the checksum that an open upload declared goes on with that upload.");
            declared != Declared::Nothing && open.declared == declared
        });
        let stored = self.current.as_ref().filter(|current| current.is(declared));
        let mut after = Vec::new();
        if let Some(current) = stored {
            promise!(
                "An offer of what is current is answered 200 once its bytes have been compared, and 202 verifying before."
            );
            let told = match current.check {
                Check::Compared { .. } => Answer::Stored,
                Check::Pending(_) => Answer::Verifying,
            };
            if answer == told || answer == Answer::Silence {
                after.push(self.corrected(says));
            }
        }
        if let Some(open) = resumed {
            let mut next = self.clone();
            let mut is_told = answer == Answer::Silence;
            if let (Answer::Open(upload, received), Some(there)) = (answer, &mut next.open) {
                let is_it = open.upload == upload || (open.upload >= UNHEARD_OF && !self.knows(upload));
                is_told = is_it && received == open.sent.is_some();
                there.upload = upload;
            }
            if let Some(open) = &mut next.open {
                open.says = says;
            }
            after.extend(is_told.then_some(next));
        }
        if stored.is_none() && resumed.is_none() {
            promise!(
                "An offer of anything else opens an upload, and one that was open has ended; what is current stays so."
            );
            let unheard_of = UNHEARD_OF + Upload::try_from(number).unwrap_or_default();
            let upload = match answer {
                Answer::Open(upload, false) if !self.knows(upload) => Some(upload),
                Answer::Silence => Some(unheard_of),
                _ => None,
            };
            after.extend(upload.map(|upload| {
                let mut next = self.ended(End::Superseded);
                next.open = Some(Open { upload, declared, says, sent: None, joining: false });
                next
            }));
        }
        after
    }

    fn send(&self, upload: Upload, file: File, answer: Answer) -> Vec<Self> {
        let open = self.open.as_ref().filter(|open| open.upload == upload);
        let mut arrived = self.clone();
        if let (Some(_), Some(open)) = (open, &mut arrived.open) {
            open.sent = Some(file);
        }
        match answer {
            Answer::Done | Answer::Silence => {
                promise!("Bytes sent to an upload that has ended become nothing.");
                vec![arrived]
            }
            Answer::Refused => {
                promise!("Bytes are refused only where the upload has ended, or its bytes are being joined.");
                self.only_if(open.is_none_or(|open| open.sent.is_some()))
            }
            _ => Vec::new(),
        }
    }

    fn complete(&self, upload: Upload, answer: Answer) -> Vec<Self> {
        let Some(open) = self.open.as_ref().filter(|open| open.upload == upload) else {
            promise!("Completing an upload again gives the same answer, whatever was handed in since.");
            return self.only_if(answer == Answer::Silence || answer == self.told(upload));
        };
        let Some((next, told)) = self.completed() else {
            promise!("An upload whose bytes have not arrived cannot be completed.");
            return self.only_if(matches!(answer, Answer::Incomplete | Answer::Silence));
        };
        match answer {
            Answer::Completing => {
                promise!("What S3 is still joining becomes current later, unless something else ends the upload.");
                let open = Open { joining: true, ..open.clone() };
                vec![Self { open: Some(open), ..self.clone() }]
            }
            answer if answer == told || answer == Answer::Silence => vec![next],
            // The service may have gone on with it before the answer.
            answer => {
                let after = next.settled(&[]).into_iter();
                after.filter(|after| after.told(upload) == answer).collect()
            }
        }
    }

    fn look(&self, upload: Upload, answer: Answer) -> Vec<Self> {
        promise!(
            "An upload says of itself what completing it would be answered, and before that whether its bytes have arrived."
        );
        let open = self.open.as_ref().filter(|open| open.upload == upload);
        let told = match open {
            Some(open) => Answer::Open(upload, open.sent.is_some()),
            None => self.told(upload),
        };
        self.only_if(answer == told || answer == Answer::Silence)
    }

    fn abort(&self, upload: Upload, answer: Answer) -> Vec<Self> {
        let is_open = self.open.as_ref().is_some_and(|open| open.upload == upload);
        match answer {
            Answer::Done | Answer::Silence if is_open => {
                promise!("An upload that was aborted never becomes current.");
                vec![self.ended(End::Aborted)]
            }
            Answer::Done | Answer::Silence => {
                promise!("Aborting an upload that is not open changes nothing.");
                self.only_if(self.knows(upload) || answer == Answer::Silence)
            }
            Answer::Unknown => self.only_if(!self.knows(upload)),
            _ => Vec::new(),
        }
    }

    /// Whoever is due need not be seen to: another may be at it.
    fn tick(&self, meets_bytes: bool) -> Vec<Self> {
        let mut after = vec![self.clone()];
        let Some(open) = &self.open else {
            return after;
        };
        if open.sent.is_some() {
            promise!(
                "An upload whose bytes have all arrived is completed by the service itself when its sender does not."
            );
            after.extend(self.completed().map(|(next, _)| next));
        }
        if open.sent.is_none() || meets_bytes {
            promise!("An upload of which no bytes have come expires, also where they come at that very moment.");
            after.push(self.ended(End::Expired));
        }
        after
    }

    /// The open upload, completed, and what whoever did is told; `None` where its bytes have not arrived.
    fn completed(&self) -> Option<(Self, Answer)> {
        let open = self.open.clone()?;
        let file = open.sent?;
        let check = match open.declared {
            Declared::Crc64Nvme(declared) if declared != file => {
                promise!(
                    "An upload whose bytes have not the CRC64NVME that was declared is refused, and what is current stays so."
                );
                return Some((self.ended(End::Wrong), Answer::Ended(End::Wrong)));
            }
            Declared::Sha256(declared) => Check::Pending(declared),
            Declared::Crc64Nvme(_) | Declared::Nothing => Check::Compared { sha256: false },
        };
        promise!(
            "An upload that is completed is current, with its own bytes and metadata; it is answered 200 only where nothing has yet to be compared."
        );
        let told = match check {
            Check::Pending(_) => Answer::Verifying,
            Check::Compared { .. } => Answer::Stored,
        };
        let mut next = self.clone();
        next.open = None;
        next.uploads.insert(open.upload, Fate::Content);
        next.make_current(Content { file, says: open.says, by: Some(open.upload), check });
        Some((next, told))
    }

    /// What is told of an upload that is not open.
    fn told(&self, upload: Upload) -> Answer {
        match self.uploads.get(&upload) {
            None => {
                promise!("Of an upload that never was nothing is told but that.");
                Answer::Unknown
            }
            Some(Fate::Ended(end)) => {
                promise!("How an upload ended is told to whoever asks.");
                Answer::Ended(*end)
            }
            Some(Fate::Content) => {
                let mut contents = self.past.iter().chain(&self.current).rev();
                let content = contents.find(|content| content.by == Some(upload));
                match content.map(|content| content.check) {
                    Some(Check::Pending(_)) => Answer::Verifying,
                    _ => Answer::Stored,
                }
            }
        }
    }

    fn knows(&self, upload: Upload) -> bool {
        let is_open = self.open.as_ref().is_some_and(|open| open.upload == upload);
        is_open || self.uploads.contains_key(&upload)
    }

    /// Without the open upload, which ended so.
    fn ended(&self, end: End) -> Self {
        let mut next = self.clone();
        if let Some(open) = next.open.take() {
            next.uploads.insert(open.upload, Fate::Ended(end));
        }
        next
    }

    /// The current content with this metadata.
    fn corrected(&self, says: Says) -> Self {
        promise!("What is handed in again with other metadata has these from then on.");
        let mut next = self.clone();
        if let Some(current) = next.current.clone().filter(|current| current.says != says) {
            next.make_current(Content { says, ..current });
        }
        next
    }

    fn make_current(&mut self, content: Content) {
        self.past.extend(self.current.replace(content));
    }
}

impl Content {
    /// Whether it is what an offer declares.
    fn is(&self, declared: Declared) -> bool {
        match (declared, self.check) {
            (Declared::Nothing, _) => false,
            (Declared::Crc64Nvme(file), _) => self.file == file,
            (Declared::Sha256(file), Check::Pending(declared)) => file == declared,
            (Declared::Sha256(file), Check::Compared { sha256 }) => sha256 && self.file == file,
        }
    }
}

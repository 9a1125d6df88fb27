//! The name that a message gives its document.

/// An `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header): 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key that a header holds; `None` where it is none.
    pub fn parse(header: &[u8]) -> Option<Self> {
        let visible = header.iter().all(|byte| (b' '..=b'~').contains(byte));
        let text = std::str::from_utf8(header).ok()?;
        (visible && (1..=255).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name that a message gives its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// An id of it: the sender's own or, where it replaces the bytes, ours.
    DocumentId(&'a str),
    /// The request's `Idempotency-Key`.
    IdempotencyKey(&'a IdempotencyKey),
    /// Its whole text.
    Message,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idempotency_key_is_1_to_255_visible_characters() {
        let long = [b'x'; 256];
        for good in [&b"k"[..], b" ~", &long[1..]] {
            let key = IdempotencyKey::parse(good).unwrap();
            assert_eq!(key.as_str().as_bytes(), good);
        }
        for bad in [&b""[..], &long, b"a\tb", "é".as_bytes(), b"\xff"] {
            assert_eq!(IdempotencyKey::parse(bad), None, "{bad:?}");
        }
    }
}

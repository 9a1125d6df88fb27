//! The screening of a content for malware, by a scanner that is not ours.

use serde::{Deserialize, Serialize};

/// The state of a content that a scanner looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Screening {
    /// The verdict is awaited: until then no reader gets at the content.
    Pending,
    /// The scanner has said this.
    #[serde(untagged)]
    Judged(Verdict),
}

/// What a scanner says of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No malware was found.
    Clean,
    /// Malware was found.
    Threat,
    /// It cannot be scanned, as what is protected by a password cannot: nobody knows what is in it.
    Unscannable,
}

impl Verdict {
    /// Those for which a content is never handed out.
    pub(crate) const REFUSING: [Self; 2] = [Self::Threat, Self::Unscannable];

    /// The verdict in `GuardDuty`'s words, which its events and the tags of objects have. `None` for a word that is none: the
    /// scan failed, and may yet come to one (`GuardDuty`'s documentation, "S3 object potential scan status and result status").
    pub fn of_guard_duty(result: &str) -> Option<Self> {
        match result {
            "NO_THREATS_FOUND" => Some(Self::Clean),
            "THREATS_FOUND" => Some(Self::Threat),
            "UNSUPPORTED" => Some(Self::Unscannable),
            _ => None,
        }
    }
}

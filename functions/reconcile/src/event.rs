//! The events that `EventBridge` sends us.

use jiff::Timestamp;
use okd_core::document::Verdict;
use serde::Deserialize;
use serde_json::Value;

/// The event that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The clock struck, at this time.
    Clock(Timestamp),
    /// The bucket is to be looked through, now or as if it were this time.
    LookThrough(Option<Timestamp>),
    /// S3 has a new object.
    ObjectCreated {
        /// The object's key.
        key: String,
        /// S3's id of this version of it; a bucket that keeps no versions has none.
        version: Option<String>,
    },
    /// `GuardDuty` has scanned an object.
    Judged {
        /// The object's key.
        key: String,
        /// The verdict; `None` where the scan failed.
        verdict: Option<Verdict>,
    },
}

/// The `detail-type` of the event that the template's second schedule sends.
pub const LOOK_THROUGH: &str = "Look Through";

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "detail-type")]
    detail_type: String,
    time: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Envelope {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    time: Timestamp,
    detail: Value,
}

#[derive(Deserialize)]
struct Detail {
    object: Object,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scan {
    s3_object_details: ScannedObject,
    scan_result_details: ScanResult,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScannedObject {
    object_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScanResult {
    scan_result_status: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    #[serde(rename = "version-id")]
    version: Option<String>,
}

impl Event {
    /// Reads an event as `EventBridge` sends it; an error says what cannot be read.
    pub fn read(event: Value) -> Result<Self, String> {
        let asked = Asked::deserialize(&event);
        if let Some(asked) = asked.ok().filter(|asked| asked.detail_type == LOOK_THROUGH) {
            return Ok(Self::LookThrough(asked.time));
        }
        let envelope: Envelope = serde_json::from_value(event).map_err(|error| error.to_string())?;
        match (envelope.source.as_str(), envelope.detail_type.as_str()) {
            ("aws.events", "Scheduled Event") => Ok(Self::Clock(envelope.time)),
            ("aws.s3", "Object Created") => {
                let Detail { object } = serde_json::from_value(envelope.detail).map_err(|error| error.to_string())?;
                Ok(Self::ObjectCreated { key: object.key, version: object.version })
            }
            ("aws.guardduty", "GuardDuty Malware Protection Object Scan Result") => {
                let scan: Scan = serde_json::from_value(envelope.detail).map_err(|error| error.to_string())?;
                let verdict = Verdict::of_guard_duty(&scan.scan_result_details.scan_result_status);
                Ok(Self::Judged { key: scan.s3_object_details.object_key, verdict })
            }
            (source, kind) => Err(format!("{kind:?} of {source:?} is not for this function")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // The events as AWS documents them.
    fn created() -> Value {
        json!({
            "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created",
            "source": "aws.s3", "account": "111122223333", "time": "2026-11-12T00:00:00Z",
            "region": "eu-central-1", "resources": ["arn:aws:s3:::files"],
            "detail": {
                "version": "0", "bucket": { "name": "files" },
                "object": {
                    "key": "school/4e12169d-84b9-4d21-a987-f373bbbe4e6e/x", "size": 5,
                    "etag": "b1946ac92492d2347c6235b4d2611184", "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
                    "sequencer": "617f08299329d189",
                },
                "request-id": "N4N7GDK58NMKJ12R", "requester": "123456789012",
                "source-ip-address": "1.2.3.4", "reason": "PutObject",
            },
        })
    }

    #[test]
    fn a_new_object_is_read_with_the_id_of_its_version() {
        let expected = Event::ObjectCreated {
            key: "school/4e12169d-84b9-4d21-a987-f373bbbe4e6e/x".to_owned(),
            version: Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e".to_owned()),
        };
        assert_eq!(Event::read(created()), Ok(expected));
    }

    #[test]
    fn a_new_object_without_a_version_is_read_all_the_same() {
        let mut event = created();
        let object = event["detail"]["object"].as_object_mut().unwrap();
        object.remove("version-id");
        let expected =
            Event::ObjectCreated { key: "school/4e12169d-84b9-4d21-a987-f373bbbe4e6e/x".to_owned(), version: None };
        assert_eq!(Event::read(event), Ok(expected));
    }

    #[test]
    fn a_scan_is_read_with_its_verdict_where_it_came_to_one() {
        for (status, verdict) in [
            ("NO_THREATS_FOUND", Some(Verdict::Clean)),
            ("THREATS_FOUND", Some(Verdict::Threat)),
            ("UNSUPPORTED", Some(Verdict::Unscannable)),
            ("ACCESS_DENIED", None),
            ("FAILED", None),
        ] {
            let scanned = json!({
                "version": "0", "id": "72c7d362-737a-6dce-fc78-9e27a0171419",
                "detail-type": "GuardDuty Malware Protection Object Scan Result", "source": "aws.guardduty",
                "account": "111122223333", "time": "2026-02-28T01:01:01Z", "region": "eu-central-1",
                "resources": ["arn:aws:guardduty:eu-central-1:111122223333:malware-protection-plan/b4c7f464ab3a4EXAMPLE"],
                "detail": {
                    "schemaVersion": "1.0", "scanStatus": "COMPLETED", "resourceType": "S3_OBJECT",
                    "s3ObjectDetails": {
                        "bucketName": "files", "objectKey": "school/4e12169d-84b9-4d21-a987-f373bbbe4e6e/x",
                        "eTag": "ASIAI44QH8DHBEXAMPLE", "versionId": "d41d8cd98f00b204e9800998eEXAMPLE",
                        "s3Throttled": false,
                    },
                    "scanResultDetails": { "scanResultStatus": status, "threats": null },
                },
            });
            let key = "school/4e12169d-84b9-4d21-a987-f373bbbe4e6e/x".to_owned();
            assert_eq!(Event::read(scanned), Ok(Event::Judged { key, verdict }), "{status}");
        }
    }

    #[test]
    fn the_clock_is_read_with_its_time() {
        let clock = json!({
            "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
            "source": "aws.events", "account": "123456789012", "time": "2026-10-08T16:53:06Z",
            "region": "eu-central-1", "resources": ["arn:aws:events:eu-central-1:123456789012:rule/clock"],
            "detail": {},
        });
        let time = "2026-10-08T16:53:06Z".parse().unwrap();
        assert_eq!(Event::read(clock), Ok(Event::Clock(time)));
    }

    #[test]
    fn the_template_asks_to_look_through_the_bucket_without_a_time() {
        let asked = json!({ "detail-type": "Look Through" });
        assert_eq!(Event::read(asked), Ok(Event::LookThrough(None)));
    }

    #[test]
    fn what_is_neither_is_an_error_that_says_so() {
        let mut deleted = created();
        deleted["detail-type"] = json!("Object Deleted");
        for event in [json!(null), json!({}), deleted] {
            assert!(Event::read(event.clone()).is_err(), "{event}");
        }
    }
}

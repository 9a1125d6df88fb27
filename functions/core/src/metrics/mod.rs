//! Metrics, in CloudWatch's embedded format: a line of JSON on standard output, of which CloudWatch Logs makes the
//! metrics. No call, no library, and the log says the same as the graphs.
//!
//! Their namespace is [`NAMESPACE`]. Every metric has the dimension `FunctionName`, and some have others besides: under
//! these `template.yaml`'s alarms and dashboard look for them. CloudWatch charges each series for each hour in which it
//! has a value, so a count of 0 is left out, and what no alarm needs is left out unless the deployment asks for all.

mod calls;

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub(crate) use calls::note_change;
pub use calls::{Calls, TimesCalls};

use crate::config::MetricsConfig;
use calls::Noted;

/// The namespace of every metric.
pub(crate) const NAMESPACE: &str = "OKD";
/// A line may have a metric in so many values at most (CloudWatch's limit).
const MOST_VALUES: usize = 100;

/// The fate of a measurement of 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zero {
    /// It adds nothing to a count.
    LeftOut,
    /// It says that all is well, which is not the same as no word: an alarm counts these.
    Written,
}

/// Defines [`Metric`]: each with its unit, the fate of a 0, and whether it is there only where all metrics are asked for.
macro_rules! metrics {
    ($($metric:ident $unit:literal $zero:ident $extra:literal $text:literal)*) => {
        /// A metric.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Metric {
            $(#[doc = $text] $metric,)*
        }

        impl Metric {
            /// Every metric.
            pub const ALL: &[Self] = &[$(Self::$metric),*];

            /// Its name in CloudWatch.
            pub fn name(self) -> &'static str {
                match self { $(Self::$metric => stringify!($metric),)* }
            }

            /// Its CloudWatch unit.
            pub fn unit(self) -> &'static str {
                match self { $(Self::$metric => $unit,)* }
            }

            /// The fate of a measurement of 0.
            fn zero(self) -> Zero {
                match self { $(Self::$metric => Zero::$zero,)* }
            }

            /// Returns whether it is there only where a deployment asks for all metrics.
            pub fn is_extra(self) -> bool {
                match self { $(Self::$metric => $extra,)* }
            }
        }
    };
}

metrics! {
    ColdStarts "Count" LeftOut true "Processes that began."
    Changes "Count" LeftOut false "Changes of documents that were written, by the function that wrote them."
    Refusals "Count" LeftOut false "Requests refused, by `Problem`."
    IssuerUnavailable "Count" LeftOut false "Requests whose token's issuer does not answer, by `Tenant`."
    IssuersDown "Count" LeftOut false "Tenants whose issuer did not answer when its keys were fetched anew."
    SecondsLate "Seconds" Written false "The delay of the most overdue work item of a sweep. Each sweep says it, be it 0."
    Completed "Count" LeftOut false "Uploads that were completed behind their senders' backs."
    Expired "Count" LeftOut false "Uploads that expired."
    Verified "Count" LeftOut false "Contents read back that are what was declared."
    Corrupt "Count" LeftOut false "Contents read back that are not."
    Quarantined "Count" LeftOut false "Contents in which a scanner found malware, or of which it could not tell."
    Unscreened "Count" LeftOut false "Contents that have been without a verdict for longer than a scanner needs."
    Mismatched "Count" LeftOut false "Uploads completed by the sweep whose bytes have not the checksum declared."
    Removed "Count" LeftOut false "Orphans removed."
    Waiting "Count" LeftOut false "Work items that have to wait still."
    Failed "Count" LeftOut false "Work items that failed."
    Left "Count" LeftOut false "Work items that a sweep had no time for."
    Strays "Count" LeftOut false "Objects that no document points to and S3 had not reported."
    Announced "Count" LeftOut true "Changes announced."
    Documents "Count" LeftOut false "Documents and uploads, by `Outcome` and, where all is asked for, `Form`."
    Bytes "Bytes" LeftOut true "Their bytes, by the same."
}

/// A dimension beside `FunctionName`: its name and its value.
pub type Dimension<'a> = (&'static str, &'a str);

/// Measures the events of one function.
#[derive(Debug)]
pub struct Meter {
    function: String,
    all: bool,
    /// True until the first event.
    cold: AtomicBool,
}

impl Meter {
    /// The meter of the function that runs here.
    pub fn new(config: MetricsConfig) -> Self {
        let MetricsConfig { function, all } = config;
        Self { function, all, cold: AtomicBool::new(true) }
    }

    /// Returns whether all metrics are asked for.
    pub fn has_all(&self) -> bool {
        self.all
    }

    /// Begins to measure an event.
    pub fn begin(&self) -> Measured {
        let mut measured = self.line();
        if self.cold.swap(false, Ordering::Relaxed) {
            measured.add(&[], &[(Metric::ColdStarts, 1)]);
        }
        measured
    }

    /// Begins one more line of an event, under dimensions of its own.
    pub fn line(&self) -> Measured {
        Measured {
            values: Map::from_iter([("FunctionName".to_owned(), json!(self.function))]),
            directives: Vec::new(),
            calls: Calls::default(),
            all: self.all,
        }
    }
}

/// Measurements of one event, to be [written](Self::write) when it has been handled.
#[derive(Debug)]
pub struct Measured {
    values: Map<String, Value>,
    directives: Vec<Value>,
    calls: Calls,
    all: bool,
}

impl Measured {
    /// The calls to AWS of this event, to be noted while it is handled.
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// Adds measurements, under these dimensions. No two of an event may have the same name.
    pub fn add(&mut self, dimensions: &[Dimension<'_>], measurements: &[(Metric, u64)]) {
        let is_told = |&&(metric, value): &&(Metric, u64)| {
            (self.all || !metric.is_extra()) && (value > 0 || metric.zero() == Zero::Written)
        };
        let told: Vec<_> = measurements.iter().filter(is_told).collect();
        if told.is_empty() {
            return;
        }
        self.declare(dimensions, told.iter().map(|(metric, _)| (metric.name(), metric.unit())));
        let dimensions = dimensions.iter().map(|&(name, value)| (name, json!(value)));
        let measurements = told.iter().map(|(metric, value)| (metric.name(), json!(value)));
        for (name, value) in dimensions.chain(measurements) {
            self.values.insert(name.to_owned(), value);
        }
    }

    /// Writes it all down: where all is asked for also the time of each call to AWS.
    #[expect(clippy::print_stdout, reason = "it is what CloudWatch reads")]
    pub fn write(mut self) {
        let Noted { calls, changes } = self.calls.take();
        self.add(&[], &[(Metric::Changes, changes)]);
        if self.all {
            self.add_calls(calls);
        }
        if !self.directives.is_empty() {
            println!("{}", self.json(Timestamp::now()));
        }
    }

    fn add_calls(&mut self, calls: Vec<(String, u64)>) {
        let mut by_operation: Map<String, Value> = Map::new();
        for (operation, milliseconds) in calls {
            let values = by_operation.entry(operation).or_insert_with(|| json!([]));
            if let Some(values) = values.as_array_mut().filter(|values| values.len() < MOST_VALUES) {
                values.push(json!(milliseconds));
            }
        }
        if !by_operation.is_empty() {
            let names = by_operation.keys();
            self.declare(&[], names.map(|operation| (operation.as_str(), "Milliseconds")));
            self.values.extend(by_operation);
        }
    }

    fn declare<'a>(&mut self, dimensions: &[Dimension<'_>], metrics: impl Iterator<Item = (&'a str, &'a str)>) {
        let others = dimensions.iter().map(|&(name, _)| name);
        let dimensions: Vec<&str> = ["FunctionName"].into_iter().chain(others).collect();
        let metrics: Vec<Value> = metrics.map(|(name, unit)| json!({ "Name": name, "Unit": unit })).collect();
        self.directives.push(json!({ "Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics }));
    }

    fn json(self, now: Timestamp) -> Value {
        let Self { mut values, directives, .. } = self;
        let how = json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": directives });
        values.insert("_aws".to_owned(), how);
        values.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(all: bool) -> Meter {
        Meter::new(MetricsConfig { function: "api".to_owned(), all })
    }

    #[test]
    fn every_metric_is_declared_under_its_dimensions_and_has_its_value_at_the_top() {
        let mut measured = meter(true).line();
        measured.add(&[], &[(Metric::Expired, 3), (Metric::Failed, 0)]);
        measured.add(&[("Form", "parts")], &[(Metric::Documents, 1), (Metric::Bytes, 70)]);
        let call = |milliseconds| ("S3.ListParts".to_owned(), milliseconds);
        measured.add_calls(vec![call(4), call(9)]);
        let expected = json!({
            "_aws": {
                "Timestamp": 0,
                "CloudWatchMetrics": [
                    {
                        "Namespace": "OKD", "Dimensions": [["FunctionName"]],
                        "Metrics": [{ "Name": "Expired", "Unit": "Count" }],
                    },
                    {
                        "Namespace": "OKD", "Dimensions": [["FunctionName", "Form"]],
                        "Metrics": [
                            { "Name": "Documents", "Unit": "Count" }, { "Name": "Bytes", "Unit": "Bytes" },
                        ],
                    },
                    {
                        "Namespace": "OKD", "Dimensions": [["FunctionName"]],
                        "Metrics": [{ "Name": "S3.ListParts", "Unit": "Milliseconds" }],
                    },
                ],
            },
            "FunctionName": "api", "Form": "parts", "Expired": 3, "Documents": 1, "Bytes": 70, "S3.ListParts": [4, 9],
        });
        assert_eq!(measured.json(Timestamp::UNIX_EPOCH), expected);
    }

    #[test]
    fn a_sweep_that_finds_nothing_says_only_that_it_was() {
        let mut measured = meter(false).begin();
        measured.add(&[], &[(Metric::SecondsLate, 0), (Metric::Failed, 0), (Metric::Announced, 3)]);
        let line = measured.json(Timestamp::UNIX_EPOCH);
        assert_eq!(line["SecondsLate"], 0);
        assert_eq!(line["_aws"]["CloudWatchMetrics"].as_array().map(Vec::len), Some(1));
        assert!(line.get("Failed").is_none() && line.get("Announced").is_none() && line.get("ColdStarts").is_none());
    }

    #[test]
    fn a_process_says_once_that_it_began() {
        let meter = meter(true);
        assert!(meter.has_all());
        let begins = |measured: Measured| measured.json(Timestamp::UNIX_EPOCH).get("ColdStarts").is_some();
        assert_eq!([(); 3].map(|()| begins(meter.begin())), [true, false, false]);
    }

    #[test]
    fn few_metrics_leave_out_zeros_and_what_no_alarm_needs() {
        for (all, metric, value, told) in [
            (false, Metric::Failed, 2, true),
            (false, Metric::Failed, 0, false),
            (false, Metric::SecondsLate, 0, true),
            (false, Metric::Announced, 2, false),
            (true, Metric::Announced, 2, true),
            (true, Metric::Announced, 0, false),
        ] {
            assert_eq!(meter(all).has_all(), all);
            let mut measured = meter(all).line();
            measured.add(&[], &[(metric, value)]);
            assert_eq!(measured.values.get(metric.name()), told.then(|| json!(value)).as_ref(), "{all} {metric:?}");
            assert_eq!(measured.directives.len(), usize::from(told));
        }
    }

    #[tokio::test]
    async fn changes_are_noted_with_the_event_that_made_them() {
        let measured = meter(true).line();
        let another = meter(true).line();
        note_change();
        measured.calls().of(async { note_change() }).await;
        another.calls().of(async {}).await;
        measured.calls().of(async { note_change() }).await;
        assert_eq!((measured.calls.take().changes, another.calls.take().changes), (2, 0));
        assert_eq!(measured.calls.take().changes, 0, "they are taken once");
    }

    #[test]
    fn an_event_without_calls_declares_none() {
        let mut measured = meter(true).line();
        measured.add_calls(Vec::new());
        assert_eq!(measured.directives, Vec::<Value>::new());
    }

    #[test]
    fn of_many_calls_a_line_tells_as_many_as_cloudwatch_takes() {
        let mut measured = meter(true).line();
        measured.add_calls(vec![("DynamoDB.Query".to_owned(), 1); 250]);
        assert_eq!(measured.values["DynamoDB.Query"].as_array().map(Vec::len), Some(MOST_VALUES));
    }
}

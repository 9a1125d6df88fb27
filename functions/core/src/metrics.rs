//! Metrics, in CloudWatch's embedded format: a line of JSON on standard output, of which CloudWatch Logs makes
//! the metrics. No call, no library, and the log says the same as the graphs.
//!
//! Their namespace is `OKD`. Every metric has the dimension `FunctionName`, and some have others besides: under these
//! `template.yaml`'s alarms and dashboard look for them.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef},
        },
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// One measurement: its name, its CloudWatch unit (`Count`, `Seconds`, `Bytes`) and how much.
pub type Metric = (&'static str, &'static str, u64);
/// A dimension beside `FunctionName`: its name and its value.
pub type Dimension<'a> = (&'static str, &'a str);

/// A line may have a metric in so many values at most; who makes more calls in one event has shown enough.
const MOST_VALUES: usize = 100;

/// The calls to AWS that no line has told of yet, and how many milliseconds each took. One for the process, since a
/// process sees to one event at a time.
static CALLS: Mutex<Vec<(String, u64)>> = Mutex::new(Vec::new());
/// True until this process has handled its first event.
static COLD: AtomicBool = AtomicBool::new(true);

/// Measurements of one event, to be [written](Self::write) when it has been handled.
pub struct Measured {
    values: Map<String, Value>,
    directives: Vec<Value>,
}

impl Measured {
    /// Begins to measure an event.
    pub fn begin() -> Self {
        let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
        let mut measured =
            Self { values: Map::from_iter([("FunctionName".to_owned(), json!(function))]), directives: Vec::new() };
        if COLD.swap(false, Ordering::Relaxed) {
            measured.add(&[], &[("ColdStarts", "Count", 1)]);
        }
        measured
    }

    /// Adds measurements, under these dimensions. No two of an event may have the same name.
    pub fn add(&mut self, dimensions: &[Dimension<'_>], metrics: &[Metric]) {
        self.declare(dimensions, metrics.iter().map(|&(name, unit, _)| (name, unit)));
        let dimensions = dimensions.iter().map(|&(name, value)| (name, json!(value)));
        let metrics = metrics.iter().map(|&(name, _, value)| (name, json!(value)));
        for (name, value) in dimensions.chain(metrics) {
            self.values.insert(name.to_owned(), value);
        }
    }

    /// Writes it all down, and how long the calls to AWS took.
    #[expect(clippy::print_stdout, reason = "it is what CloudWatch reads")]
    pub fn write(mut self) {
        let calls = std::mem::take(&mut *CALLS.lock().unwrap_or_else(PoisonError::into_inner));
        self.add_calls(calls);
        if !self.directives.is_empty() {
            println!("{}", self.line(Timestamp::now()));
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
        self.directives.push(json!({ "Namespace": "OKD", "Dimensions": [dimensions], "Metrics": metrics }));
    }

    fn line(self, now: Timestamp) -> Value {
        let Self { mut values, directives } = self;
        let how = json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": directives });
        values.insert("_aws".to_owned(), how);
        values.into()
    }
}

/// Times the calls of an AWS client that is built with it, retries included: `S3.PutObject`.
#[derive(Debug)]
pub struct TimesCalls;

#[derive(Debug)]
struct Began(Instant);

impl Storable for Began {
    type Storer = StoreReplace<Self>;
}

impl Intercept for TimesCalls {
    fn name(&self) -> &'static str {
        "TimesCalls"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(Began(Instant::now()));
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.output_or_error().is_none() {
            // Only presigned: the sender makes the call.
            return Ok(());
        }
        if let (Some(Began(began)), Some(call)) = (bag.load::<Began>(), bag.load::<Metadata>()) {
            let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let name = format!("{}.{}", call.service(), call.name());
            let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
            calls.push((name, milliseconds));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_declared_under_its_dimensions_and_has_its_value_at_the_top() {
        let mut measured = Measured { values: Map::new(), directives: Vec::new() };
        measured.add(&[], &[("Expired", "Count", 3)]);
        measured.add(&[("Form", "parts")], &[("Documents", "Count", 1), ("Bytes", "Bytes", 70)]);
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
            "Form": "parts", "Expired": 3, "Documents": 1, "Bytes": 70, "S3.ListParts": [4, 9],
        });
        assert_eq!(measured.line(Timestamp::UNIX_EPOCH), expected);
    }

    #[test]
    fn of_many_calls_a_line_tells_as_many_as_cloudwatch_takes() {
        let mut measured = Measured { values: Map::new(), directives: Vec::new() };
        measured.add_calls(vec![("DynamoDB.Query".to_owned(), 1); 250]);
        assert_eq!(measured.values["DynamoDB.Query"].as_array().map(Vec::len), Some(MOST_VALUES));
    }
}

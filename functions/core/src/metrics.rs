//! Metrics, in CloudWatch's embedded format: a line of JSON on standard output, of which CloudWatch Logs makes
//! the metrics. No call, no library, and the log says the same as the graphs.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// One measurement: its name, its CloudWatch unit (`Count`, `Seconds`, `Bytes`) and how much.
pub type Metric = (&'static str, &'static str, u64);

/// Writes the metrics down, under the function's name and in the namespace `OKD`.
#[expect(clippy::print_stdout, reason = "it is what CloudWatch reads")]
pub fn emit(metrics: &[Metric], now: Timestamp) {
    println!("{}", line(metrics, now));
}

fn line(metrics: &[Metric], now: Timestamp) -> Value {
    let named = |(name, unit, _): &Metric| json!({ "Name": name, "Unit": unit });
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    let mut line = Map::from_iter([
        (
            "_aws".to_owned(),
            json!({
                "Timestamp": now.as_millisecond(),
                "CloudWatchMetrics": [{
                    "Namespace": "OKD",
                    "Dimensions": [["FunctionName"]],
                    "Metrics": metrics.iter().map(named).collect::<Vec<_>>(),
                }],
            }),
        ),
        ("FunctionName".to_owned(), json!(function)),
    ]);
    line.extend(
        metrics
            .iter()
            .map(|(name, _, value)| ((*name).to_owned(), json!(value))),
    );
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_declared_and_has_its_value_at_the_top() {
        let line = line(&[("Expired", "Count", 3)], Timestamp::UNIX_EPOCH);
        let declared = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            declared["Metrics"],
            json!([{ "Name": "Expired", "Unit": "Count" }])
        );
        assert_eq!(
            (&line["Expired"], &line["_aws"]["Timestamp"]),
            (&json!(3), &json!(0))
        );
    }
}

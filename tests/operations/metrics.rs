//! What is measured, as CloudWatch finds it in the logs.

use std::collections::BTreeSet;

use okd_core::metrics::Metric;
use okd_local::Cloud;
use serde_json::{Value, json};

use support::{
    cloud::{log, own_cloud, start},
    sender::{Sender, metadata, offer},
};

/// What the functions have logged that is JSON, a line each.
fn lines(cloud: &Cloud) -> Vec<Value> {
    let log = log(cloud);
    let lines = log.lines();
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Every metric in the functions' logs: its function, its other dimensions, its name and unit, its value.
fn measured(cloud: &Cloud) -> Vec<Value> {
    let mut metrics = Vec::new();
    for line in lines(cloud).iter().filter(|line| line["_aws"].is_object()) {
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            assert_eq!(directive["Namespace"], "OKD");
            let dimensions = directive["Dimensions"][0].as_array().unwrap();
            let dimensions = dimensions.iter().map(|name| line[name.as_str().unwrap()].as_str().unwrap());
            let dimensions: Vec<&str> = dimensions.collect();
            for metric in directive["Metrics"].as_array().unwrap() {
                let value = &line[metric["Name"].as_str().unwrap()];
                assert!(!value.is_null(), "{metric} is declared and not told: {line}");
                metrics.push(json!([dimensions, metric["Name"], metric["Unit"], value]));
            }
        }
    }
    metrics
}

/// The dimensions and values of every metric of this name and unit.
fn of(cloud: &Cloud, name: &str, unit: &str) -> Vec<Value> {
    let metrics = measured(cloud).into_iter();
    let named = metrics.filter(|metric| metric[1] == name);
    named
        .map(|metric| {
            assert_eq!(metric[2], unit);
            json!([metric[0], metric[3]])
        })
        .collect()
}

/// How long each of the api function's calls of this name took. (The function behind S3's events calls when it likes.)
fn times_of_api(cloud: &Cloud, call: &str) -> Vec<u64> {
    let times = of(cloud, call, "Milliseconds").into_iter();
    let of_api = times.filter(|metric| metric[0][0] == "local-ApiFunction");
    of_api.map(|metric| metric[1][0].as_u64().unwrap()).collect()
}

/// How many documents came in this form to this outcome.
pub(crate) fn documents(cloud: &Cloud, form: &str, outcome: &str) -> u64 {
    sum(of(cloud, "Documents", "Count"), form, outcome)
}

/// And how many bytes.
fn bytes(cloud: &Cloud, form: &str, outcome: &str) -> u64 {
    sum(of(cloud, "Bytes", "Bytes"), form, outcome)
}

fn sum(metrics: Vec<Value>, form: &str, outcome: &str) -> u64 {
    let under = json!(["local-AnnounceFunction", form, outcome]);
    let values = metrics.into_iter().filter(|metric| metric[0] == under);
    values.map(|metric| metric[1].as_u64().unwrap()).sum()
}

/// A cloud whose functions write all metrics.
pub(crate) fn measuring_cloud() -> &'static Cloud {
    start(|options| {
        options.parameters.insert("Metrics".to_owned(), "all".to_owned());
    })
}

#[tokio::test]
async fn documents_and_bytes_are_counted_by_form_and_outcome() {
    let cloud = measuring_cloud();
    let sender = Sender::to(cloud);
    sender.hand_in(&metadata(), b"inline").await.ok();
    let upload = sender.offer_and_send(&offer(1000), &[7; 1000]).await;
    sender.complete(&upload).await.ok();
    let given_up = sender.offer(&offer(70)).await.accepted();
    sender.follow(&given_up.body["upload"], "abort").await;
    cloud.stream.as_ref().unwrap().drained().await.unwrap();

    for (form, outcome, documents, bytes) in [
        ("inline", "stored", 1, 6),
        ("parts", "begun", 2, 1070),
        ("parts", "stored", 1, 1000),
        ("parts", "aborted", 1, 70),
    ] {
        let counted = (self::documents(cloud, form, outcome), self::bytes(cloud, form, outcome));
        assert_eq!(counted, (documents, bytes), "{form} {outcome}");
    }
}

#[tokio::test]
async fn refusals_are_counted_by_the_type_of_the_problem() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    sender.hand_in(&json!({}), b"file").await.problem(422, "invalid-metadata");
    sender.hand_in(&metadata(), b"").await.problem(422, "empty-file");
    let refusals = of(cloud, "Refusals", "Count");
    let expected = ["invalid-metadata", "empty-file"];
    let expected = expected.map(|problem| json!([["local-ApiFunction", problem], 1]));
    assert_eq!(refusals, expected);
}

#[tokio::test]
async fn a_request_has_one_id_in_its_answer_its_problem_and_the_log_which_names_its_trace_too() {
    let cloud = own_cloud();
    let refused = Sender::to(cloud).hand_in(&metadata(), b"").await;
    refused.problem(422, "empty-file");
    let id = refused.headers["x-amzn-requestid"].to_str().unwrap();
    assert_eq!(refused.body["requestId"], id);
    let lines = lines(cloud);
    let of_this = lines.iter().filter(|line| line["span"]["requestId"] == id);
    let traces = of_this.map(|line| line["span"]["trace"].as_str().unwrap().to_owned());
    let traces: Vec<String> = traces.collect();
    // The refusal and the answer.
    assert_eq!(traces.len(), 2, "{lines:#?}");
    assert!(traces.iter().all(|trace| trace.starts_with("Root=1-")), "{traces:?}");
}

#[tokio::test]
async fn cold_starts_and_the_time_of_calls_to_aws_are_measured() {
    let cloud = measuring_cloud();
    let sender = Sender::to(cloud);
    let metadata = metadata();
    for _ in 0..2 {
        sender.hand_in(&metadata, b"file").await.ok();
    }
    let cold = json!([["local-ApiFunction"], 1]);
    let colds = of(cloud, "ColdStarts", "Count");
    assert_eq!(colds.iter().filter(|metric| **metric == cold).count(), 1);
    for (call, count) in [("S3.PutObject", 2), ("DynamoDB.TransactWriteItems", 1), ("DynamoDB.GetItem", 1)] {
        assert_eq!(times_of_api(cloud, call).len(), count, "{call}");
    }
    // Its parts are presigned, and sent by somebody else.
    sender.offer(&offer(5)).await.accepted();
    assert_eq!(times_of_api(cloud, "S3.CreateMultipartUpload").len(), 1);
    assert_eq!(times_of_api(cloud, "S3.UploadPart"), [] as [u64; 0]);
    cloud.tick(jiff::Timestamp::now()).await.unwrap();
    let lag = of(cloud, "SecondsLate", "Seconds");
    assert_eq!(lag, [json!([["local-ReconcileFunction"], 0])]);
}

#[tokio::test]
async fn unless_all_metrics_are_asked_for_there_are_those_that_alarms_need_and_none_of_what_did_not_happen() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    sender.hand_in(&metadata(), b"file").await.ok();
    cloud.stream.as_ref().unwrap().drained().await.unwrap();
    cloud.tick(jiff::Timestamp::now()).await.unwrap();
    let names: BTreeSet<String> = measured(cloud).iter().map(|metric| metric[1].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["Documents", "SecondsLate", "Changes"].map(str::to_owned).into());
    assert_eq!(of(cloud, "Documents", "Count"), [json!([["local-AnnounceFunction", "stored"], 1])]);
    assert_eq!(of(cloud, "Changes", "Count"), [json!([["local-ApiFunction"], 1])]);
}

/// Every metric of ours that the alarms and the dashboard name is one that there is, and an alarm needs none that is
/// not written unless all are asked for.
#[test]
fn alarms_and_dashboard_name_metrics_that_there_are() {
    let template = std::fs::read_to_string(okd_local::default_template()).unwrap();
    let of_alarms = template.split("Namespace: OKD").skip(1);
    let of_alarms = of_alarms.map(|rest| rest.split("MetricName: ").nth(1).unwrap());
    let name = |text: &str| text.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap().to_owned();
    let of_alarms: BTreeSet<String> = of_alarms.map(name).collect();
    let known = |of: &dyn Fn(&Metric) -> bool| -> BTreeSet<String> {
        Metric::ALL.iter().filter(|metric| of(metric)).map(|metric| metric.name().to_owned()).collect()
    };
    let few = known(&|metric| !metric.is_extra());
    assert!(of_alarms.len() >= 6 && of_alarms.is_subset(&few), "{of_alarms:?} of {few:?}");

    let dashboard = template.split("DashboardBody").nth(1).unwrap().split("Outputs:").next().unwrap();
    let searched = dashboard.split("MetricName=\\\"").skip(1).map(name);
    let listed = dashboard.split("[\"OKD\", \"").skip(1).map(name);
    let swept = dashboard.split("What the sweep met").nth(1).unwrap().split("{\"type\"").next().unwrap();
    let swept = swept.split("[\".\", \"").skip(1).map(name);
    let shown: BTreeSet<String> = searched.chain(listed).chain(swept).collect();
    let unknown: Vec<&String> = shown.iter().filter(|name| !known(&|_| true).contains(*name)).collect();
    assert_eq!(unknown, ["ApproximateNumberOfMessagesVisible"; 0]);
}

#[test]
fn the_page_about_metrics_has_every_one() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating/metrics.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (few, all) = page.split_once("`Metrics=all`").unwrap();
    for metric in Metric::ALL {
        let part = if metric.is_extra() { all } else { few };
        assert!(part.contains(&format!("`{}`", metric.name())), "{metric:?}");
    }
}

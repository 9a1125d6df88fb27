//! What each function may do: the statements of its policy in the template. The stores ask before they answer a
//! function, so that what is missing in a policy is missing here too; and what was asked for is kept, so that a
//! test can find what a policy allows and nobody needs.
//!
//! As much of IAM as the template uses: statements that allow named actions on resources, which may end in `*`, or deny
//! them on all resources but some; and what SAM allows by itself to what reads a stream. Conditions it does not look at:
//! `infra/rehearse.py` does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{Result, template::Template};

/// What a call takes: an action such as `s3:PutObject`, and the ARN that it is done to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The action.
    pub action: String,
    /// The ARN; see [`crate::template::arn`].
    pub resource: String,
}

impl Need {
    /// An action on a resource.
    pub fn of(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
        }
    }
}

/// One action on one resource, allowed by a statement of a function's policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allowed {
    /// The function's logical id.
    pub function: String,
    /// The action, and the resource, which may end in `*`.
    pub need: Need,
}

impl Allowed {
    /// Whether this allows `function` what it needs.
    pub fn covers(&self, function: &str, need: &Need) -> bool {
        let resource = &self.need.resource;
        let matches = match resource.strip_suffix('*') {
            Some(start) => need.resource.starts_with(start),
            None => need.resource == *resource,
        };
        self.function == function && self.need.action == need.action && matches
    }
}

/// What Lambda does on behalf of a function that is fed with a stream.
const STREAM_ACTIONS: [&str; 3] = [
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
];

/// What it takes to read a stream.
pub fn needs_of_stream(stream: &str) -> Vec<Need> {
    let needs = STREAM_ACTIONS.map(|action| Need::of(action, stream));
    needs.into()
}

/// The policies of all functions, and what was asked of them.
#[derive(Debug, Default)]
pub struct Policies {
    allowed: BTreeSet<Allowed>,
    /// What SAM allows by itself: its managed policies know no resources.
    managed: Vec<Allowed>,
    /// What is denied to a function on every resource but this.
    denied: Vec<Allowed>,
    /// The keys that resources are encrypted with, by the resources' ARNs.
    keys: BTreeMap<String, String>,
    /// What was allowed, and asked for.
    needed: BTreeSet<Allowed>,
    /// What functions asked for in vain.
    refused: BTreeSet<(String, Need)>,
}

impl Policies {
    /// Those of a template.
    pub fn of(template: &Template) -> Result<Self> {
        let mut policies = Self {
            keys: template.keys(),
            ..Self::default()
        };
        for (function, properties) in template.functions() {
            let documents = each(&properties["Policies"]);
            for statement in documents.flat_map(|document| each(&document["Statement"])) {
                let of = |resources: &str| {
                    products(function, &statement["Action"], &statement[resources])
                };
                match statement["Effect"].as_str() {
                    Some("Allow") => policies.allowed.extend(of("Resource")),
                    Some("Deny") => policies.denied.extend(of("NotResource")),
                    _ => return Err(format!("{function}: what effect has {statement}?").into()),
                }
            }
        }
        for (function, _) in template.events("DynamoDB") {
            let managed = needs_of_stream("*").into_iter().map(|need| Allowed {
                function: function.to_owned(),
                need,
            });
            policies.managed.extend(managed);
        }
        Ok(policies)
    }

    /// What is allowed.
    pub fn allowed(&self) -> &BTreeSet<Allowed> {
        &self.allowed
    }

    /// What is allowed and no function has asked for yet, and what functions asked for in vain.
    pub(crate) fn audit(&self) -> (Vec<Allowed>, Vec<(String, Need)>) {
        let idle = self.allowed.difference(&self.needed);
        (
            idle.cloned().collect(),
            self.refused.iter().cloned().collect(),
        )
    }

    /// Whether a function may do all of this; it is kept that it asked.
    pub(crate) fn allow(&mut self, function: &str, needs: &[Need]) -> bool {
        let mut all = true;
        for need in needs.iter().cloned().chain(self.keys_for(needs)) {
            if self.allows(function, &need) {
                let allowed = self.allowed.iter();
                let covering = allowed.filter(|allowed| allowed.covers(function, &need));
                self.needed.extend(covering.cloned());
            } else {
                self.refused.insert((function.to_owned(), need));
                all = false;
            }
        }
        all
    }

    /// Whether a function may do this.
    pub fn allows(&self, function: &str, need: &Need) -> bool {
        let mut allowed = self.allowed.iter().chain(&self.managed);
        let mut denied = self
            .denied
            .iter()
            .filter(|denied| denied.function == function && denied.need.action == need.action);
        allowed.any(|allowed| allowed.covers(function, need))
            && denied.all(|but| but.covers(function, need))
    }

    /// What it takes besides where the resource is encrypted with a key of the operator's: DynamoDB reads and writes
    /// with the caller's right to decrypt its table's key; S3 gets a data key for what is put, which it must decrypt
    /// again for the next part and for who reads.
    fn keys_for(&self, needs: &[Need]) -> Vec<Need> {
        let mut more = Vec::new();
        for need in needs {
            let name = need.resource.split('/').next().unwrap_or_default();
            let Some(key) = self.keys.get(name) else {
                continue;
            };
            let actions: &[&str] = match need.action.as_str() {
                "s3:PutObject" => &["kms:GenerateDataKey", "kms:Decrypt"],
                "s3:GetObject" => &["kms:Decrypt"],
                action if STREAM_ACTIONS.contains(&action) => &["kms:Decrypt"],
                action if action.starts_with("dynamodb:") => {
                    &["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"]
                }
                _ => &[],
            };
            more.extend(actions.iter().map(|&action| Need::of(action, key)));
        }
        more
    }
}

/// Each of the actions on each of the resources.
fn products(function: &str, actions: &Value, resources: &Value) -> Vec<Allowed> {
    let actions = each(actions).filter_map(Value::as_str);
    let products = actions.flat_map(|action| {
        let resources = each(resources).filter_map(Value::as_str);
        resources.map(move |resource| Need::of(action, resource))
    });
    let function = || function.to_owned();
    products
        .map(|need| Allowed {
            function: function(),
            need,
        })
        .collect()
}

/// The elements of an array, or the one value that stands alone; none of nothing.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let (many, one) = match value {
        Value::Array(items) => (items.as_slice(), None),
        Value::Null => (&[][..], None),
        one => (&[][..], Some(one)),
    };
    many.iter().chain(one)
}

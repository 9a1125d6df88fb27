//! The rights of each function: the statements of its policy in the template. The stores ask before they answer a
//! function, so that what is missing in a policy is missing here too; and what was asked for is kept, so that a
//! test can find what a policy allows and no use case needs.
//!
//! The part of IAM that the template uses: statements that allow named actions on resources, in which `*` stands for
//! any characters and `${aws:PrincipalTag/NAME}` for a tag of the caller's session, or deny them on all resources but
//! some; the condition on a table's partitions (`dynamodb:LeadingKeys`); and what SAM allows by itself to what reads a
//! stream. At other conditions, and at whom a role trusts, it does not look: `infra/rehearse.py` and
//! `tests/operations/template.rs` do.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use okd_cli::physical_name;

use okd_s3::cors::matches;

use crate::{Result, template::Template};

/// A right that a call needs: an action such as `s3:PutObject`, and the ARN that it is done to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The action.
    pub action: String,
    /// The ARN; see [`crate::template::arn`].
    pub resource: String,
    /// The partition of a table.
    pub partition: Option<String>,
}

impl Need {
    /// An action on a resource.
    pub fn of(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), partition: None }
    }

    /// The same in this partition of the table.
    #[must_use]
    pub(crate) fn in_partition(self, partition: Option<&str>) -> Self {
        let partition = partition.map(str::to_owned);
        Self { partition, ..self }
    }
}

/// The caller that needs a right.
#[derive(Debug, Clone, Copy)]
pub struct Principal<'a> {
    /// The logical id of a function or a role.
    pub name: &'a str,
    /// The tags of its session; a function has none.
    pub tags: Option<&'a BTreeMap<String, String>>,
}

impl<'a> Principal<'a> {
    /// A function by its own rights.
    pub fn function(name: &'a str) -> Self {
        Self { name, tags: None }
    }

    /// A pattern of a policy with the session's tags in place; `None` where it names one that the session has not.
    fn fill(&self, pattern: &str) -> Option<String> {
        let mut filled = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("${aws:PrincipalTag/") {
            let (name, after) = after.split_once('}')?;
            filled.push_str(before);
            filled.push_str(self.tags?.get(name)?);
            rest = after;
        }
        Some(filled + rest)
    }

    fn is_like(&self, pattern: &str, text: &str) -> bool {
        self.fill(pattern).is_some_and(|pattern| matches(&pattern, text))
    }
}

/// One action on one resource, allowed by a statement of a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allowed {
    /// The logical id of the function or role.
    pub principal: String,
    /// The action, and the pattern of the resource.
    pub need: Need,
    /// The patterns of the partitions that it is allowed in; none where it is in all.
    pub partitions: Vec<String>,
}

impl Allowed {
    /// Returns whether this allows `principal` what it needs.
    pub(crate) fn covers(&self, principal: Principal, need: &Need) -> bool {
        let partition = need.partition.as_deref().unwrap_or_default();
        let mut partitions = self.partitions.iter();
        self.principal == principal.name
            && self.need.action == need.action
            && principal.is_like(&self.need.resource, &need.resource)
            && (self.partitions.is_empty() || partitions.any(|pattern| principal.is_like(pattern, partition)))
    }
}

/// Lambda's actions on behalf of a function that is fed with a stream.
const STREAM_ACTIONS: [&str; 3] = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"];

/// The rights that reading a stream needs.
pub fn needs_of_stream(stream: &str) -> Vec<Need> {
    let needs = STREAM_ACTIONS.map(|action| Need::of(action, stream));
    needs.into()
}

/// The policies of all functions, and what was asked of them.
#[derive(Debug, Default)]
pub struct Policies {
    allowed: BTreeSet<Allowed>,
    /// The rights that SAM gives by itself: its managed policies know no resources.
    managed: Vec<Allowed>,
    /// The actions that are denied to a function on every resource but this.
    denied: Vec<Allowed>,
    /// The keys that resources are encrypted with, by the resources' ARNs.
    keys: BTreeMap<String, String>,
    asked: Mutex<Asked>,
}

/// The rights that were asked for.
#[derive(Debug, Default)]
struct Asked {
    /// Those that were allowed.
    needed: BTreeSet<Allowed>,
    /// Those that were not, with their callers.
    refused: BTreeSet<(String, Need)>,
}

impl Policies {
    /// Those of a template.
    pub fn of(template: &Template) -> Result<Self> {
        let mut policies = Self { keys: template.keys(), ..Self::default() };
        let of_functions = template.functions();
        let of_functions = of_functions
            .flat_map(|(function, properties)| each(&properties["Policies"]).map(move |document| (function, document)));
        let of_roles = template.roles_of_functions();
        let of_roles = of_roles.flat_map(|(role, properties)| {
            each(&properties["Policies"]).map(move |policy| (role, &policy["PolicyDocument"]))
        });
        let managed = template.resources("AWS::IAM::ManagedPolicy");
        let managed = managed.flat_map(|(_, policy)| {
            let roles = each(&policy["Roles"]).filter_map(Value::as_str);
            let principals = roles.filter_map(|role| principal_with(template, role));
            principals.map(move |principal| (principal, &policy["PolicyDocument"]))
        });
        for (principal, document) in of_functions.chain(of_roles).chain(managed) {
            for statement in each(&document["Statement"]) {
                let of = |resources: &str| products(principal, statement, resources);
                match statement["Effect"].as_str() {
                    Some("Allow") => policies.allowed.extend(of("Resource")),
                    Some("Deny") => policies.denied.extend(of("NotResource")),
                    _ => return Err(format!("{principal}: what effect has {statement}?").into()),
                }
            }
        }
        for (function, _) in template.events("DynamoDB") {
            let managed = needs_of_stream("*").into_iter();
            policies.managed.extend(managed.map(|need| allowed(function, need)));
        }
        Ok(policies)
    }

    /// The allowed actions.
    pub fn allowed(&self) -> &BTreeSet<Allowed> {
        &self.allowed
    }

    /// The rights that no function has asked for yet, and those that functions asked for in vain.
    pub fn audit(&self) -> (Vec<Allowed>, Vec<(String, Need)>) {
        let asked = self.asked();
        let idle = self.allowed.difference(&asked.needed);
        (idle.cloned().collect(), asked.refused.iter().cloned().collect())
    }

    /// Returns whether the principal may do all of this; it is kept that it asked. One without a name is no function, and
    /// may do everything.
    pub(crate) fn allow(&self, principal: Principal, needs: &[Need]) -> bool {
        if principal.name.is_empty() {
            return true;
        }
        let mut asked = self.asked();
        let mut all = true;
        for need in needs.iter().cloned().chain(self.keys_for(needs)) {
            if self.allows(principal, &need) {
                let allowed = self.allowed.iter();
                let covering = allowed.filter(|allowed| allowed.covers(principal, &need));
                asked.needed.extend(covering.cloned());
            } else {
                asked.refused.insert((principal.name.to_owned(), need));
                all = false;
            }
        }
        all
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the principal may do this.
    pub fn allows(&self, principal: Principal, need: &Need) -> bool {
        let mut allowed = self.allowed.iter().chain(&self.managed);
        let mut denied =
            self.denied.iter().filter(|denied| denied.principal == principal.name && denied.need.action == need.action);
        allowed.any(|allowed| allowed.covers(principal, need)) && denied.all(|but| but.covers(principal, need))
    }

    /// Further rights where the resource is encrypted with a key of the operator's: DynamoDB reads and writes
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
                action if action.starts_with("dynamodb:") => &["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"],
                _ => &[],
            };
            more.extend(actions.iter().map(|&action| Need::of(action, key)));
        }
        more
    }
}

/// The function that has the role of this name, or the role itself.
fn principal_with<'a>(template: &'a Template, role: &str) -> Option<&'a str> {
    let functions = template.functions().map(|(name, _)| name);
    let mut functions = functions.map(|name| (name, format!("{name}Role")));
    let found = functions.find(|(_, of_function)| physical_name(of_function) == role);
    let mut roles = template.roles_of_functions().map(|(name, _)| name);
    let role = roles.find(|name| physical_name(name) == role);
    found.map(|(name, _)| name).or(role)
}

fn allowed(principal: &str, need: Need) -> Allowed {
    Allowed { principal: principal.to_owned(), need, partitions: Vec::new() }
}

/// Each of a statement's actions on each of its `Resource`s or `NotResource`s.
fn products(principal: &str, statement: &Value, resources: &str) -> Vec<Allowed> {
    let partitions = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
    let partitions = each(partitions).filter_map(Value::as_str);
    let partitions: Vec<String> = partitions.map(str::to_owned).collect();
    let actions = each(&statement["Action"]).filter_map(Value::as_str);
    let needs = actions.flat_map(|action| {
        let resources = each(&statement[resources]).filter_map(Value::as_str);
        resources.map(move |resource| Need::of(action, resource))
    });
    needs.map(|need| Allowed { partitions: partitions.clone(), ..allowed(principal, need) }).collect()
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

//! `template.yaml`, as far as the stand-in cloud needs it: the same file that `sam` deploys says which
//! routes, functions, tables and buckets there are, so nothing is said twice and every test exercises it.
//!
//! It is read as `CloudFormation` would read it: the YAML becomes JSON with the short tags in their long form (`!Ref X`
//! is `{"Ref": "X"}`), and every intrinsic function is put in place, so that behind [`Template::read`] there are
//! only values.

use std::{collections::BTreeMap, fs, path::Path};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use okd_cli::{REGION, physical_name};

use crate::Result;

/// A template with its parameters, conditions and functions put in place.
pub struct Template {
    resources: Map<String, Value>,
}

/// A route of the API: which function answers to a method at a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The path, with parameters in braces.
    pub path: String,
    /// The method, or `ANY`.
    pub method: String,
    /// The function's logical id.
    pub function: String,
    /// True if the gateway takes the function's answers as streams.
    pub streams: bool,
}

/// Reads a file of YAML as JSON.
pub fn read_yaml(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let documents = Yaml::load_from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    to_json(documents.first().ok_or("it is empty")?)
}

impl Template {
    /// Reads the template; parameters that `given` lacks have their defaults.
    pub fn read(path: &Path, given: &BTreeMap<String, String>) -> Result<Self> {
        let template = read_yaml(path)?;
        let mut parameters = BTreeMap::new();
        for (name, parameter) in template["Parameters"].as_object().into_iter().flatten() {
            let value = match given.get(name) {
                Some(given) => json!(given),
                None => parameter["Default"].clone(),
            };
            let value = if parameter["Type"] == "CommaDelimitedList" {
                word(&value).split(',').map(str::trim).collect()
            } else {
                value
            };
            parameters.insert(name.clone(), value);
        }
        if let Some(unknown) = given.keys().find(|name| !parameters.contains_key(*name)) {
            return Err(format!("the template has no parameter {unknown}").into());
        }
        let resources = template["Resources"].as_object();
        let mut resources = resources.ok_or("the template has no Resources")?.clone();
        let context =
            Context { parameters: &parameters, conditions: &template["Conditions"], resources: &resources.clone() };
        let wanted = |resource: &Value| match resource["Condition"].as_str() {
            Some(condition) => context.holds(condition),
            None => Ok(true),
        };
        let mut there = Map::new();
        for (name, resource) in &mut resources {
            if wanted(resource)? {
                let resource = context.put_in_place(resource)?;
                there.insert(name.clone(), resource.unwrap_or_default());
            }
        }
        Ok(Self { resources: there })
    }

    /// The logical ids and properties of all resources of a type, such as `AWS::S3::Bucket`.
    pub fn resources(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.resources
            .iter()
            .filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(name, resource)| (name.as_str(), &resource["Properties"]))
    }

    /// The logical ids and properties of all functions.
    pub fn functions(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.resources("AWS::Serverless::Function")
    }

    /// The logical ids and properties of all roles that functions assume.
    pub fn roles_of_functions(&self) -> impl Iterator<Item = (&str, &Value)> {
        let trust = |role: &Value| role["AssumeRolePolicyDocument"]["Statement"].to_string();
        self.resources("AWS::IAM::Role").filter(move |(_, role)| trust(role).contains("\"AWS\":"))
    }

    /// Every event of this type that invokes a function: the function's logical id, and the event's properties.
    pub fn events(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.functions().flat_map(move |(function, properties)| {
            let events = properties["Events"].as_object().into_iter().flatten();
            events
                .filter(move |(_, event)| event["Type"] == kind)
                .map(move |(_, event)| (function, &event["Properties"]))
        })
    }

    /// Every route of the API.
    pub fn routes(&self) -> Vec<Route> {
        let paths =
            self.resources("AWS::Serverless::Api").filter_map(|(_, api)| api["DefinitionBody"]["paths"].as_object());
        let methods = paths.flatten().filter_map(|(path, methods)| Some((path, methods.as_object()?)));
        let methods = methods.flat_map(|(path, methods)| methods.iter().map(move |(method, to)| (path, method, to)));
        let route = |(path, method, to): (&String, &String, &Value)| {
            let integration = &to["x-amazon-apigateway-integration"];
            let (_, function) = integration["uri"].as_str()?.split_once("/functions/")?;
            let mut functions = self.functions();
            let (function, _) = functions.find(|(name, _)| function.starts_with(&arn(&physical_name(name))))?;
            let any = method == "x-amazon-apigateway-any-method";
            Some(Route {
                path: path.clone(),
                method: if any { "ANY".to_owned() } else { method.to_uppercase() },
                function: function.to_owned(),
                streams: integration["responseTransferMode"] == "STREAM",
            })
        };
        methods.filter_map(route).collect()
    }

    /// The ARNs of the tables and buckets that are encrypted with a key of the operator's, and of their keys.
    pub fn keys(&self) -> BTreeMap<String, String> {
        let buckets = self.resources("AWS::S3::Bucket").map(|(name, bucket)| {
            let rule = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
            (name, &rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"])
        });
        let tables = self.resources("AWS::DynamoDB::Table");
        let tables = tables.map(|(name, table)| (name, &table["SSESpecification"]["KMSMasterKeyId"]));
        buckets
            .chain(tables)
            .filter_map(|(name, key)| Some((arn(&physical_name(name)), key.as_str()?.to_owned())))
            .collect()
    }

    /// The environment variables of a function.
    pub fn environment(function: &Value) -> BTreeMap<String, String> {
        let variables = function["Environment"]["Variables"].as_object();
        let variables = variables.into_iter().flatten();
        variables.map(|(name, value)| (name.clone(), word(value))).collect()
    }
}

/// A scalar, as an environment variable or a part of a text has it.
pub fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The values that the intrinsic functions look at.
struct Context<'a> {
    parameters: &'a BTreeMap<String, Value>,
    conditions: &'a Value,
    resources: &'a Map<String, Value>,
}

impl Context<'_> {
    /// A value with every intrinsic function in it replaced by what it comes to; `None` for `AWS::NoValue`.
    fn put_in_place(&self, value: &Value) -> Result<Option<Value>> {
        Ok(Some(match value {
            Value::Array(items) => {
                let items = items.iter().filter_map(|item| self.put_in_place(item).transpose());
                Value::Array(items.collect::<Result<_>>()?)
            }
            Value::Object(fields) => {
                if let Some((function, argument)) = only(fields)
                    && (function == "Ref" || function.starts_with("Fn::"))
                {
                    return self.call(function, argument);
                }
                let fields = fields.iter().filter_map(|(name, value)| {
                    let value = self.put_in_place(value).transpose()?;
                    Some(value.map(|value| (name.clone(), value)))
                });
                Value::Object(fields.collect::<Result<_>>()?)
            }
            scalar => scalar.clone(),
        }))
    }

    fn call(&self, function: &str, argument: &Value) -> Result<Option<Value>> {
        let text = argument.as_str().unwrap_or_default();
        match (function, argument) {
            ("Ref", _) if text == "AWS::NoValue" => Ok(None),
            ("Ref", _) => self.named(text).map(Some),
            ("Fn::GetAtt", _) => self.attribute(text).map(Some),
            ("Fn::Sub", Value::String(_)) => self.substitute(text, &Map::new()).map(Some),
            ("Fn::Sub", Value::Array(parts)) if parts.len() == 2 => {
                let values = self.put_in_place(&parts[1])?.unwrap_or_default();
                let values = values.as_object().cloned().unwrap_or_default();
                let text = parts[0].as_str().unwrap_or_default();
                self.substitute(text, &values).map(Some)
            }
            ("Fn::Join", Value::Array(parts)) if parts.len() == 2 => {
                let words = self.put_in_place(&parts[1])?.unwrap_or_default();
                let words = words.as_array().into_iter().flatten();
                let words: Vec<String> = words.map(word).collect();
                let between = parts[0].as_str().unwrap_or_default();
                Ok(Some(json!(words.join(between))))
            }
            ("Fn::If", Value::Array(branches)) if branches.len() == 3 => {
                let condition = branches[0].as_str().unwrap_or_default();
                let taken = if self.holds(condition)? { 1 } else { 2 };
                self.put_in_place(&branches[taken])
            }
            _ => Err(format!("infra/local/template.rs does not know {function} of {argument}").into()),
        }
    }

    fn named(&self, name: &str) -> Result<Value> {
        match (name, self.parameters.get(name)) {
            (_, Some(value)) => Ok(value.clone()),
            ("AWS::Region", _) => Ok(json!(REGION)),
            ("AWS::Partition", _) => Ok(json!("aws")),
            ("AWS::URLSuffix", _) => Ok(json!("amazonaws.com")),
            ("AWS::AccountId", _) => Ok(json!("000000000000")),
            ("AWS::StackName", _) => Ok(json!("local")),
            _ if self.is_made(name) => Ok(json!(physical_name(name))),
            _ => Err(format!("{name} is no resource, and no parameter with a value").into()),
        }
    }

    fn attribute(&self, text: &str) -> Result<Value> {
        match text.split_once('.') {
            Some((resource, attribute)) if self.is_made(resource) => {
                let arn = arn(&physical_name(resource));
                Ok(json!(if attribute == "Arn" { arn } else { format!("{arn}/{attribute}") }))
            }
            _ => Err(format!("{text} is no attribute of a resource").into()),
        }
    }

    /// Returns whether this is a resource of the template, or SAM makes it of a function or one of its events: it calls
    /// the role of a function after that, and these after both.
    fn is_made(&self, resource: &str) -> bool {
        self.resources.iter().any(|(name, properties)| {
            let rest = resource.strip_prefix(name.as_str());
            let events = &properties["Properties"]["Events"];
            rest.is_some_and(|rest| rest.is_empty() || rest == "Role" || events[rest].is_object())
        })
    }

    /// `Fn::Sub`, with the values of its own names.
    fn substitute(&self, text: &str, values: &Map<String, Value>) -> Result<Value> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or("a ${ without its }")?;
            let value = match values.get(name) {
                Some(value) => value.clone(),
                // `${!X}` is `${X}` for another reader.
                None if name.starts_with('!') => json!(format!("${{{}}}", &name[1..])),
                None if name.contains('.') => self.attribute(name)?,
                None => self.named(name)?,
            };
            result.push_str(before);
            result.push_str(&word(&value));
            rest = after;
        }
        Ok(json!(result + rest))
    }

    fn holds(&self, condition: &str) -> Result<bool> {
        let rule = &self.conditions[condition];
        if rule.is_null() {
            return Err(format!("the template has no condition {condition}").into());
        }
        self.is_true(rule)
    }

    fn is_true(&self, rule: &Value) -> Result<bool> {
        let (function, argument) = rule.as_object().and_then(only).unwrap_or(("", rule));
        let of = argument.as_array().map_or(&[][..], Vec::as_slice);
        match (function, of) {
            ("Condition", _) => self.holds(argument.as_str().unwrap_or_default()),
            ("Fn::Equals", [one, other]) => {
                let text = |value| Ok::<_, crate::Error>(self.put_in_place(value)?.as_ref().map(word));
                Ok(text(one)? == text(other)?)
            }
            ("Fn::Not", [rule]) => Ok(!self.is_true(rule)?),
            ("Fn::And", rules) => rules.iter().try_fold(true, |all, rule| Ok(all & self.is_true(rule)?)),
            ("Fn::Or", rules) => rules.iter().try_fold(false, |any, rule| Ok(any | self.is_true(rule)?)),
            _ => Err(format!("infra/local/template.rs does not know the condition {rule}").into()),
        }
    }
}

/// The name and value of an object's only field.
fn only(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, value) = fields.iter().next()?;
    (fields.len() == 1).then_some((name.as_str(), value))
}

/// The ARN of a resource of this name, in no service: comparing two of ours needs no more.
pub fn arn(name: &str) -> String {
    format!("arn:local:{name}")
}

fn to_json(yaml: &Yaml<'_>) -> Result<Value> {
    Ok(match yaml {
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::Boolean(flag)) => json!(flag),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Sequence(items) => Value::Array(items.iter().map(to_json).collect::<Result<_>>()?),
        Yaml::Mapping(entries) => {
            let entry = |(key, value): (&Yaml<'_>, &Yaml<'_>)| {
                let key = match key {
                    Yaml::Value(Scalar::String(key)) => key.to_string(),
                    Yaml::Value(Scalar::Integer(key)) => key.to_string(),
                    _ => return Err("a key of the template is no string".into()),
                };
                Ok((key, to_json(value)?))
            };
            Value::Object(entries.iter().map(entry).collect::<Result<_>>()?)
        }
        Yaml::Tagged(tag, value) => {
            let function = match tag.suffix.as_str() {
                name @ ("Ref" | "Condition") => name.to_owned(),
                name => format!("Fn::{name}"),
            };
            json!({ function: to_json(value)? })
        }
        _ => return Err("the template has YAML that CloudFormation does not".into()),
    })
}

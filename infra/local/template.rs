//! `template.yaml`, as far as the stand-in cloud needs it: the same file that `sam` deploys says which
//! routes, functions, tables and buckets there are, so nothing is said twice and every test exercises it.
//!
//! The YAML becomes JSON with CloudFormation's short tags in their long form (`!Ref X` is
//! `{"Ref": "X"}`); intrinsic functions are resolved only where a value is used.

use std::{collections::BTreeMap, fs, path::Path};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::Result;

/// A template whose parameters have values.
pub struct Template {
    resources: Map<String, Value>,
    parameters: BTreeMap<String, String>,
}

/// A route of the API: which function answers to a method at a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The path, with parameters in braces.
    pub path: String,
    /// The method.
    pub method: String,
    /// The function's logical id.
    pub function: String,
}

impl Template {
    /// Reads the template; parameters that `given` lacks have their defaults.
    pub fn read(path: &Path, given: BTreeMap<String, String>) -> Result<Self> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let documents =
            Yaml::load_from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let template = to_json(documents.first().ok_or("the template is empty")?)?;
        let mut parameters = given;
        for (name, parameter) in template["Parameters"].as_object().into_iter().flatten() {
            let default = match &parameter["Default"] {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            if let Some(default) = default {
                parameters.entry(name.clone()).or_insert(default);
            }
        }
        let resources = template["Resources"]
            .as_object()
            .ok_or("the template has no Resources")?;
        Ok(Self {
            resources: resources.clone(),
            parameters,
        })
    }

    /// The logical ids and properties of all resources of a type, such as `AWS::S3::Bucket`.
    pub fn resources(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.resources
            .iter()
            .filter(move |(_, resource)| resource["Type"] == kind)
            .map(|(name, resource)| (name.as_str(), &resource["Properties"]))
    }

    /// Every route of every function, from the functions' `Api` events.
    pub fn routes(&self) -> Vec<Route> {
        let mut routes = Vec::new();
        for (function, properties) in self.resources("AWS::Serverless::Function") {
            for event in properties["Events"]
                .as_object()
                .into_iter()
                .flat_map(Map::values)
            {
                if let (Some(path), Some(method)) = (
                    event["Properties"]["Path"].as_str(),
                    event["Properties"]["Method"].as_str(),
                ) {
                    let (path, method) = (path.to_owned(), method.to_uppercase());
                    routes.push(Route {
                        path,
                        method,
                        function: function.to_owned(),
                    });
                }
            }
        }
        routes
    }

    /// The environment variables of a function, resolved.
    pub fn environment(&self, function: &Value) -> Result<BTreeMap<String, String>> {
        let variables = function["Environment"]["Variables"]
            .as_object()
            .into_iter()
            .flatten();
        variables
            .map(|(name, value)| Ok((name.clone(), self.resolve(value)?)))
            .collect()
    }

    /// A scalar, or the `Ref` of a parameter or resource.
    pub fn resolve(&self, value: &Value) -> Result<String> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            _ => {
                let name = value["Ref"]
                    .as_str()
                    .ok_or_else(|| format!("cannot resolve {value}"))?;
                match self.parameters.get(name) {
                    Some(parameter) => Ok(parameter.clone()),
                    None if self.resources.contains_key(name) => Ok(physical_name(name)),
                    None => {
                        Err(format!("{name} is no resource, and no parameter with a value").into())
                    }
                }
            }
        }
    }
}

/// What a table or bucket of this logical id is called here; it says `local`, so that it cannot be
/// mistaken for the real one.
pub fn physical_name(logical_id: &str) -> String {
    format!("local-{}", logical_id.to_lowercase())
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
                "Ref" => "Ref".to_owned(),
                name => format!("Fn::{name}"),
            };
            json!({ function: to_json(value)? })
        }
        _ => return Err("the template has YAML that CloudFormation does not".into()),
    })
}

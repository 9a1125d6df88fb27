//! The template's functions, each with its environment.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use okd_cli::{REGION, access_key::AccessKey};
use okd_faults::Faults;

use crate::{Options, runtime::Function, template::Template};

/// The variables of every function of the template. Of the services' endpoints those that it names are ours, as
/// with `sam local --env-vars`.
pub(crate) fn environments(
    template: &Template,
    endpoints: &BTreeMap<&str, &str>,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let environment = |(name, properties): (&str, &serde_json::Value)| {
        let mut variables = Template::environment(properties);
        for (variable, value) in &mut variables {
            if let Some(&ours) = endpoints.get(variable.as_str()) {
                ours.clone_into(value);
            }
        }
        (name.to_owned(), variables)
    };
    template.functions().map(environment).collect()
}

/// Every function of the template, with its own variables and those that Lambda sets.
pub(crate) fn functions(
    template: &Template,
    options: &Options,
    environments: &BTreeMap<String, BTreeMap<String, String>>,
    access_key: &AccessKey,
    faults: &Arc<Faults>,
) -> BTreeMap<String, Arc<Function>> {
    let lambda = [
        ("AWS_ACCESS_KEY_ID", access_key.id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", &access_key.secret),
        ("AWS_REGION", REGION),
    ];
    let function = |(name, properties): (&str, &serde_json::Value)| {
        let mut environment = environments.get(name).cloned().unwrap_or_default();
        environment.extend(lambda.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let timeout = Duration::from_secs(properties["Timeout"].as_u64().unwrap_or(3));
        let memory = properties["MemorySize"].as_u64().unwrap_or(128);
        let function = Function::new(name, options, environment, timeout, memory, faults.clone());
        (name.to_owned(), Arc::new(function))
    };
    template.functions().map(function).collect()
}

//! Makes the template's buckets and tables, through the protocols of AWS.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, TableDescription,
};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, CorsConfiguration, CorsRule,
    CreateBucketConfiguration, ExpirationStatus, LifecycleRule, LifecycleRuleFilter, VersioningConfiguration,
};
use serde_json::Value;

use okd_cli::{REGION, physical_name};

use crate::{Result, template::Template};

pub use okd_cli::stores::{dynamodb_client, s3_client};

/// Makes the buckets that are not there yet, with their versioning and lifecycle.
pub(crate) async fn create_buckets(template: &Template, s3: &aws_sdk_s3::Client) -> Result<()> {
    for (name, properties) in template.resources("AWS::S3::Bucket") {
        let bucket = physical_name(name);
        if s3.head_bucket().bucket(&bucket).send().await.is_err() {
            let here = CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
            s3.create_bucket().bucket(&bucket).create_bucket_configuration(here).send().await?;
        }
        if properties["VersioningConfiguration"]["Status"] == "Enabled" {
            let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
            s3.put_bucket_versioning().bucket(&bucket).versioning_configuration(enabled).send().await?;
        }
        let rules = array(&properties["CorsConfiguration"], "CorsRules").map(cors_rule);
        let rules: Vec<_> = rules.collect::<Result<_>>()?;
        if !rules.is_empty() {
            let cors = CorsConfiguration::builder().set_cors_rules(Some(rules));
            s3.put_bucket_cors().bucket(&bucket).cors_configuration(cors.build()?).send().await?;
        }
        let rules = array(&properties["LifecycleConfiguration"], "Rules");
        // The stand-in applies no other rule.
        let rules = rules.filter(|rule| rule["AbortIncompleteMultipartUpload"].is_object());
        let rules: Vec<_> = rules.map(lifecycle_rule).collect::<Result<_>>()?;
        if !rules.is_empty() {
            let lifecycle = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build()?;
            s3.put_bucket_lifecycle_configuration().bucket(&bucket).lifecycle_configuration(lifecycle).send().await?;
        }
    }
    Ok(())
}

fn cors_rule(rule: &Value) -> Result<CorsRule> {
    let texts = |key: &str| {
        let texts = array(rule, key).filter_map(Value::as_str);
        Some(texts.map(str::to_owned).collect())
    };
    let max_age = rule["MaxAge"].as_i64();
    let max_age = max_age.and_then(|seconds| i32::try_from(seconds).ok());
    let rule = CorsRule::builder()
        .set_max_age_seconds(max_age)
        .set_allowed_origins(texts("AllowedOrigins"))
        .set_allowed_methods(texts("AllowedMethods"))
        .set_allowed_headers(texts("AllowedHeaders"))
        .set_expose_headers(texts("ExposedHeaders"));
    Ok(rule.build()?)
}

fn lifecycle_rule(rule: &Value) -> Result<LifecycleRule> {
    let days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"].as_i64();
    let abort = days
        .and_then(|days| i32::try_from(days).ok())
        .map(|days| AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build());
    let rule = LifecycleRule::builder()
        .set_id(rule["Id"].as_str().map(str::to_owned))
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix(rule["Prefix"].as_str().unwrap_or_default()).build())
        .set_abort_incomplete_multipart_upload(abort)
        .build()?;
    Ok(rule)
}

/// Makes the tables that are not there yet.
pub(crate) async fn create_tables(template: &Template, dynamodb: &aws_sdk_dynamodb::Client) -> Result<()> {
    let known = dynamodb.list_tables().send().await?;
    for (name, properties) in template.resources("AWS::DynamoDB::Table") {
        let table = physical_name(name);
        if known.table_names().contains(&table) {
            let described = dynamodb.describe_table().table_name(&table).send().await?;
            let there = described.table();
            let indexes = there.map(TableDescription::global_secondary_indexes);
            let indexes = indexes.map_or(0, <[_]>::len);
            let streams = there.is_some_and(|there| there.stream_specification().is_some());
            if indexes != array(properties, "GlobalSecondaryIndexes").count()
                || streams != properties["StreamSpecification"].is_object()
            {
                return Err("the data folder is an earlier version's: delete it, or name another with --data".into());
            }
            continue;
        }
        let mut create = dynamodb.create_table().table_name(&table).billing_mode(BillingMode::PayPerRequest);
        for attribute in array(properties, "AttributeDefinitions") {
            let kind = ScalarAttributeType::from(text(attribute, "AttributeType"));
            let name = text(attribute, "AttributeName");
            create = create.attribute_definitions(
                AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build()?,
            );
        }
        create = create.set_key_schema(Some(key_schema(properties)?));
        if let Some(kind) = properties["StreamSpecification"]["StreamViewType"].as_str() {
            let stream = StreamSpecification::builder().stream_enabled(true);
            create = create.stream_specification(stream.stream_view_type(kind.into()).build()?);
        }
        for index in array(properties, "GlobalSecondaryIndexes") {
            let kind = ProjectionType::from(text(&index["Projection"], "ProjectionType"));
            create = create.global_secondary_indexes(
                GlobalSecondaryIndex::builder()
                    .index_name(text(index, "IndexName"))
                    .set_key_schema(Some(key_schema(index)?))
                    .projection(Projection::builder().projection_type(kind).build())
                    .build()?,
            );
        }
        create.send().await?;
    }
    Ok(())
}

fn key_schema(table_or_index: &Value) -> Result<Vec<KeySchemaElement>> {
    let element = |key| {
        Ok(KeySchemaElement::builder()
            .attribute_name(text(key, "AttributeName"))
            .key_type(KeyType::from(text(key, "KeyType")))
            .build()?)
    };
    array(table_or_index, "KeySchema").map(element).collect()
}

fn array<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

//! The stores alone: S3 and DynamoDB, with the buckets and tables of a template.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::{
    Options, Result, aws_json::Port, dynamodb, dynamodb::Tables, front::Front, listen::Host, s3_port, setup,
    template::Template,
};

/// The stores in use. They run until the process ends.
pub struct Stores {
    /// The base URL of S3.
    pub s3_url: String,
    /// The base URL of DynamoDB.
    pub dynamodb_url: String,
    /// A client of this S3.
    pub s3_client: aws_sdk_s3::Client,
    /// A client of this DynamoDB.
    pub dynamodb_client: aws_sdk_dynamodb::Client,
    /// Our own S3, unless another is used.
    pub s3: Option<okd_s3::S3>,
    /// Our own DynamoDB, or the way to another.
    pub tables: Tables,
    /// Told of each call to DynamoDB that may have written.
    pub(crate) written: Arc<Notify>,
}

impl Stores {
    /// Starts the stores that `options` name, behind `front`, and makes what the template has of buckets and tables.
    pub async fn start(template: &Template, options: &Options, front: &Front) -> Result<Self> {
        let host = Host { name: &options.host, port: options.port };
        let (s3_url, s3) = match &options.s3_endpoint {
            Some(endpoint) => (endpoint.clone(), None),
            None => {
                let s3 = okd_s3::S3::open(&options.data.join("s3"), options.durable)?;
                let (listener, url) = host.bind(2).await?;
                tokio::spawn(s3_port::serve(s3.clone(), listener, front.clone()));
                (url, Some(s3))
            }
        };
        let tables = Tables::open(&dynamodb::file(&options.data), options.dynamodb_endpoint.clone())?;
        let (listener, dynamodb_url) = host.bind(3).await?;
        let written = Arc::new(Notify::new());
        tokio::spawn(dynamodb::serve(Port::json(listener, front), tables.clone(), written.clone()));
        let s3_client = setup::s3_client(&s3_url, &front.access_key);
        let dynamodb_client = setup::dynamodb_client(&dynamodb_url, &front.access_key);
        setup::create_buckets(template, &s3_client).await?;
        setup::create_tables(template, &dynamodb_client).await?;
        Ok(Self { s3_url, dynamodb_url, s3_client, dynamodb_client, s3, tables, written })
    }
}

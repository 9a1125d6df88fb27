//! The operations this S3 knows: `s3s` parses a request and calls one of these. What is not here
//! is answered with `NotImplemented`.

use std::sync::Arc;

use http::StatusCode;
#[allow(clippy::wildcard_imports, reason = "every operation has its own input and output")]
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use crate::state::Versioning;
use crate::store::{Store, blocking};
use crate::{complete, cors, deleting, lifecycle, listing, malformed_xml, multipart, objects, tags};

pub(crate) struct Operations(pub(crate) Arc<Store>);

type Answer<T> = S3Result<S3Response<T>>;

#[expect(clippy::unnecessary_wraps, reason = "it is what every operation returns")]
fn answer<T>(output: T) -> Answer<T> {
    Ok(S3Response::new(output))
}

#[async_trait::async_trait]
impl S3 for Operations {
    // --- buckets

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        let (store, name) = (Arc::clone(&self.0), request.input.bucket);
        let location = Some(format!("/{name}"));
        blocking(move || store.create_bucket(&mut store.lock(), &name)).await?;
        answer(CreateBucketOutput { location })
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.0.lock().bucket(&request.input.bucket)?;
        answer(HeadBucketOutput::default())
    }

    async fn delete_bucket(&self, request: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
        let store = Arc::clone(&self.0);
        blocking(move || store.delete_bucket(&mut store.lock(), &request.input.bucket)).await?;
        Ok(S3Response::with_status(DeleteBucketOutput::default(), StatusCode::NO_CONTENT))
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        answer(listing::buckets(&self.0.lock(), request.input))
    }

    async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> Answer<PutBucketVersioningOutput> {
        let status = request.input.versioning_configuration.status;
        let versioning = match status.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            _ => return Err(malformed_xml()),
        };
        let (store, name) = (Arc::clone(&self.0), request.input.bucket);
        blocking(move || store.change_settings(&name, |settings| settings.versioning = versioning)).await?;
        answer(PutBucketVersioningOutput::default())
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> Answer<GetBucketVersioningOutput> {
        let status = match self.0.lock().bucket(&request.input.bucket)?.settings.versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
            Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
        };
        let status = status.map(BucketVersioningStatus::from_static);
        answer(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() })
    }

    async fn put_bucket_cors(&self, request: S3Request<PutBucketCorsInput>) -> Answer<PutBucketCorsOutput> {
        let (store, name) = (Arc::clone(&self.0), request.input.bucket);
        let configuration = request.input.cors_configuration;
        cors::check(&configuration)?;
        blocking(move || store.change_settings(&name, |settings| settings.cors = Some(configuration))).await?;
        answer(PutBucketCorsOutput::default())
    }

    async fn get_bucket_cors(&self, request: S3Request<GetBucketCorsInput>) -> Answer<GetBucketCorsOutput> {
        let configuration = self.0.lock().bucket(&request.input.bucket)?.settings.cors.clone();
        let configuration = configuration.ok_or_else(cors::not_configured)?;
        answer(GetBucketCorsOutput { cors_rules: Some(configuration.cors_rules) })
    }

    async fn put_bucket_lifecycle_configuration(
        &self,
        request: S3Request<PutBucketLifecycleConfigurationInput>,
    ) -> Answer<PutBucketLifecycleConfigurationOutput> {
        let (store, name) = (Arc::clone(&self.0), request.input.bucket);
        let configuration = request.input.lifecycle_configuration.ok_or_else(malformed_xml)?;
        lifecycle::check(&configuration)?;
        blocking(move || store.change_settings(&name, |settings| settings.lifecycle = Some(configuration))).await?;
        answer(PutBucketLifecycleConfigurationOutput::default())
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> Answer<GetBucketLifecycleConfigurationOutput> {
        let configuration = self.0.lock().bucket(&request.input.bucket)?.settings.lifecycle.clone();
        let configuration = configuration
            .ok_or_else(|| s3_error!(NoSuchLifecycleConfiguration, "The lifecycle configuration does not exist"))?;
        answer(GetBucketLifecycleConfigurationOutput {
            rules: Some(configuration.rules),
            ..GetBucketLifecycleConfigurationOutput::default()
        })
    }

    // --- objects

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        answer(objects::put(&self.0, request).await?)
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        answer(objects::get(&self.0, &request.input)?)
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        answer(objects::head(&self.0, request.input)?)
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        answer(objects::copy(&self.0, request.input).await?)
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        let (store, input) = (Arc::clone(&self.0), request.input);
        let delete = move || deleting::delete(&store, &input.bucket, &input.key, input.version_id.as_deref());
        let done = blocking(delete).await?;
        let output = DeleteObjectOutput {
            delete_marker: done.delete_marker.then_some(true),
            version_id: done.version_id,
            ..DeleteObjectOutput::default()
        };
        Ok(S3Response::with_status(output, StatusCode::NO_CONTENT))
    }

    async fn delete_objects(&self, request: S3Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
        let store = Arc::clone(&self.0);
        answer(blocking(move || deleting::delete_many(&store, &request.input)).await?)
    }

    async fn put_object_tagging(&self, request: S3Request<PutObjectTaggingInput>) -> Answer<PutObjectTaggingOutput> {
        let (store, input) = (Arc::clone(&self.0), request.input);
        tags::check_tags(&input.tagging.tag_set)?;
        let set = move || store.set_tags(&input.bucket, &input.key, input.version_id.as_deref(), input.tagging.tag_set);
        answer(PutObjectTaggingOutput { version_id: blocking(set).await?.shown_id() })
    }

    async fn get_object_tagging(&self, request: S3Request<GetObjectTaggingInput>) -> Answer<GetObjectTaggingOutput> {
        let input = request.input;
        let version = self.0.lock().bucket(&input.bucket)?.find(&input.key, input.version_id.as_deref())?;
        let tag_set = version.content.as_ref().map(|content| content.tags.clone()).unwrap_or_default();
        answer(GetObjectTaggingOutput { tag_set, version_id: version.shown_id() })
    }

    async fn delete_object_tagging(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> Answer<DeleteObjectTaggingOutput> {
        let (store, input) = (Arc::clone(&self.0), request.input);
        let clear = move || store.set_tags(&input.bucket, &input.key, input.version_id.as_deref(), Vec::new());
        let output = DeleteObjectTaggingOutput { version_id: blocking(clear).await?.shown_id() };
        Ok(S3Response::with_status(output, StatusCode::NO_CONTENT))
    }

    // --- listings

    async fn list_objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
        answer(listing::objects(&self.0, request.input)?)
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> Answer<ListObjectVersionsOutput> {
        answer(listing::versions(&self.0, request.input)?)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> Answer<ListMultipartUploadsOutput> {
        answer(listing::uploads(&self.0, request.input)?)
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        answer(listing::parts(&self.0, request.input)?)
    }

    // --- multipart uploads

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        answer(multipart::create(&self.0, request.input).await?)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        answer(multipart::upload_part(&self.0, request).await?)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        answer(complete::complete(&self.0, request).await?)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        let (store, input) = (Arc::clone(&self.0), request.input);
        blocking(move || multipart::abort(&store, &input.bucket, &input.key, &input.upload_id)).await?;
        Ok(S3Response::with_status(AbortMultipartUploadOutput::default(), StatusCode::NO_CONTENT))
    }
}

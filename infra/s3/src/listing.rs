//! The four listings. Each is a walk in key order from a marker, cut into pages the same way.

use std::ops::Bound;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use s3s::dto::{
    Bucket, DeleteMarkerEntry, ListBucketsInput, ListBucketsOutput, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsV2Input,
    ListObjectsV2Output, ListPartsInput, ListPartsOutput, MultipartUpload, Object, ObjectStorageClass, ObjectVersion,
    ObjectVersionStorageClass, Part, StorageClass,
};
use s3s::{S3Result, s3_error};

use crate::checksums::set_checksum;
use crate::pages::{Cut, page_size, prefixes, writer};
use crate::state::{Content, State, Version};
use crate::store::Store;
use crate::{lifecycle, signed, strong};

pub(crate) fn objects(store: &Store, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let state = store.lock();
    let bucket = state.bucket(&input.bucket)?;
    let (max_keys, max) = page_size(input.max_keys, "max-keys")?;
    let after = match &input.continuation_token {
        Some(token) => decode_token(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let cut = Cut {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref(),
        after: &after,
        max,
    };
    let walk = bucket
        .objects
        .range::<str, _>((Bound::Excluded(after.as_str()), Bound::Unbounded))
        .filter_map(|(key, _)| Some((key.as_str(), bucket.current(key)?)));
    let page = cut.page(walk);
    let write = writer(input.encoding_type.as_ref());
    let listed = |version: &Version| Some(listed_object(version, version.content.as_ref()?, write));
    let contents: Vec<Object> = page.entries.iter().filter_map(|version| listed(version)).collect();
    Ok(ListObjectsV2Output {
        key_count: i32::try_from(contents.len() + page.common_prefixes.len()).ok(),
        common_prefixes: Some(prefixes(&page.common_prefixes, write)),
        contents: Some(contents),
        continuation_token: input.continuation_token,
        delimiter: input.delimiter,
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        max_keys: Some(max_keys),
        name: Some(input.bucket),
        next_continuation_token: page.next.map(|next| BASE64_URL_SAFE_NO_PAD.encode(next)),
        prefix: Some(write(&input.prefix.unwrap_or_default())),
        start_after: input.start_after,
        ..ListObjectsV2Output::default()
    })
}

fn listed_object(version: &Version, content: &Content, write: fn(&str) -> String) -> Object {
    Object {
        checksum_algorithm: Some(vec![content.checksum.algorithm.dto()]),
        checksum_type: Some(content.checksum.kind.dto()),
        e_tag: Some(strong(&content.etag)),
        key: Some(write(&version.key)),
        last_modified: Some(version.modified.timestamp()),
        size: Some(signed(content.size)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Object::default()
    }
}

fn decode_token(token: &str) -> S3Result<String> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}

pub(crate) fn versions(store: &Store, input: ListObjectVersionsInput) -> S3Result<ListObjectVersionsOutput> {
    let state = store.lock();
    let bucket = state.bucket(&input.bucket)?;
    let (max_keys, max) = page_size(input.max_keys, "max-keys")?;
    let after = input.key_marker.as_deref().unwrap_or_default();
    let cut =
        Cut { prefix: input.prefix.as_deref().unwrap_or_default(), delimiter: input.delimiter.as_deref(), after, max };
    // A version marker names the last version listed of the marked key: the older ones follow.
    let older = input.version_id_marker.as_deref().into_iter().flat_map(|marker| {
        let versions = bucket.objects.get(after).map_or(&[][..], Vec::as_slice);
        let listed = versions.iter().position(|version| version.id == marker).unwrap_or_default();
        versions[..listed].iter().rev().map(|version| (after, (version, false)))
    });
    let later =
        bucket.objects.range::<str, _>((Bound::Excluded(after), Bound::Unbounded)).flat_map(|(key, versions)| {
            let newest = versions.len() - 1; // a key without versions is not in the map
            versions.iter().enumerate().rev().map(move |(at, version)| (key.as_str(), (version, at == newest)))
        });
    let page = cut.page(older.chain(later));
    let write = writer(input.encoding_type.as_ref());
    let next_version_id_marker = page.entries.last().filter(|(version, _)| page.next.as_ref() == Some(&version.key));
    let (mut listed, mut delete_markers) = (Vec::new(), Vec::new());
    for (version, is_latest) in &page.entries {
        match &version.content {
            Some(content) => listed.push(listed_version(version, content, *is_latest, write)),
            None => delete_markers.push(DeleteMarkerEntry {
                is_latest: Some(*is_latest),
                key: Some(write(&version.key)),
                last_modified: Some(version.modified.timestamp()),
                version_id: Some(version.id.clone()),
                ..DeleteMarkerEntry::default()
            }),
        }
    }
    Ok(ListObjectVersionsOutput {
        next_version_id_marker: next_version_id_marker.map(|(version, _)| version.id.clone()),
        common_prefixes: Some(prefixes(&page.common_prefixes, write)),
        delete_markers: Some(delete_markers),
        versions: Some(listed),
        delimiter: input.delimiter,
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        key_marker: Some(write(after)),
        max_keys: Some(max_keys),
        name: Some(input.bucket),
        next_key_marker: page.next.map(|next| write(&next)),
        prefix: Some(write(&input.prefix.unwrap_or_default())),
        version_id_marker: input.version_id_marker,
        ..ListObjectVersionsOutput::default()
    })
}

fn listed_version(version: &Version, content: &Content, is_latest: bool, write: fn(&str) -> String) -> ObjectVersion {
    let storage_class = ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD);
    ObjectVersion {
        checksum_algorithm: Some(vec![content.checksum.algorithm.dto()]),
        checksum_type: Some(content.checksum.kind.dto()),
        e_tag: Some(strong(&content.etag)),
        is_latest: Some(is_latest),
        key: Some(write(&version.key)),
        last_modified: Some(version.modified.timestamp()),
        size: Some(signed(content.size)),
        storage_class: Some(storage_class),
        version_id: Some(version.id.clone()),
        ..ObjectVersion::default()
    }
}

pub(crate) fn uploads(store: &Store, input: ListMultipartUploadsInput) -> S3Result<ListMultipartUploadsOutput> {
    let state = store.lock();
    let bucket = state.bucket(&input.bucket)?;
    let (max_uploads, max) = page_size(input.max_uploads, "max-uploads")?;
    let after = input.key_marker.as_deref().unwrap_or_default();
    let cut =
        Cut { prefix: input.prefix.as_deref().unwrap_or_default(), delimiter: input.delimiter.as_deref(), after, max };
    let mut walk: Vec<_> = bucket.uploads.values().collect();
    walk.sort_by_key(|upload| (&upload.key, upload.initiated, &upload.id));
    if let Some(marker) = &input.upload_id_marker {
        let listed = walk.iter().position(|upload| upload.id == *marker && upload.key == after);
        walk.drain(..listed.map_or(0, |at| at + 1));
    }
    let marked = input.upload_id_marker.is_some();
    let walk = walk
        .into_iter()
        .map(|upload| (upload.key.as_str(), upload))
        .filter(|(key, _)| *key > after || (marked && *key == after));
    let page = cut.page(walk);
    let write = writer(input.encoding_type.as_ref());
    let next_upload = page.entries.last().filter(|upload| page.next.as_ref() == Some(&upload.key));
    let uploads = page
        .entries
        .iter()
        .map(|upload| MultipartUpload {
            checksum_algorithm: Some(upload.checksum().0.dto()),
            checksum_type: Some(upload.checksum().1.dto()),
            initiated: Some(upload.initiated.timestamp()),
            key: Some(write(&upload.key)),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            upload_id: Some(upload.id.clone()),
            ..MultipartUpload::default()
        })
        .collect();
    Ok(ListMultipartUploadsOutput {
        next_upload_id_marker: next_upload.map(|upload| upload.id.clone()),
        uploads: Some(uploads),
        bucket: Some(input.bucket),
        common_prefixes: Some(prefixes(&page.common_prefixes, write)),
        delimiter: input.delimiter,
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        key_marker: Some(write(after)),
        max_uploads: Some(max_uploads),
        next_key_marker: page.next.map(|next| write(&next)),
        prefix: Some(write(&input.prefix.unwrap_or_default())),
        upload_id_marker: input.upload_id_marker,
        ..ListMultipartUploadsOutput::default()
    })
}

pub(crate) fn parts(store: &Store, input: ListPartsInput) -> S3Result<ListPartsOutput> {
    let state = store.lock();
    let bucket = state.bucket(&input.bucket)?;
    let upload = bucket.upload(&input.key, &input.upload_id)?;
    let (max_parts, max) = page_size(input.max_parts, "max-parts")?;
    let marker = input.part_number_marker.unwrap_or(0);
    let (algorithm, kind) = upload.checksum();
    let mut later = upload.parts.range((Bound::Excluded(marker), Bound::Unbounded)).map(|(_, part)| part);
    let parts: Vec<Part> = later
        .by_ref()
        .take(max)
        .map(|part| {
            let mut listed = Part {
                e_tag: Some(strong(&part.etag())),
                last_modified: Some(part.modified.timestamp()),
                part_number: Some(part.number),
                size: Some(signed(part.size)),
                ..Part::default()
            };
            set_checksum!(listed, algorithm, part.sum);
            listed
        })
        .collect();
    let abort = lifecycle::abort_of(&bucket.settings, &input.key, upload.initiated);
    Ok(ListPartsOutput {
        abort_date: abort.as_ref().map(|abort| abort.due.timestamp()),
        abort_rule_id: abort.and_then(|abort| abort.rule_id),
        bucket: Some(input.bucket),
        checksum_algorithm: Some(algorithm.dto()),
        checksum_type: Some(kind.dto()),
        is_truncated: Some(max > 0 && later.next().is_some()),
        key: Some(input.key),
        max_parts: Some(max_parts),
        next_part_number_marker: Some(parts.last().and_then(|part| part.part_number).unwrap_or(0)),
        part_number_marker: Some(marker),
        parts: Some(parts),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    })
}

pub(crate) fn buckets(state: &State, input: ListBucketsInput) -> ListBucketsOutput {
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let buckets = state
        .buckets
        .iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, bucket)| Bucket {
            creation_date: Some(bucket.settings.created.timestamp()),
            name: Some(name.clone()),
            ..Bucket::default()
        })
        .collect();
    ListBucketsOutput { buckets: Some(buckets), prefix: input.prefix, ..ListBucketsOutput::default() }
}

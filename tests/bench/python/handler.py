"""The PUT of form B as one would write it for Python 3.11: verify, look the tenant up, open an upload, presign, note."""
import base64
import json
import os
import re
import time
import uuid
from datetime import datetime, timedelta, timezone

import boto3
import jwt
from botocore.config import Config
from botocore.exceptions import ClientError

TABLE, BUCKET, TENANTS = os.environ["OKD_TABLE"], os.environ["OKD_BUCKET"], os.environ["OKD_TENANTS_TABLE"]
ISSUER, AUDIENCE = os.environ["OKD_ISSUER"], os.environ["OKD_AUDIENCE"]
LOCAL = os.environ.get("AWS_ENDPOINT_URL_S3", "").startswith("http://")
S3 = boto3.client("s3", config=Config(signature_version="s3v4", request_checksum_calculation="when_required",
                                      s3={"addressing_style": "path" if LOCAL else "auto"}))
DYNAMODB = boto3.client("dynamodb")
JWKS = jwt.PyJWKClient(f"{ISSUER}/jwks", cache_keys=True)

MIB, MAX = 1 << 20, 1 << 30
TYPES = {"examinering": "examination", "inschrijving": "enrollment", "diplomering": "graduation"}
SCOPES = {"examination": "okd:examdocuments", "bpv": "okd:bpvdocuments", "graduation": "okd:graduationdocuments",
          "enrollment": "okd:enrollmentderollment"}
UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.I)
NAMESPACE = uuid.UUID("5b6b1f5e-9d0a-4b43-8a0e-0d2f6c1c7a11")
tenants = {}


def answer(status, body, media="application/json"):
    return {"statusCode": status, "headers": {"content-type": media, "cache-control": "no-store"},
            "body": json.dumps(body)}


def problem(status, title, detail):
    return answer(status, {"status": status, "title": title, "detail": detail}, "application/problem+json")


def tenant_of(issuer, audience):
    known = tenants.get(issuer)
    if known and time.time() - known[1] < 60:
        return known[0]
    items = DYNAMODB.query(TableName=TENANTS, KeyConditionExpression="issuer = :issuer",
                           ExpressionAttributeValues={":issuer": {"S": issuer}})["Items"]
    names = [audience] if isinstance(audience, str) else audience
    mine = next((item["tenant"]["S"] for item in items
                 if "config" in item and any(name["S"] in names for name in item["config"]["M"]["audiences"]["L"])), None)
    tenants[issuer] = (mine, time.time())
    return mine


def handler(event, _context):
    headers = event["headers"]
    token = (headers.get("authorization") or headers.get("Authorization") or "").removeprefix("Bearer ")
    try:
        key = JWKS.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER, leeway=60,
                            options={"require": ["exp", "iss", "aud"]})
    except jwt.PyJWTError as error:
        return problem(401, "Unauthorized", str(error))
    tenant = tenant_of(claims["iss"], claims["aud"])
    if not tenant:
        return problem(401, "Unauthorized", "no tenant has this issuer and audience")
    try:
        text = base64.b64decode(event["body"]).decode() if event["isBase64Encoded"] else event["body"]
        body = json.loads(text)
    except ValueError:
        return problem(400, "Bad Request", "the body is no JSON")
    subject = event["pathParameters"]["associationId"]
    if not UUID.fullmatch(subject) or body.get("associationId", "").lower() != subject.lower():
        return problem(400, "Bad Request", "/associationId must be the one of the path")
    okd = next((one for one in body.get("consumers", []) if one.get("consumerKey") == "nl-okd"), None)
    if okd is None:
        return problem(400, "Bad Request", "/consumers needs one nl-okd")
    kind = TYPES.get(okd.get("documentType"), okd.get("documentType"))
    if kind not in SCOPES and kind != "other":
        return problem(400, "Bad Request", "/documentType is none of the standard's")
    scopes = claims["scope"].split(" ")
    if "okd:alldocuments" not in scopes and SCOPES.get(kind) not in scopes:
        return problem(403, "Forbidden", "scope")
    if not isinstance(okd.get("documentName"), str):
        return problem(400, "Bad Request", "/documentName is missing")
    size = okd.get("documentSize")
    if not isinstance(size, int) or not 1 <= size <= MAX:
        return problem(400, "Bad Request", "/documentSize: 1 to 1 GiB")

    now, version = datetime.now(timezone.utc), str(uuid.uuid4())
    name = json.dumps([tenant, claims["client_id"], subject, okd.get("documentId")])
    document = str(uuid.uuid5(NAMESPACE, name)) if okd.get("documentId") else str(uuid.uuid4())
    target = {"Bucket": BUCKET, "Key": f"{tenant}/{document}/{version}"}
    upload_id = S3.create_multipart_upload(**target)["UploadId"]
    part_size, expires = 16 * MIB, (now + timedelta(hours=1)).isoformat()
    parts = []
    for number, offset in enumerate(range(0, size, part_size), 1):
        length = min(part_size, size - offset)
        href = S3.generate_presigned_url("upload_part", ExpiresIn=3600, Params={
            **target, "UploadId": upload_id, "PartNumber": number, "ContentLength": length})
        parts.append({"partNumber": number, "offset": offset, "size": length, "method": "PUT", "href": href,
                      "headers": {}, "expiresAt": expires})
    try:
        DYNAMODB.put_item(TableName=TABLE, ConditionExpression="attribute_not_exists(pk)", Item={
            "pk": {"S": f"{tenant}#{document}"}, "sk": {"S": "document"}, "client": {"S": claims["client_id"]},
            "revision": {"N": "1"}, "uploadId": {"S": upload_id}, "version": {"S": version}, "size": {"N": str(size)},
            "state": {"S": "uploading"}, "queue": {"S": str(int(document[-1], 16) % 8)},
            "due": {"N": str(int(now.timestamp()) + 900)}, "metadata": {"S": text}})
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return problem(409, "Conflict", "this document is being handed in already")
    link = f"/live/okd/v1/documents/{document}/upload"
    print(json.dumps({"level": "INFO", "message": "answered", "tenant": tenant, "client": claims["client_id"], "status": 202}))
    return answer(202, {"dmsDocumentId": document, "upload": {
        "state": "uploading", "documentSize": size, "partSize": part_size, "partCount": len(parts), "partsReceived": 0,
        "expiresAt": (now + timedelta(days=1)).isoformat(), "parts": parts,
        "complete": {"method": "POST", "href": f"{link}/complete"}, "status": {"method": "GET", "href": link},
        "abort": {"method": "DELETE", "href": link}}})

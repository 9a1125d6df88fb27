// The PUT of form B as one would write it for Node 20: verify, look the tenant up, open an upload, presign, note, answer.
import { createHash, randomUUID } from "node:crypto";
import { S3Client, CreateMultipartUploadCommand, UploadPartCommand } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { DynamoDBClient, QueryCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { JwtVerifier } from "aws-jwt-verify";
import { SimpleFetcher } from "aws-jwt-verify/https";
import { SimpleJwksCache } from "aws-jwt-verify/jwk";

const { OKD_TABLE, OKD_BUCKET, OKD_TENANTS_TABLE, OKD_ISSUER, OKD_AUDIENCE } = process.env;
const local = (process.env.AWS_ENDPOINT_URL_S3 ?? "").startsWith("http://");
const s3 = new S3Client({ forcePathStyle: local, requestChecksumCalculation: "WHEN_REQUIRED" });
const dynamodb = new DynamoDBClient({});
// aws-jwt-verify fetches over https only; on this machine the issuer may be plain http.
const fetcher = OKD_ISSUER.startsWith("https:") ? new SimpleFetcher()
  : { fetch: async (uri) => (await fetch(uri)).arrayBuffer() };
const verifier = JwtVerifier.create(
  { issuer: OKD_ISSUER, audience: OKD_AUDIENCE, jwksUri: `${OKD_ISSUER}/jwks` },
  { jwksCache: new SimpleJwksCache({ fetcher }) });

const MIB = 1 << 20, MAX = 1 << 30, MINUTE = 60_000;
const TYPES = { examinering: "examination", inschrijving: "enrollment", diplomering: "graduation" };
const SCOPES = { examination: "okd:examdocuments", bpv: "okd:bpvdocuments", graduation: "okd:graduationdocuments",
  enrollment: "okd:enrollmentderollment" };
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const tenants = new Map();

const answer = (statusCode, body, type = "application/json") =>
  ({ statusCode, headers: { "content-type": type, "cache-control": "no-store" }, body: JSON.stringify(body) });
const problem = (status, title, detail) => answer(status, { status, title, detail }, "application/problem+json");

async function tenantOf(issuer, audience) {
  const known = tenants.get(issuer);
  if (known && Date.now() - known.at < MINUTE) return known.tenant;
  const { Items } = await dynamodb.send(new QueryCommand({ TableName: OKD_TENANTS_TABLE,
    KeyConditionExpression: "issuer = :issuer", ExpressionAttributeValues: { ":issuer": { S: issuer } } }));
  const mine = Items.find((item) => item.config?.M.audiences.L.some((name) => [audience].flat().includes(name.S)));
  tenants.set(issuer, { tenant: mine?.tenant.S, at: Date.now() });
  return mine?.tenant.S;
}

function uuid5(name) {
  const hash = createHash("sha1").update("okd-document").update(name).digest().subarray(0, 16);
  hash[6] = (hash[6] & 0x0f) | 0x50; hash[8] = (hash[8] & 0x3f) | 0x80;
  return hash.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export async function handler(event) {
  const authorization = event.headers.authorization ?? event.headers.Authorization ?? "";
  let claims;
  try { claims = await verifier.verify(authorization.replace(/^Bearer /i, "")); }
  catch (error) { return problem(401, "Unauthorized", error.message); }
  const tenant = await tenantOf(claims.iss, claims.aud);
  if (!tenant) return problem(401, "Unauthorized", "no tenant has this issuer and audience");

  let body;
  try { body = JSON.parse(event.isBase64Encoded ? Buffer.from(event.body, "base64") : event.body); }
  catch { return problem(400, "Bad Request", "the body is no JSON"); }
  const id = event.pathParameters.associationId;
  if (!UUID.test(id) || body.associationId?.toLowerCase() !== id.toLowerCase())
    return problem(400, "Bad Request", "/associationId must be the one of the path");
  const okd = body.consumers?.find((consumer) => consumer.consumerKey === "nl-okd");
  if (!okd) return problem(400, "Bad Request", "/consumers needs one nl-okd");
  const type = TYPES[okd.documentType] ?? okd.documentType;
  if (!(type in SCOPES) && type !== "other") return problem(400, "Bad Request", "/documentType is none of the standard's");
  const scopes = claims.scope.split(" ");
  if (!scopes.includes("okd:alldocuments") && !scopes.includes(SCOPES[type])) return problem(403, "Forbidden", "scope");
  if (typeof okd.documentName !== "string") return problem(400, "Bad Request", "/documentName is missing");
  const size = okd.documentSize;
  if (!Number.isInteger(size) || size < 1 || size > MAX) return problem(400, "Bad Request", "/documentSize: 1 to 1 GiB");

  const now = Date.now(), version = randomUUID();
  const document = okd.documentId ? uuid5(JSON.stringify([tenant, claims.client_id, id, okd.documentId])) : randomUUID();
  const target = { Bucket: OKD_BUCKET, Key: `${tenant}/${document}/${version}` };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(target));
  const partSize = 16 * MIB, count = Math.ceil(size / partSize), expiresAt = new Date(now + 3_600_000).toISOString();
  const parts = await Promise.all(Array.from({ length: count }, async (_, i) => {
    const length = Math.min(partSize, size - i * partSize);
    const part = new UploadPartCommand({ ...target, UploadId, PartNumber: i + 1, ContentLength: length });
    return { partNumber: i + 1, offset: i * partSize, size: length, method: "PUT",
      href: await getSignedUrl(s3, part, { expiresIn: 3600 }), headers: {}, expiresAt };
  }));
  try {
    await dynamodb.send(new PutItemCommand({ TableName: OKD_TABLE, ConditionExpression: "attribute_not_exists(pk)",
      Item: { pk: { S: `${tenant}#${document}` }, sk: { S: "document" }, client: { S: claims.client_id },
        revision: { N: "1" }, uploadId: { S: UploadId }, version: { S: version }, size: { N: `${size}` },
        state: { S: "uploading" }, queue: { S: `${parseInt(document.slice(-1), 16) % 8}` },
        due: { N: `${Math.floor(now / 1000) + 900}` }, metadata: { S: JSON.stringify(body) } } }));
  } catch (error) {
    if (error.name !== "ConditionalCheckFailedException") throw error;
    return problem(409, "Conflict", "this document is being handed in already");
  }
  const link = `/live/okd/v1/documents/${document}/upload`;
  console.log(JSON.stringify({ level: "INFO", message: "answered", tenant, client: claims.client_id, status: 202 }));
  return answer(202, { dmsDocumentId: document, upload: { state: "uploading", documentSize: size, partSize,
    partCount: count, partsReceived: 0, expiresAt: new Date(now + 86_400_000).toISOString(), parts,
    complete: { method: "POST", href: `${link}/complete` }, status: { method: "GET", href: link },
    abort: { method: "DELETE", href: link } } });
}

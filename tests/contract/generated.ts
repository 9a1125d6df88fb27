// A client that @hey-api/openapi-ts generated from the contract hands documents in, in both forms, lists them and reads them
// back. Types are checked by tsc before it runs.

import { readFileSync } from "node:fs";
import { randomBytes, randomUUID } from "node:crypto";
import { formDataBodySerializer } from "./okd_client/client";
import { client } from "./okd_client/client.gen";
import {
  completeUpload,
  deleteDocument,
  getAssociationDocuments,
  getDocument,
  getDocumentMetadata,
  postAssociationDocument,
  putAssociationDocument,
} from "./okd_client";
import type { AssociationOffer } from "./okd_client";

const given = JSON.parse(readFileSync(process.env.OKD_CLIENTS!, "utf8"));
const token: string = given.auth[0].fixedHeaders[0].value.replace("Bearer ", "");
client.setConfig({ baseUrl: `${process.env.OKD_API}/okd/v1`, auth: token });
const association = randomUUID();

function metadata(more: object): AssociationOffer {
  const consumer = { consumerKey: "nl-okd", documentType: "examination", documentId: randomUUID() };
  const named = { ...consumer, documentName: "beoordeling.pdf", ...more };
  return { associationId: association, consumers: [named] } as AssociationOffer;
}

function check(holds: boolean, what: unknown): asserts holds {
  if (!holds) throw new Error(JSON.stringify(what));
}

async function isReadBack(dmsDocumentId: string, file: Uint8Array) {
  const facts = await getDocumentMetadata({ path: { dmsDocumentId }, throwOnError: true });
  check(facts.data.documentName === "beoordeling.pdf" && facts.data.documentSize === file.length, facts.data);
  const read = await getDocument({ path: { dmsDocumentId }, parseAs: "arrayBuffer", throwOnError: true });
  check(Buffer.from(read.data as unknown as ArrayBuffer).equals(file), "other bytes");
}

async function main() {
  const inline = new TextEncoder().encode("%PDF-1.4 a small exam");
  const stored = await putAssociationDocument({
    path: { associationId: association },
    ...formDataBodySerializer,
    headers: { "Content-Type": null as unknown as string },
    // The generator has a type for the first of the two kinds of body.
    body: { metadata: metadata({}), file: new Blob([inline], { type: "application/pdf" }) } as never,
    throwOnError: true,
  });
  check(stored.response.status === 200 && !!stored.data, stored.data);
  const { dmsDocumentId } = stored.data;
  await isReadBack(dmsDocumentId, inline);

  const follows = randomBytes(70_000);
  const offered = await postAssociationDocument({
    path: { associationId: association },
    body: metadata({ documentSize: follows.length }),
    throwOnError: true,
  });
  check(!!offered.data && "upload" in offered.data && "parts" in offered.data.upload, offered.data);
  for (const part of offered.data.upload.parts) {
    const sent = await fetch(part.href, { method: "PUT", body: follows.subarray(part.offset, part.offset + part.size) });
    check(sent.ok, sent.status);
  }
  const second = offered.data.dmsDocumentId;
  await completeUpload({ path: { dmsDocumentId: second }, throwOnError: true });
  await isReadBack(second, follows);

  const listed = await getAssociationDocuments({ path: { associationId: association }, throwOnError: true });
  const ids = listed.data.items.map((item) => item.dmsDocumentId).sort();
  check(JSON.stringify(ids) === JSON.stringify([dmsDocumentId, second].sort()), ids);

  const deleted = await deleteDocument({ path: { dmsDocumentId } });
  const gone = await getDocument({ path: { dmsDocumentId } });
  check(deleted.response?.status === 204 && gone.response?.status === 404, gone.error);
  console.log("a generated client in TypeScript read back what it handed in");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

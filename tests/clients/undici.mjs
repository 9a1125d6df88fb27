// Node's fetch (undici): a form with a file, and a file that follows in parts.

const { OKD_API: api, OKD_ISSUER: issuer } = process.env;
const association = "123e4567-e89b-12d3-a456-426614174000";
const url = `${api}/okd/v1/associations/${association}`;

async function json(answer, status) {
  const text = await answer.text();
  if (answer.status !== status) throw new Error(`${answer.status}: ${text}`);
  return JSON.parse(text);
}

function metadata(more) {
  const consumer = { consumerKey: "nl-okd", documentType: "examination", documentId: crypto.randomUUID(), ...more };
  return { associationId: association, consumers: [consumer] };
}

const credentials = new URLSearchParams({
  grant_type: "client_credentials", client_id: `undici-${crypto.randomUUID()}`, scope: "okd:alldocuments",
});
const granted = await json(await fetch(`${issuer}/token`, { method: "POST", body: credentials }), 200);
const headers = { authorization: `Bearer ${granted.access_token}` };

async function handIn(message) {
  const form = new FormData();
  form.append("metadata", new Blob([JSON.stringify(message)], { type: "application/json" }));
  form.append("file", new File(["%PDF-1.7 a file"], "één \"scan\".pdf", { type: "application/pdf" }));
  return (await json(await fetch(url, { method: "PUT", headers, body: form }), 200)).dmsDocumentId;
}

const message = metadata();
const first = await handIn(message);
if ((await handIn(message)) !== first) throw new Error("a repeat has another id");
message.consumers[0].documentType = "bpv";
if ((await handIn(message)) === first) throw new Error("two types have one id");

const file = new Uint8Array(16 * 2 ** 20 + 5);
const offer = await json(
  await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(metadata({ documentName: "opname.mp4", documentSize: file.length })),
  }),
  202,
);
await Promise.all(
  offer.upload.parts.map(async ({ href, offset, size }) => {
    const sent = await fetch(href, { method: "PUT", body: file.subarray(offset, offset + size) });
    if (sent.status !== 200) throw new Error(await sent.text());
  }),
);
await json(await fetch(api + offer.upload.complete.href, { method: "POST", headers }), 200);

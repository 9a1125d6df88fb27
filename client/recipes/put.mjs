// Hands in a document of any size: node put.mjs METADATA FILE. Prints its id. The same again goes on where it stopped.
// OKD_URL is the base URL of the service, OKD_TOKEN a token. Node 20; nothing to install.
import { createHash } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const { OKD_URL, OKD_TOKEN } = process.env;
const [metadataPath, path] = process.argv.slice(2);

// Asks again where there is no answer, or one that says "again".
async function ask(url, options) {
  for (let pause = 100; ; pause = Math.min(2 * pause, 10_000)) {
    try {
      const answer = await fetch(url, options);
      if (answer.status < 500 && answer.status !== 429) return answer;
      await answer.body?.cancel();
    } catch (error) {
      if (pause === 10_000) throw error;
    }
    await sleep(pause * (0.5 + Math.random() / 2));
  }
}

// No token goes to S3.
async function send(file, part) {
  const body = Buffer.alloc(part.size);
  await file.read(body, 0, part.size, part.offset);
  const answer = await ask(part.href, { method: "PUT", body });
  if (answer.ok) console.error(`part ${part.partNumber} has arrived`); // a URL that was too old is renewed below
}

async function put() {
  const metadata = JSON.parse(await readFile(metadataPath, "utf8"));
  const file = await open(path);
  // The checksum tells the service that a repeat is the same document, and that every byte has come over.
  const digest = createHash("sha256");
  for await (const bytes of file.createReadStream({ autoClose: false, start: 0 })) digest.update(bytes);
  const said = { documentSize: (await file.stat()).size, documentChecksum: `sha-256:${digest.digest("hex")}` };
  Object.assign(metadata.consumers[0], said);
  const headers = { authorization: `Bearer ${OKD_TOKEN}`, "content-type": "application/json" };
  const url = `${OKD_URL}/okd/v1/associations/${metadata.associationId}`;
  let answer = await ask(url, { method: "PUT", headers, body: JSON.stringify(metadata) });
  let complete;
  while (answer.status !== 200) {
    if (![202, 409].includes(answer.status)) throw new Error(`refused with ${answer.status}: ${await answer.text()}`);
    const { upload } = await answer.json();
    const parts = upload.parts ?? [];
    const worker = async () => { for (let part; (part = parts.shift()); ) await send(file, part); };
    await Promise.all([worker(), worker(), worker(), worker()]);
    if (upload.complete) complete = new URL(upload.complete.href, OKD_URL);
    else await sleep(2000); // S3 still joins the parts, or they are compared
    answer = await ask(complete, { method: "POST", headers });
  }
  await file.close();
  return (await answer.json()).dmsDocumentId;
}

console.log(await put());

// The Runtime API's loop, as small as it gets (AWS's own client does more).
import http from "node:http";
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const call = (method, path, body) => new Promise((resolve, reject) => {
  const request = http.request({ agent, host, port, method, path: `/2018-06-01/runtime/invocation/${path}` }, (answer) => {
    const chunks = [];
    answer.on("data", (chunk) => chunks.push(chunk));
    answer.on("end", () => resolve([answer.headers, Buffer.concat(chunks)]));
  });
  request.on("error", reject);
  request.end(body);
});
const { handler } = await import(process.env.BENCH_HANDLER);
for (;;) {
  const [headers, event] = await call("GET", "next");
  const id = headers["lambda-runtime-aws-request-id"];
  try { await call("POST", `${id}/response`, JSON.stringify(await handler(JSON.parse(event)))); }
  catch (error) { console.error(error); await call("POST", `${id}/error`, JSON.stringify({ errorMessage: `${error}` })); }
}

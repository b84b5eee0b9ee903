// Receives the messages of the API (README.md, "Passwords and addresses") and prints them. Needs Node 18, no packages.
//
//   MAIL_WEBHOOK_SECRET=whsec_... node receiver.mjs    # at http://127.0.0.1:9000/, or the port that PORT names
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { env, exit } from "node:process";

const secret = env.MAIL_WEBHOOK_SECRET ?? "";
if (!/^whsec_([A-Za-z0-9+/]{4}){8,}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(secret)) {
  console.error("MAIL_WEBHOOK_SECRET must be the value that the API has, whsec_ and the Base64 of 24 bytes or more");
  exit(1);
}
const key = Buffer.from(secret.slice("whsec_".length), "base64");
const bodyBytesMax = 64 * 1024;
const toleranceSeconds = 5 * 60; // limits how long a recorded request can be sent again
const seen = new Set(); // the ids of messages that were sent; an app keeps them in its database for a day

// Here an app calls its mail provider. If that fails, throw: the API gets no 204, and the message comes again.
async function send(message) {
  console.log(JSON.stringify(message));
}

// Checks the signature (Standard Webhooks, "Verifying webhook authenticity").
function isSigned(headers, body) {
  const { "webhook-id": id = "", "webhook-timestamp": timestamp = "", "webhook-signature": signatures = "" } = headers;
  if (!/^[0-9]{1,12}$/.test(timestamp) || Math.abs(Date.now() / 1000 - timestamp) > toleranceSeconds) return false;
  const expected = Buffer.from(`v1,${createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64")}`);
  // While a secret is replaced, there is one signature for each. The comparison takes the same time for all values.
  const given = signatures.split(" ").map((signature) => Buffer.from(signature));
  return given.some((signature) => signature.length === expected.length && timingSafeEqual(signature, expected));
}

async function receive({ method, headers }, body) {
  if (method !== "POST") return 405;
  if (body === null) return 413;
  if (!isSigned(headers, body)) return 401;
  let message;
  try {
    message = JSON.parse(body);
  } catch {
    return 400;
  }
  // A message may come twice, for example because the 204 was lost.
  if (!seen.has(headers["webhook-id"])) {
    await send(message);
    seen.add(headers["webhook-id"]);
  }
  return 204;
}

// Reads the body; null if it is too large. It is read to its end all the same, so that the client gets the reply.
async function read(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size <= bodyBytesMax) parts.push(part);
  }
  return size > bodyBytesMax ? null : Buffer.concat(parts);
}

const server = createServer(async (request, response) => {
  try {
    response.writeHead(await receive(request, await read(request))).end();
  } catch (error) {
    console.error(String(error));
    response.writeHead(500).end();
  }
});
server.listen(Number(env.PORT ?? 9000), "127.0.0.1", () => console.log(`Listening on http://127.0.0.1:${server.address().port}/`));

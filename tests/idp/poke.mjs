// The real `poke` command against a stub of Poke's backend, which connects as Poke's cloud does: with the SDK that
// Poke uses, and the id of a person on every request. Prints a line a check and "N passed, N failed".
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

import { Client } from "sdk-1.17/client/index.js";
import { StreamableHTTPClientTransport } from "sdk-1.17/client/streamableHttp.js";

import { run } from "../report.mjs";

const { IDP_KEY, IDP_POKE, WORK } = process.env;
const TOKEN = "token-of-a-person-at-poke";
const PERSON = "0b5e1a52-7c1f-4c1e-9d7f-000000000001";
const HOST = "connection.tunnel.example";
const CLI = fileURLToPath(new URL("node_modules/poke/dist/cli.cjs", import.meta.url));

async function connect(url, key) {
  const headers = { "X-Poke-User-Id": PERSON, ...(key && { Authorization: `Bearer ${key}` }) };
  const client = new Client({ name: "poke", version: "1.0.0" });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  return client;
}

/** The backend: connections by id, and what became of them. */
const seen = { connected: [], deleted: [], synced: 0 };
let tunnelled;
const backend = createServer(async (request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  let text = "";
  for await (const part of request) text += part;
  if (request.url === "/agent") {
    tunnelled = JSON.parse(text);
    return answer(200, {});
  }
  if (request.headers.authorization !== `Bearer ${TOKEN}`) return answer(401, {});
  if (request.method === "DELETE") {
    seen.deleted.push(request.url);
    return answer(200, {});
  }
  if (request.url === "/mcp/connections/c1/activate-tunnel" || request.url.endsWith("/sync-tools")) {
    const client = await connect(tunnelled.url, IDP_KEY);
    seen.synced = (await client.listTools()).tools.length;
    await client.close();
    return answer(200, { status: "authenticated" });
  }
  const { name, serverUrl, apiKey, tunnel } = JSON.parse(text);
  if (tunnel) {
    const upstreamUrl = `http://127.0.0.1:${backend.address().port}/agent`;
    return answer(200, { id: "c1", name, serverUrl: `https://${HOST}/mcp`, tunnel: { token: "t", upstreamUrl } });
  }
  try {
    const client = await connect(serverUrl, apiKey);
    const { tools } = await client.listTools();
    const called = await client.callTool({ name: "person", arguments: {} });
    seen.connected.push({ server: client.getServerVersion(), person: called.content[0].text });
    await client.close();
    answer(200, { name, serverUrl, tools });
  } catch (error) {
    const isUnknown = /HTTP 401/.test(error.message);
    answer(400, isUnknown && !apiKey ? { error: "OAUTH_REQUIRED" } : { message: error.message });
  }
});
backend.listen(0, "127.0.0.1");
await once(backend, "listening");

// The agent of the tunnel as the command starts it: a stand-in that passes requests on, for the name outside.
const folder = mkdtempSync(`${WORK}/poke-`);
const agent = `#!${process.execPath}
const http = require("node:http");
const [, , , , , to, , upstream] = process.argv;
const server = http.createServer((request, response) => {
  const [host, port] = to.split(":");
  const headers = { ...request.headers, host: "${HOST}" };
  const sent = http.request({ host, port, method: request.method, path: request.url, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  request.pipe(sent);
});
server.listen(0, "127.0.0.1", () => {
  const url = "http://127.0.0.1:" + server.address().port + "/mcp";
  http.request(upstream, { method: "POST" }).end(JSON.stringify({ url }));
});
`;
mkdirSync(`${folder}/cache/poke/bin`, { recursive: true });
mkdirSync(`${folder}/config/poke`, { recursive: true });
// The command looks for the program under the name that its package has without an ending, as CommonJS.
writeFileSync(`${folder}/cache/poke/bin/piko-0.7.0`, agent);
chmodSync(`${folder}/cache/poke/bin/piko-0.7.0`, 0o755);

// The command tells of its success before it listens for the signals that end it, so it is made to tell of that too.
const watch = `process.on("newListener", (name) => name === "SIGTERM" && console.error("Signals are heard"));`;
writeFileSync(`${folder}/watch.cjs`, watch);

/** Starts the command, signed in. */
function poke(...words) {
  writeFileSync(`${folder}/config/poke/credentials.json`, JSON.stringify({ token: TOKEN }));
  const env = {
    NODE_OPTIONS: `--require=${folder}/watch.cjs`,
    PATH: process.env.PATH,
    POKE_API: `http://127.0.0.1:${backend.address().port}`,
    XDG_CACHE_HOME: `${folder}/cache`,
    XDG_CONFIG_HOME: `${folder}/config`,
  };
  const child = spawn(process.execPath, [CLI, ...words], { env });
  const told = { text: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (told.text += part));
  return { child, told };
}

async function ended(words) {
  const { child, told } = poke(...words);
  const [status] = await once(child, "close");
  return { status, text: told.text };
}

const fine = await run({
  async "mcp add with a key: the tools are found, and the person is known"() {
    const { status, text } = await ended(["mcp", "add", IDP_POKE, "-n", "Desk", "-k", IDP_KEY]);
    assert.equal(status, 0, text);
    assert.match(text, /added successfully[^]*Tools: +1/);
    assert.equal(seen.connected.at(-1).person, PERSON);
    assert.equal(seen.connected.at(-1).server.name, "poke");
  },
  async "mcp add without a key or with a wrong one says so"() {
    assert.match((await ended(["mcp", "add", IDP_POKE, "-n", "Desk"])).text, /requires OAuth authentication/);
    const wrong = await ended(["mcp", "add", IDP_POKE, "-n", "Desk", "-k", "not-a-key"]);
    assert.deepEqual([wrong.status, /HTTP 401/.test(wrong.text)], [1, true], wrong.text);
    assert.match(wrong.text, /"code":401/);
  },
  async "a tunnel: requests for the name outside are served, and the end is told"() {
    const { child, told } = poke("tunnel", IDP_POKE, "-n", "Desk");
    const until = Date.now() + 15_000;
    while (!/Signals are heard|failed/i.test(told.text) && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.match(told.text, /Connection activated and tools synced/);
    assert.equal(seen.synced, 1);
    child.kill("SIGINT");
    await once(child, "close");
    assert.deepEqual(seen.deleted, ["/mcp/connections/c1"]);
  },
  async "a person that asks too often is told when to come back, in the words that Poke reads"() {
    const client = await connect(IDP_POKE, IDP_KEY).catch((error) => error);
    let told = client instanceof Error ? client : undefined;
    for (let turn = 0; turn < 20 && !told; turn += 1) {
      await client.callTool({ name: "person", arguments: {} }).catch((error) => (told = error));
    }
    assert.match(told.message, /HTTP 429/);
    const { error } = JSON.parse(told.message.slice(told.message.indexOf("{")));
    assert.equal(error.code, 429);
    assert.match(error.message, /try again in \d+ s/);
  },
});
process.exit(fine ? 0 : 1);

// The checks that every TypeScript client makes; what they expect stands in expectations.json.
//
// An adapter is `{ label, protocol, hasPing, open(headers, onResponse) }`; `open` connects and gives
// `{ protocol, server, instructions, ping, listTools, callTool, close }`, and reports every HTTP response it sees.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const DEADLINE_MS = 60_000;
const environment = (name) => {
  assert.ok(process.env[name], `${name} is set by tests/clients/run`);
  return process.env[name];
};
const TOKEN = environment("CLIENTS_UPSTREAM_TOKEN");
const expected = JSON.parse(
  readFileSync(new URL("./expectations.json", import.meta.url), "utf8").replaceAll("${CLIENTS_UPSTREAM_TOKEN}", TOKEN),
);

export const ENDPOINT = new URL(environment("CLIENTS_ENDPOINT"));

/** Runs every check against the server, prints one line, and sets the exit code. */
export async function run(adapter) {
  const done = [];
  const deadline = setTimeout(() => finish(adapter, done, new Error(`not done after ${DEADLINE_MS} ms`)), DEADLINE_MS);
  let failure;
  try {
    for (const [name, check] of plan(adapter)) {
      try {
        await check();
      } catch (error) {
        throw new Error(`${name}: ${describe(error)}`, { cause: error });
      }
      done.push(name);
    }
  } catch (error) {
    failure = error;
  }
  clearTimeout(deadline);
  finish(adapter, done, failure);
}

function finish(adapter, done, failure) {
  console.log(failure ? `FAIL  ${adapter.label}: ${failure.message}` : `ok  ${adapter.label}: ${done.length} checks`);
  // Some clients keep a timer or a socket; the run must not wait for it.
  process.exit(failure ? 1 : 0);
}

function describe(error) {
  return String(error?.message ?? error).replaceAll(/\s*\n\s*/g, " ");
}

/** The checks in order, each a name and a function that throws. */
function plan(adapter) {
  const key = { Authorization: `Bearer ${environment("CLIENTS_KEY")}`, "X-Upstream-Token": TOKEN };
  let session;
  const opening = [
    ["connects", async () => void (session = await adapter.open(key, () => {}))],
    ["negotiates its version", () => assert.equal(session.protocol, adapter.protocol)],
    ["learns who the server is", () => checkServer(session)],
    ["lists the tools", async () => checkTools(await session.listTools())],
  ];
  const calls = expected.calls.map((call) => [
    call.name,
    async () => checkCall(call, await session.callTool({ name: call.tool, arguments: call.arguments })),
  ]);
  const closing = [
    ["an unknown tool is a protocol error", () => checkUnknownTool(session)],
    ...(adapter.hasPing ? [["pings", () => session.ping()]] : []),
    ["closes", () => session.close()],
    ["is refused without a key", () => checkRefused(adapter, {})],
    ["is refused with another key", () => checkRefused(adapter, { Authorization: "Bearer not-the-key" })],
  ];
  return [...opening, ...calls, ...closing];
}

function checkServer({ server, instructions }) {
  const { name, version } = server;
  assert.deepEqual({ name, version }, { name: expected.server.name, version: expected.server.version });
  assert.equal(server.title, expected.server.title);
  assert.match(instructions ?? "", new RegExp(`\\b${expected.instructions_name}\\b`));
}

function checkTools({ tools, nextCursor }) {
  assert.equal(nextCursor, undefined);
  assert.deepEqual(tools.map((tool) => tool.name).sort(), expected.tools);
  for (const tool of tools) {
    assert.equal(tool.inputSchema.type, "object", tool.name);
    assert.ok(tool.inputSchema.properties, `${tool.name} has properties`);
    assert.ok(tool.description, `${tool.name} has a description`);
  }
}

function checkCall(call, result) {
  const text = result.content.map((block) => block.text ?? "").join("");
  assert.equal(result.isError ?? false, call.error ?? false, text);
  if (call.text !== undefined) assert.equal(text, call.text);
  for (const part of call.contains ?? []) assert.ok(text.includes(part), `${part} is not in: ${text}`);
  if (call.names !== undefined) assert.match(text, new RegExp(`\\b${call.names}\\b`));
  if (call.json !== undefined) {
    const body = JSON.parse(text);
    for (const [member, value] of Object.entries(call.json)) assert.deepEqual(body[member], value, member);
  }
  if (call.structured !== undefined) {
    assert.deepEqual(result.structuredContent, call.structured);
    assert.deepEqual(JSON.parse(text), call.structured, "the text block says the same");
  }
}

async function checkUnknownTool(session) {
  const { name, code } = expected.unknown_tool;
  await assert.rejects(session.callTool({ name, arguments: {} }), (error) => {
    assert.equal(error.code, code, describe(error));
    return true;
  });
}

async function checkRefused(adapter, headers) {
  const seen = [];
  const attempt = async () => {
    const session = await adapter.open(headers, (response) => seen.push(response));
    await session.close();
  };
  await assert.rejects(attempt(), "a connection without the key must fail");
  assert.ok(seen.length > 0, "the server answered");
  for (const response of seen) assert.equal(response.status, 401);
  assert.match(seen[0].headers.get("www-authenticate") ?? "", /^Bearer\b/);
}

/** A `fetch` that shows every response of the server to `onResponse`. */
export function watchedFetch(onResponse) {
  return async (url, init) => {
    const response = await fetch(url, init);
    onResponse(response);
    return response;
  };
}

// The checks that every TypeScript client makes; what they expect stands in expectations.json.
//
// An adapter is `{ client, version, transport, mode, protocol, hasPing, asks, logs, open({ headers, onResponse, person }) }`.
// `asks` are the questions that the client lets through to its user, `logs` is true where it can ask for log messages.
// `open` connects and gives a session with the members that `plan` uses; it reports every HTTP response it sees.

import assert from "node:assert/strict";
import { appendFileSync, readFileSync } from "node:fs";

const DEADLINE_MS = 60_000;
const environment = (name) => {
  assert.ok(process.env[name], `${name} is set by tests/clients/run`);
  return process.env[name];
};
const TOKEN = environment("CLIENTS_UPSTREAM_TOKEN");
const expected = JSON.parse(
  readFileSync(new URL("./expectations.json", import.meta.url), "utf8").replaceAll("${CLIENTS_UPSTREAM_TOKEN}", TOKEN),
);

const KEY = { Authorization: `Bearer ${environment("CLIENTS_KEY")}`, "X-Upstream-Token": TOKEN };

/** Where the server is, by transport. */
export const ENDPOINTS = {
  http: new URL(environment("CLIENTS_ENDPOINT")),
  sse: new URL(environment("CLIENTS_SSE")),
};
/** The command that serves the same bridges on standard input and output. */
export const COMMAND = {
  command: environment("CLIENTS_BINARY"),
  args: ["serve", "--stdio", environment("CLIENTS_BRIDGES")],
  env: process.env,
  stderr: "ignore",
};

/** Runs every check against the server, prints one line, reports the columns, and sets the exit code. */
export async function run(adapter) {
  const done = [];
  const deadline = setTimeout(() => finish(adapter, done, new Error(`not done after ${DEADLINE_MS} ms`)), DEADLINE_MS);
  let failure;
  try {
    for (const [column, name, check] of plan(adapter)) {
      try {
        await check();
      } catch (error) {
        throw new Error(`${name}: ${describe(error)}`, { cause: error });
      }
      done.push(column);
    }
  } catch (error) {
    failure = error;
  }
  clearTimeout(deadline);
  finish(adapter, done, failure);
}

function finish(adapter, done, failure) {
  const { client, version, transport, mode, protocol } = adapter;
  const label = [client, version, transport, mode].filter(Boolean).join(" ");
  console.log(failure ? `FAIL  ${label}: ${failure.message}` : `ok  ${label}: ${done.length} checks`);
  if (!failure) {
    const row = { client, version, transport, mode, protocol, columns: [...new Set(done)] };
    appendFileSync(environment("CLIENTS_REPORT"), `${JSON.stringify(row)}\n`);
  }
  // Some clients keep a timer or a socket; the run must not wait for it.
  process.exit(failure ? 1 : 0);
}

function describe(error) {
  return String(error?.message ?? error).replaceAll(/\s*\n\s*/g, " ");
}

/** The user behind a client: answers what is asked, and remembers it and what was told. */
class Person {
  asked = [];
  heard = [];

  answer(method, params = {}) {
    this.asked.push({ method, params });
    return expected.person[method];
  }

  hear(params) {
    this.heard.push(params);
  }
}

/** The checks in order, each a column of the table, a name and a function that throws. */
function plan(adapter) {
  const person = new Person();
  const overHttp = adapter.transport !== "stdio";
  const calls = expected.calls.filter((call) => overHttp || !call.needs_headers);
  let session;
  const opening = [
    ["connects", "connects", async () => {
      session = await adapter.open({ headers: KEY, onResponse: () => {}, person });
    }],
    ["connects", "negotiates its version", () => assert.equal(session.protocol, adapter.protocol)],
    ["connects", "learns who the server is", () => checkServer(session)],
    ["tools", "lists the tools", async () => checkTools(await session.listTools())],
  ];
  const called = calls.map((call) => [
    call.error ? "errors" : "tools",
    call.name,
    async () => checkCall(call, await session.callTool({ name: call.tool, arguments: call.arguments })),
  ]);
  const refusals = [
    ["refusals", "is refused without a key", () => checkRefused(adapter, {})],
    ["refusals", "is refused with another key", () => checkRefused(adapter, { Authorization: "Bearer not-the-key" })],
  ];
  return [
    ...opening,
    ...called,
    ["errors", "an unknown tool is a protocol error", () => checkUnknownTool(session)],
    ...reading(() => session),
    ...talking(adapter, person, () => session),
    ...(adapter.hasPing ? [["connects", "pings", () => session.ping()]] : []),
    ["connects", "closes", () => session.close()],
    ...(overHttp ? refusals : []),
  ];
}

/** Resources, prompts and completion. */
function reading(session) {
  const { resources, prompts, completions } = expected;
  return [
    ["resources", "lists the resources", async () => {
      const listed = (await session().listResources()).resources;
      assert.deepEqual(listed.map((resource) => resource.uri).sort(), resources.listed);
    }],
    ["resources", "lists the templates", async () => {
      const listed = (await session().listResourceTemplates()).resourceTemplates;
      assert.deepEqual(listed.map((template) => template.uriTemplate).sort(), resources.templates);
    }],
    ...resources.read.map(({ uri, content }) => [
      "resources",
      `reads ${uri}`,
      async () => assert.deepEqual(subset((await session().readResource({ uri })).contents[0], content), content),
    ]),
    ["resources", "an unknown resource is a protocol error", () =>
      assert.rejects(session().readResource({ uri: resources.unknown }), (error) => resources.codes.includes(error.code))],
    ["prompts", "lists the prompts", async () => {
      const listed = (await session().listPrompts()).prompts;
      assert.deepEqual(listed.map((prompt) => prompt.name).sort(), prompts.listed);
    }],
    ...prompts.get.map(({ name, arguments: given, messages }) => [
      "prompts",
      `gets ${name}`,
      async () => assert.deepEqual(subset((await session().getPrompt({ name, arguments: given })).messages, messages), messages),
    ]),
    ...completions.map(({ ref, argument, values }) => [
      "completion",
      `completes ${argument.name}`,
      async () => assert.deepEqual((await session().complete({ ref, argument })).completion.values, values),
    ]),
  ];
}

/** What a tool tells and asks while it runs. */
function talking(adapter, person, session) {
  const { log, progress, asks } = expected.talks;
  const logging = async () => {
    await session().wantLog(log.level);
    await session().callTool({ name: log.tool, arguments: {} });
    const heard = person.heard.map(({ level, data }) => ({ level, data }));
    assert.deepEqual(heard, log.messages);
  };
  const progressing = async () => {
    const seen = [];
    await session().callTool({ name: progress.tool, arguments: {} }, (step) => seen.push(step.progress));
    assert.deepEqual(seen, progress.steps);
  };
  const asking = ({ tool, method, params, text }) => async () => {
    person.asked.length = 0;
    const result = await session().callTool({ name: tool, arguments: {} });
    assert.deepEqual(person.asked.map((question) => question.method), [method]);
    assert.deepEqual(subset(person.asked[0].params, params), params);
    assert.equal(result.content[0].text, text);
  };
  return [
    ...(adapter.logs ? [["logging", "hears log messages", logging]] : []),
    ["progress", "follows the progress of a call", progressing],
    ...asks
      .filter(({ method }) => adapter.asks.includes(method))
      .map((ask) => [ask.method, `is asked: ${ask.method}`, asking(ask)]),
  ];
}

/** The members of a value that stand in another one too, so that more of them do no harm. */
function subset(value, like) {
  if (Array.isArray(like) && Array.isArray(value)) return value.map((item, index) => subset(item, like[index]));
  if (like === null || typeof like !== "object" || value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(like).map((key) => [key, subset(value[key], like[key])]));
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
    const session = await adapter.open({ headers, onResponse: (response) => seen.push(response), person: new Person() });
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

// The Inspector's command line: node inspector.mjs ERA TRANSPORT, where the era is `legacy` (its default) or `modern`.
//
// Each check is one run of the program, which connects, calls one method and prints its result.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const VERSION = "2.12.0";
const PROTOCOLS = { legacy: "2025-11-25", modern: "2026-07-28" };
/** What the program ends with, from its documentation. */
const FINE = 0;
const REFUSED = 3;
const TOOL_FAILED = 5;
const PROGRAM = fileURLToPath(new URL("./node_modules/.bin/mcp-inspector", import.meta.url));

const { env } = process;
/** The program keeps what it learns about servers at home. */
const HOME = dirname(env.CLIENTS_REPORT);

const [era = "legacy", transport = "http"] = process.argv.slice(2);
const expected = JSON.parse(readFileSync(new URL("./expectations.json", import.meta.url), "utf8"));
const label = `Inspector ${VERSION} ${transport} ${era}`;

/** Where the server is, in the words of the program. */
function target() {
  const endpoint = { http: env.CLIENTS_ENDPOINT, sse: env.CLIENTS_SSE }[transport];
  return endpoint === undefined ? [] : [endpoint, "--transport", transport];
}

/** The program passes its own environment on to a server that it starts only as far as it is told to. */
const passed = Object.entries(env)
  .filter(([name]) => name.startsWith("CLIENTS_"))
  .flatMap(([name, value]) => ["-e", `${name}=${value}`]);

/** Runs the program; gives its exit code, the JSON it printed, and its complaints. */
function inspect(words, key = env.CLIENTS_KEY) {
  const access = transport === "stdio" ? passed : ["--header", `Authorization: Bearer ${key}`];
  const command = transport === "stdio" ? ["--", env.CLIENTS_BINARY, "serve", "--stdio", env.CLIENTS_BRIDGES] : [];
  const all = ["--cli", ...target(), "--protocol-era", era, "--format", "json", ...access, ...words, ...command];
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...all], { timeout: 30_000, env: { ...env, HOME } }, (error, out, complaints) => {
      const code = error === null ? FINE : error.code;
      let result;
      try {
        result = JSON.parse(out).result;
      } catch {
        result = undefined;
      }
      resolve({ code, result, complaints });
    });
  });
}

async function fine(...words) {
  const { code, result, complaints } = await inspect(words);
  assert.equal(code, FINE, complaints);
  return result;
}

const names = (list, key) => list.map((item) => item[key]).sort();

/** The checks, each a column of the table, a name and a function that throws. */
const CHECKS = [
  ["connects", "learns who the server is", async () => {
    const result = await fine("--method", "initialize");
    assert.equal(result.protocolVersion, PROTOCOLS[era]);
    assert.match(result.instructions ?? "", new RegExp(`\\b${expected.instructions_name}\\b`));
  }],
  ["tools", "lists portable tools", async () => {
    const { tools } = await fine("--method", "tools/list", "--strict");
    assert.deepEqual(names(tools, "name"), expected.tools);
  }],
  ["tools", "calls a tool", async () => {
    const result = await fine("--method", "tools/call", "--tool-name", "get_person", "--tool-arg", "id=3");
    assert.deepEqual(result.structuredContent, { id: 3, name: "Mei Tanaka", team: null, badge: "13" });
  }],
  ["errors", "tells that a tool failed", async () => {
    const words = ["--method", "tools/call", "--tool-name", "get_person", "--tool-arg", "id=99"];
    const { code, complaints } = await inspect(words);
    assert.equal(code, TOOL_FAILED, complaints);
  }],
  ["resources", "lists the resources", async () => {
    assert.deepEqual(names((await fine("--method", "resources/list")).resources, "uri"), expected.resources.listed);
  }],
  ["resources", "lists the templates", async () => {
    const { resourceTemplates } = await fine("--method", "resources/templates/list");
    assert.deepEqual(names(resourceTemplates, "uriTemplate"), expected.resources.templates);
  }],
  ["resources", "reads a resource", async () => {
    const [{ uri, content }] = expected.resources.read;
    const { contents } = await fine("--method", "resources/read", "--uri", uri);
    for (const [member, value] of Object.entries(content)) assert.deepEqual(contents[0][member], value, member);
  }],
  ["prompts", "lists the prompts", async () => {
    assert.deepEqual(names((await fine("--method", "prompts/list")).prompts, "name"), expected.prompts.listed);
  }],
  ["prompts", "gets a prompt", async () => {
    const [{ name, arguments: given, messages }] = expected.prompts.get;
    const pairs = Object.entries(given).flatMap(([key, value]) => ["--prompt-args", `${key}=${value}`]);
    const result = await fine("--method", "prompts/get", "--prompt-name", name, ...pairs);
    assert.equal(result.messages[0].content.text, messages[0].content.text);
  }],
];
if (era === "legacy") {
  CHECKS.push(["logging", "sets the level of the log", () => fine("--method", "logging/setLevel", "--log-level", "debug")]);
}
if (transport !== "stdio") {
  CHECKS.push(["refusals", "is refused with another key", async () => {
    const { code, complaints } = await inspect(["--method", "tools/list", "--stored-auth-only"], "not-the-key");
    assert.equal(code, REFUSED, complaints);
  }]);
}

const done = new Set();
try {
  for (const [column, name, check] of CHECKS) {
    try {
      await check();
    } catch (error) {
      throw new Error(`${name}: ${error.message.replaceAll(/\s*\n\s*/g, " ")}`, { cause: error });
    }
    done.add(column);
  }
  const row = { client: "Inspector", version: VERSION, transport, mode: era, protocol: PROTOCOLS[era], columns: [...done] };
  appendFileSync(env.CLIENTS_REPORT, `${JSON.stringify(row)}\n`);
  console.log(`ok  ${label}: ${CHECKS.length} checks`);
} catch (error) {
  console.log(`FAIL  ${label}: ${error.message}`);
  process.exitCode = 1;
}

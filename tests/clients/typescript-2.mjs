// The TypeScript client 2.x: node typescript-2.mjs MODE TRANSPORT
//
// Modes: `legacy` (its default), `auto` (asks `server/discover` first) and `pinned` (2026-07-28 or nothing).

import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { COMMAND, ENDPOINTS, run, watchedFetch } from "./checks.mjs";

const MODERN = "2026-07-28";
const MODES = {
  legacy: { versionNegotiation: undefined, protocol: "2025-11-25" },
  auto: { versionNegotiation: { mode: "auto" }, protocol: MODERN },
  pinned: { versionNegotiation: { mode: { pin: MODERN } }, protocol: MODERN },
};

const [name = "legacy", transport = "http"] = process.argv.slice(2);
const mode = MODES[name];
if (mode === undefined) throw new Error(`no mode is called ${name}: ${Object.keys(MODES).join(", ")}`);
const stateless = mode.protocol === MODERN;

/** A transport of the asked kind, with the headers on every request. */
function connection(headers, onResponse) {
  const options = { requestInit: { headers }, fetch: watchedFetch(onResponse) };
  switch (transport) {
    case "http":
      return new StreamableHTTPClientTransport(ENDPOINTS.http, options);
    case "sse":
      return new SSEClientTransport(ENDPOINTS.sse, options);
    case "stdio":
      return new StdioClientTransport(COMMAND);
    default:
      throw new Error(`no transport is called ${transport}`);
  }
}

const asks = ["elicitation/create", "sampling/createMessage", "roots/list"];

async function open({ headers, onResponse, person }) {
  const client = new Client(
    { name: "client-checks", version: "1.0.0" },
    { versionNegotiation: mode.versionNegotiation, capabilities: { elicitation: {}, sampling: {}, roots: {} } },
  );
  for (const method of asks) client.setRequestHandler(method, ({ params }) => person.answer(method, params));
  client.setNotificationHandler("notifications/message", ({ params }) => person.hear(params));
  await client.connect(connection(headers, onResponse));
  // The stateless revision asks for log messages with each request, the others once.
  let meta;
  const wantLog = async (level) => {
    if (stateless) meta = { "io.modelcontextprotocol/logLevel": level };
    else await client.setLoggingLevel(level);
  };
  return {
    protocol: client.getNegotiatedProtocolVersion(),
    server: client.getServerVersion(),
    instructions: client.getInstructions(),
    ping: () => client.ping(),
    listTools: () => client.listTools(),
    callTool: (params, onprogress) => client.callTool(meta ? { ...params, _meta: meta } : params, { onprogress }),
    listResources: () => client.listResources(),
    listResourceTemplates: () => client.listResourceTemplates(),
    readResource: (params) => client.readResource(params),
    listPrompts: () => client.listPrompts(),
    getPrompt: (params) => client.getPrompt(params),
    complete: (params) => client.complete(params),
    wantLog,
    close: () => client.close(),
  };
}

await run({
  client: "TypeScript client",
  version: "2.4.0",
  transport,
  mode: name,
  protocol: mode.protocol,
  hasPing: !stateless,
  logs: true,
  asks,
  open,
});

// The TypeScript SDK 1.x: node typescript-1.mjs VERSION TRANSPORT
//
// 1.17.3 prefers 2025-06-18 and knows nothing newer; 1.32.2 prefers 2025-11-25. Neither knows the stateless revision.

import { COMMAND, ENDPOINTS, run, watchedFetch } from "./checks.mjs";

const PACKAGES = {
  "1.17.3": { name: "sdk-1.17", protocol: "2025-06-18" },
  "1.32.2": { name: "sdk-1.32", protocol: "2025-11-25" },
};
const [version, transport] = process.argv.slice(2);
const { name, protocol } = PACKAGES[version];
const part = (path) => import(`${name}/${path}`);
const { Client } = await part("client/index.js");
const types = await part("types.js");

/** A transport of the asked kind, with the headers on every request. */
async function connection(headers, onResponse) {
  const options = { requestInit: { headers }, fetch: watchedFetch(onResponse) };
  switch (transport) {
    case "http":
      return new (await part("client/streamableHttp.js")).StreamableHTTPClientTransport(ENDPOINTS.http, options);
    case "sse":
      return new (await part("client/sse.js")).SSEClientTransport(ENDPOINTS.sse, options);
    case "stdio":
      return new (await part("client/stdio.js")).StdioClientTransport(COMMAND);
    default:
      throw new Error(`no transport is called ${transport}`);
  }
}

async function open({ headers, onResponse, person }) {
  const client = new Client(
    { name: "client-checks", version: "1.0.0" },
    { capabilities: { elicitation: {}, sampling: {}, roots: {} } },
  );
  for (const schema of [types.ElicitRequestSchema, types.CreateMessageRequestSchema, types.ListRootsRequestSchema]) {
    client.setRequestHandler(schema, ({ method, params }) => person.answer(method, params));
  }
  client.setNotificationHandler(types.LoggingMessageNotificationSchema, ({ params }) => person.hear(params));
  const wire = await connection(headers, onResponse);
  let protocolVersion;
  // The client tells its transport which revision was agreed on, and nobody else.
  const told = wire.setProtocolVersion?.bind(wire);
  wire.setProtocolVersion = (version) => {
    protocolVersion = version;
    told?.(version);
  };
  await client.connect(wire);
  return {
    protocol: protocolVersion,
    server: client.getServerVersion(),
    instructions: client.getInstructions(),
    ping: () => client.ping(),
    listTools: () => client.listTools(),
    callTool: (params, onprogress) => client.callTool(params, undefined, { onprogress }),
    listResources: () => client.listResources(),
    listResourceTemplates: () => client.listResourceTemplates(),
    readResource: (params) => client.readResource(params),
    listPrompts: () => client.listPrompts(),
    getPrompt: (params) => client.getPrompt(params),
    complete: (params) => client.complete(params),
    wantLog: (level) => client.setLoggingLevel(level),
    close: () => client.close(),
  };
}

const asks = ["elicitation/create", "sampling/createMessage", "roots/list"];
await run({ client: "TypeScript SDK", version, transport, protocol, hasPing: true, logs: true, asks, open });

// The TypeScript SDK 1.17.3, the client inside Poke: legacy versions only, 2025-06-18 first.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ENDPOINT, run, watchedFetch } from "./checks.mjs";

async function open(headers, onResponse) {
  const client = new Client({ name: "client-checks", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(ENDPOINT, {
    requestInit: { headers },
    fetch: watchedFetch(onResponse),
  });
  await client.connect(transport);
  return {
    protocol: transport.protocolVersion,
    server: client.getServerVersion(),
    instructions: client.getInstructions(),
    ping: () => client.ping(),
    listTools: () => client.listTools(),
    callTool: (params) => client.callTool(params),
    close: () => client.close(),
  };
}

await run({ label: "typescript 1.17.3", protocol: "2025-06-18", hasPing: true, open });

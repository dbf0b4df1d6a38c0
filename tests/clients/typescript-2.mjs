// The TypeScript client 2.x in one of its three modes, named by the only argument:
// `legacy` (its default), `auto` (asks `server/discover` first) and `pinned` (2026-07-28 or nothing).

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { ENDPOINT, run, watchedFetch } from "./checks.mjs";

const MODERN = "2026-07-28";
const MODES = {
  legacy: { versionNegotiation: undefined, protocol: "2025-11-25", hasPing: true },
  auto: { versionNegotiation: { mode: "auto" }, protocol: MODERN, hasPing: false },
  pinned: { versionNegotiation: { mode: { pin: MODERN } }, protocol: MODERN, hasPing: false },
};

const name = process.argv[2] ?? "legacy";
const mode = MODES[name];
if (mode === undefined) throw new Error(`no mode is called ${name}: ${Object.keys(MODES).join(", ")}`);

async function open(headers, onResponse) {
  const client = new Client(
    { name: "client-checks", version: "1.0.0" },
    { versionNegotiation: mode.versionNegotiation },
  );
  const transport = new StreamableHTTPClientTransport(ENDPOINT, {
    requestInit: { headers },
    fetch: watchedFetch(onResponse),
  });
  await client.connect(transport);
  return {
    protocol: client.getNegotiatedProtocolVersion(),
    server: client.getServerVersion(),
    instructions: client.getInstructions(),
    ping: () => client.ping(),
    listTools: () => client.listTools(),
    callTool: (params) => client.callTool(params),
    close: () => client.close(),
  };
}

await run({ label: `typescript 2.4.0 ${name}`, protocol: mode.protocol, hasPing: mode.hasPing, open });

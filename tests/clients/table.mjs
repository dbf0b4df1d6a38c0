// Prints docs/clients.md from what the clients reported: node table.mjs REPORT
//
// A line of the report is the JSON of one client in one mode over one transport, with the columns whose checks held.

import { readFileSync } from "node:fs";

const COLUMNS = [
  ["tools", "tools"],
  ["errors", "errors"],
  ["refusals", "refused without a key"],
  ["resources", "resources"],
  ["prompts", "prompts"],
  ["completion", "completion"],
  ["logging", "log"],
  ["progress", "progress"],
  ["elicitation/create", "asks the person"],
  ["sampling/createMessage", "asks the model"],
  ["roots/list", "asks for roots"],
];
const TRANSPORTS = { http: "Streamable HTTP", sse: "HTTP+SSE", stdio: "stdio" };

const rows = readFileSync(process.argv[2], "utf8").trim().split("\n").map((line) => JSON.parse(line));
const seen = COLUMNS.filter(([column]) => rows.some((row) => row.columns.includes(column)));
const cells = (values) => `| ${values.join(" | ")} |`;
const lines = [
  cells(["Client", "Mode", "Transport", "Revision", ...seen.map(([, title]) => title)]),
  cells(Array.from({ length: 4 + seen.length }, (_, index) => (index < 4 ? "---" : ":-:"))),
  ...rows.map(({ client, version, mode, transport, protocol, columns }) =>
    cells([
      `${client} ${version}`,
      mode ? `\`${mode}\`` : "–",
      TRANSPORTS[transport],
      protocol,
      ...seen.map(([column]) => (columns.includes(column) ? "✓" : "–")),
    ]),
  ),
];

console.log(`# Clients

Published MCP clients that are connected to this server on every change, each with the revision of the protocol that it
ends up with. A ✓ means that all checks of that column held with this client, and a – that there is nothing to check:
the client has no such feature, or the transport has none. A client with a check that does not hold makes the run fail,
so no third sign is needed.

This page is made by [\`tests/clients/run\`](../tests/clients/README.md) from what the clients reported; do not edit it.

${lines.join("\n")}`);

// A session with the YAML language server: opens texts, and asks what an editor would ask at a place in them.
import { spawn } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { join } from "node:path";
import rpc from "vscode-jsonrpc/node";

const program = fileURLToPath(new URL("node_modules/yaml-language-server/bin/yaml-language-server", import.meta.url));

// The text without its mark `‸`, and the position of the mark.
function marked(text) {
  const at = text.indexOf("‸");
  if (at < 0) return { text, position: undefined };
  const before = text.slice(0, at).split("\n");
  return { text: text.replace("‸", ""), position: { line: before.length - 1, character: before.at(-1).length } };
}

export async function start(folder) {
  const child = spawn(process.execPath, [program, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
  const server = rpc.createMessageConnection(
    new rpc.StreamMessageReader(child.stdout),
    new rpc.StreamMessageWriter(child.stdin),
  );
  const waiting = new Map();
  const settings = { yaml: { validate: true, hover: true, completion: true, schemaStore: { enable: false } } };
  server.onRequest("workspace/configuration", ({ items }) => items.map(({ section }) => settings[section] ?? null));
  server.onRequest("client/registerCapability", () => null);
  server.onRequest("custom/schema/request", () => []);
  server.onNotification("textDocument/publishDiagnostics", ({ uri, diagnostics }) => waiting.get(uri)?.(diagnostics));
  server.listen();

  const markdown = { documentationFormat: ["markdown"], snippetSupport: true };
  await server.sendRequest("initialize", {
    processId: process.pid,
    rootUri: pathToFileURL(folder).href,
    capabilities: {
      textDocument: { completion: { completionItem: markdown }, hover: { contentFormat: ["markdown"] } },
      workspace: { configuration: true, didChangeConfiguration: { dynamicRegistration: true } },
    },
  });
  server.sendNotification("initialized", {});
  server.sendNotification("workspace/didChangeConfiguration", { settings });

  let opened = 0;
  // Opens a text, waits for what is found in it, and gives the place that is marked.
  async function open(source) {
    const { text, position } = marked(source);
    opened += 1;
    const uri = pathToFileURL(join(folder, `file-${opened}.yaml`)).href;
    const found = new Promise((resolve) => waiting.set(uri, resolve));
    server.sendNotification("textDocument/didOpen", { textDocument: { uri, languageId: "yaml", version: 1, text } });
    return { found: await found, at: { textDocument: { uri }, position } };
  }

  return {
    diagnostics: async (source) => (await open(source)).found,
    async completion(source) {
      const answer = await server.sendRequest("textDocument/completion", (await open(source)).at);
      return answer?.items ?? answer ?? [];
    },
    async hover(source) {
      const answer = await server.sendRequest("textDocument/hover", (await open(source)).at);
      const contents = answer?.contents;
      return typeof contents === "string" ? contents : contents?.value ?? "";
    },
    async stop() {
      await server.sendRequest("shutdown");
      server.sendNotification("exit");
      server.dispose();
      child.kill();
    },
  };
}

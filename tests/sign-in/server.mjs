// A running mcp-bridge that can be started anew, its commands, and a person in front of a browser.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, cpSync, openSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";

const { MCP_BRIDGE, SIGN_IN_FOLDER, SIGN_IN_PORT } = process.env;
export const ISSUER = `http://127.0.0.1:${SIGN_IN_PORT}`;
export const ENDPOINT = `${ISSUER}/mcp`;
export const PASSWORD = "correct horse battery";

const BRIDGES = new URL("bridges", import.meta.url).pathname;
const environment = (url, folder) => ({ PATH: process.env.PATH, SIGN_IN_URL: url, SIGN_IN_STATE: join(folder, "state.db") });
const env = environment(ISSUER, SIGN_IN_FOLDER);
let child;

/** A server, when it listens. */
async function serve(bridges, port, env) {
  const log = openSync(join(SIGN_IN_FOLDER, "server.log"), "a");
  const child = spawn(MCP_BRIDGE, ["serve", bridges, "--listen", `127.0.0.1:${port}`], { env, stdio: ["ignore", log, log] });
  for (let tries = 0; tries < 150; tries++) {
    const socket = connect(port, "127.0.0.1");
    const listens = await once(socket, "connect").then(() => true, () => false);
    socket.destroy();
    if (listens) return child;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("mcp-bridge was not ready after 15 s");
}

async function end(child, signal) {
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

export async function start() {
  child = await serve(BRIDGES, SIGN_IN_PORT, env);
}

/** Ends the server as a power failure does, or as it is asked to. */
export const stop = (signal = "SIGTERM") => end(child, signal);

export async function restart(signal) {
  await stop(signal);
  await start();
}

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Another server with more in its file, with a name of its own: its address, its commands, and its end. */
export async function another(name, scheme, more) {
  const folder = join(SIGN_IN_FOLDER, name);
  cpSync(BRIDGES, folder, { recursive: true });
  appendFileSync(join(folder, "desk.yaml"), more(folder));
  const port = await freePort();
  const url = `${scheme}://localhost:${port}`;
  const env = environment(url, folder);
  const child = await serve(folder, port, env);
  return { url, command: (...parts) => run(folder, env, parts), stop: () => end(child, "SIGTERM") };
}

/** One with a certificate that nobody vouches for. */
export const overTls = () => another("tls", "https", (folder) => {
  const [cert, key] = ["cert.pem", "key.pem"].map((name) => join(folder, name));
  const kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
  execFileSync("openssl", ["req", ...kind, "-keyout", key, "-out", cert], { stdio: "ignore" });
  return `  tls: { cert: ${cert}, key: ${key} }\n`;
});

/** One that does not ask again what was agreed to. */
export const remembering = () => another("remember", "http", () => "      consent: remember\n");

function run(folder, env, parts) {
  const input = parts.at(-1) instanceof Object ? parts.pop().input : "";
  return execFileSync(MCP_BRIDGE, [...parts, "--config", folder], { env, input, encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] });
}

export const command = (...parts) => run(BRIDGES, env, parts);

/** A client that an administrator makes. */
export function made(...options) {
  const printed = command("clients", "create", "--name", "Made", ...options);
  const value = (name) => printed.match(new RegExp(`^${name}\\s+(\\S+)$`, "m"))?.[1];
  return { client_id: value("client_id"), client_secret: value("client_secret") };
}

// The browser remembers who signed in, as browsers do.
let cookie = "";

export const forget = () => { cookie = ""; };

/** Follows a client's link as a person does who signs in and agrees; the address the client is told. */
export async function agree(link, between = async () => {}) {
  const ask = async (address, form) => {
    const headers = { cookie, ...(form && { origin: ISSUER, "content-type": "application/x-www-form-urlencoded" }) };
    const options = { headers, redirect: "manual", ...(form && { method: "POST", body: new URLSearchParams(form) }) };
    const answer = await fetch(new URL(address, ISSUER), options);
    cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    await between();
    return { place: answer.headers.get("location"), page: await answer.text(), status: answer.status };
  };
  let { place, page, status } = await ask(link);
  for (let steps = 0; steps < 6; steps++) {
    const hidden = Object.fromEntries([...page.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)].map((it) => it.slice(1)));
    if (place && !place.startsWith("/")) return new URL(place);
    if (place) ({ place, page, status } = await ask(place));
    else if (page.includes('name="password"')) {
      ({ place, page, status } = await ask("/oauth/sign-in", { ...hidden, name: "ada", password: PASSWORD }));
    } else if (page.includes('name="decision"')) {
      ({ place, page, status } = await ask("/oauth/consent", { ...hidden, decision: "allow" }));
    } else break;
  }
  throw new Error(`the way ends here, with ${status}: ${page.replace(/<style>[^]*<\/style>/, "").replace(/<[^>]*>/g, " ").slice(0, 400)}`);
}

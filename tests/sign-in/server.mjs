// A running mcp-bridge that can be started anew, its commands, and a person in front of a browser.
import { execFileSync, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";

const { MCP_BRIDGE, SIGN_IN_FOLDER, SIGN_IN_PORT } = process.env;
export const ISSUER = `http://127.0.0.1:${SIGN_IN_PORT}`;
export const ENDPOINT = `${ISSUER}/mcp`;
export const PASSWORD = "correct horse battery";

const BRIDGES = new URL("bridges", import.meta.url).pathname;
const env = { PATH: process.env.PATH, SIGN_IN_URL: ISSUER, SIGN_IN_STATE: join(SIGN_IN_FOLDER, "state.db") };
let child;

export async function start() {
  const log = openSync(join(SIGN_IN_FOLDER, "server.log"), "a");
  child = spawn(MCP_BRIDGE, ["serve", BRIDGES, "--listen", `127.0.0.1:${SIGN_IN_PORT}`], { env, stdio: ["ignore", log, log] });
  for (let tries = 0; tries < 150; tries++) {
    const answer = await fetch(`${ISSUER}/healthz`).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("mcp-bridge was not ready after 15 s");
}

/** Ends the server as a power failure does, or as it is asked to. */
export async function stop(signal = "SIGTERM") {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}

export async function restart(signal) {
  await stop(signal);
  await start();
}

export function command(...parts) {
  const input = parts.at(-1) instanceof Object ? parts.pop().input : "";
  return execFileSync(MCP_BRIDGE, [...parts, "--config", BRIDGES], { env, input, encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] });
}

/** A client that an administrator makes. */
export function made(...options) {
  const printed = command("clients", "create", "--name", "Made", ...options);
  const value = (name) => printed.match(new RegExp(`^${name}\\s+(\\S+)$`, "m"))?.[1];
  return { client_id: value("client_id"), client_secret: value("client_secret") };
}

// The browser remembers who signed in, as browsers do.
let cookie = "";

/** Follows a client's link as a person does who signs in and agrees; the address the client is told. */
export async function agree(link, person = "ada") {
  const ask = async (address, form) => {
    const headers = { cookie, ...(form && { origin: ISSUER, "content-type": "application/x-www-form-urlencoded" }) };
    const options = { headers, redirect: "manual", ...(form && { method: "POST", body: new URLSearchParams(form) }) };
    const answer = await fetch(new URL(address, ISSUER), options);
    cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    return { place: answer.headers.get("location"), page: await answer.text(), status: answer.status };
  };
  let { place, page, status } = await ask(link);
  for (let steps = 0; steps < 6; steps++) {
    const hidden = Object.fromEntries([...page.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)].map((it) => it.slice(1)));
    if (place && !place.startsWith("/")) return new URL(place);
    if (place) ({ place, page, status } = await ask(place));
    else if (page.includes('name="password"')) {
      ({ place, page, status } = await ask("/oauth/sign-in", { ...hidden, name: person, password: PASSWORD }));
    } else if (page.includes('name="decision"')) {
      ({ place, page, status } = await ask("/oauth/consent", { ...hidden, decision: "allow" }));
    } else break;
  }
  throw new Error(`the way ends here, with ${status}: ${page.replace(/<style>[^]*<\/style>/, "").replace(/<[^>]*>/g, " ").slice(0, 400)}`);
}

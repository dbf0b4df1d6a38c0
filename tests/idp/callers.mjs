// Callers with tokens: of an issuer whose tokens are spoilt one by one, and through the OAuth clients of two MCP SDKs
// that register, sign a person in and ask for more scopes. Prints a line a check and "N passed, N failed".
import assert from "node:assert/strict";

import * as newer from "@modelcontextprotocol/client";
import { Client as OlderClient } from "sdk-1.17/client/index.js";
import { StreamableHTTPClientTransport as OlderTransport } from "sdk-1.17/client/streamableHttp.js";

import { run } from "../report.mjs";

const { IDP_CALLERS, IDP_ISSUER, IDP_MOCK, IDP_STEERING } = process.env;
const ENDPOINT = `${IDP_CALLERS}/mcp`;
const CALLBACK = "http://127.0.0.1:9/callback";

async function call(token) {
  const response = await fetch(ENDPOINT, {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "who", arguments: {} } }),
  });
  const body = await response.json();
  return {
    status: response.status,
    challenge: response.headers.get("www-authenticate"),
    text: body.result?.content[0].text,
  };
}

const GOOD = { payload: { aud: ENDPOINT, sub: "ada", scope: "items.read" } };

async function spoil(change = {}) {
  const merged = { ...GOOD, ...change, payload: { ...GOOD.payload, ...change.payload } };
  await fetch(IDP_STEERING, { method: "POST", body: JSON.stringify(merged) });
}

async function mocked(change) {
  await spoil(change);
  const body = new URLSearchParams({ grant_type: "client_credentials" });
  const answer = await (await fetch(`${IDP_MOCK}/token`, { method: "POST", body })).json();
  return answer.access_token;
}

/** A person at a browser: signs in as `ada`, agrees, and ends where the client wants to hear of it. */
async function browse(address) {
  const jar = new Map();
  let request = [address, {}];
  for (let step = 0; step < 20; step += 1) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const [url, options] = request;
    const response = await fetch(url, { ...options, redirect: "manual", headers: { ...options.headers, cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(";")[0].split("=");
      jar.set(name, value);
    }
    const location = response.headers.get("location");
    if (location) {
      const next = new URL(location, url);
      if (next.href.startsWith(CALLBACK)) return next.searchParams;
      request = [next, {}];
      continue;
    }
    const page = await response.text();
    const action = page.match(/action="([^"]+)"/)?.[1];
    const prompt = page.match(/name="prompt" value="([^"]+)"/)?.[1];
    assert.ok(action && prompt, `no form: ${response.status} ${page.slice(0, 300)}`);
    const body = new URLSearchParams({ prompt, login: "ada", password: "x" });
    request = [new URL(action, url), { method: "POST", body }];
  }
  throw new Error("the person goes round in circles");
}

/** What a client remembers, and where it sends people. */
class Memory {
  constructor(metadata) {
    this.clientMetadata = {
      client_name: "caller checks",
      redirect_uris: [CALLBACK],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      application_type: "native",
      ...metadata,
    };
    this.asked = [];
  }
  get redirectUrl() { return CALLBACK; }
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.saved; }
  saveTokens(tokens) { this.saved = tokens; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  saveDiscoveryState(state) { this.discovered = state; }
  discoveryState() { return this.discovered; }
  redirectToAuthorization(address) { this.asked.push(address); }
}

const SDKS = {
  older: {
    memory: () => new Memory({ scope: "openid items.read" }),
    transport: (authProvider) => new OlderTransport(new URL(ENDPOINT), { authProvider }),
    client: () => new OlderClient({ name: "caller checks", version: "1.0.0" }),
    finish: (transport, answer) => transport.finishAuth(answer.get("code")),
  },
  newer: {
    memory: () => new Memory({}),
    transport: (authProvider) => new newer.StreamableHTTPClientTransport(new URL(ENDPOINT), { authProvider }),
    client: () => new newer.Client({ name: "caller checks", version: "1.0.0" }),
    finish: (transport, answer) => transport.finishAuth(answer),
  },
};

/** Connects as a client does that is sent away to sign in first. */
async function connected(sdk) {
  const memory = sdk.memory();
  const first = sdk.transport(memory);
  await assert.rejects(sdk.client().connect(first), /[Uu]nauthorized/);
  await sdk.finish(first, await browse(memory.asked.at(-1)));
  const client = sdk.client();
  const transport = sdk.transport(memory);
  await client.connect(transport);
  return { client, memory, transport };
}

const who = async (client) => (await client.callTool({ name: "who", arguments: {} })).content[0].text;

const fine = await run({
  async "a token is good for the one it is for, and nothing else"() {
    const now = Math.floor(Date.now() / 1000);
    assert.deepEqual(await call(await mocked()), { status: 200, challenge: null, text: "ada" });
    for (const [what, change] of Object.entries({
      "another audience": { payload: { aud: "https://other.example/mcp" } },
      "no audience": { without: ["aud"] },
      "an issuer with a slash": { payload: { iss: `${IDP_MOCK}/` } },
      "another known issuer": { payload: { iss: IDP_ISSUER } },
      "its time is over": { payload: { exp: now - 3600 } },
      "its time is to come": { payload: { nbf: now + 3600 } },
      "no end": { without: ["exp"] },
      "no subject": { without: ["sub"] },
      "an ID token": { header: { typ: "id+jwt" } },
      "a key that nobody has": { header: { kid: "made-up" } },
    })) {
      const { status, challenge } = await call(await mocked(change));
      assert.equal(status, 401, what);
      assert.match(challenge, /^Bearer resource_metadata="[^"]+", scope="items.read", error="invalid_token"/, what);
    }
    const parts = (await mocked()).split(".");
    const none = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url");
    for (const token of [`${none}.${parts[1]}.`, `${parts[0]}.${parts[1]}.`, `${none}.${parts[1]}.${parts[2]}`]) {
      assert.equal((await call(token)).status, 401);
    }
  },
  async "several audiences, one of which is this server"() {
    const token = await mocked({ payload: { aud: ["https://other.example", ENDPOINT] } });
    assert.equal((await call(token)).status, 200);
  },
  async "a new key of the issuer is found"() {
    const kid = await (await fetch(`${IDP_STEERING}/rotate`)).text();
    // The issuer takes its keys in turn.
    for (let turn = 0; turn < 2; turn += 1) assert.equal((await call(await mocked())).status, 200, kid);
  },
  async "SDK 1.17: registers, signs in, calls, and refreshes"() {
    const { client, memory } = await connected(SDKS.older);
    assert.equal(await who(client), "ada");
    assert.equal(memory.asked[0].searchParams.get("resource"), ENDPOINT);
    assert.deepEqual((await client.listTools()).tools.map(({ name }) => name), ["who"]);
    const { access_token, refresh_token } = memory.saved;
    assert.ok(refresh_token);
    memory.saved = { ...memory.saved, access_token: `${access_token.slice(0, -4)}AAAA` };
    assert.equal(await who(client), "ada");
    assert.notEqual(memory.saved.access_token, access_token);
    await client.close();
  },
  async "SDK 2: registers, signs in, and is asked for more scopes"() {
    const { client, memory, transport } = await connected(SDKS.newer);
    assert.equal(await who(client), "ada");
    // It adds `offline_access` by itself, where the issuer has it.
    const scopes = (address) => address.searchParams.get("scope").split(" ").filter((it) => it !== "offline_access").sort();
    assert.deepEqual(scopes(memory.asked[0]), ["items.read"]);
    const change = () => client.callTool({ name: "change", arguments: {} });
    await assert.rejects(change());
    assert.deepEqual(scopes(memory.asked.at(-1)), ["items.read", "items.write"]);
    await SDKS.newer.finish(transport, await browse(memory.asked.at(-1)));
    assert.equal((await change()).content[0].text, "changed");
    await client.close();
  },
});
process.exit(fine ? 0 : 1);

// What mcp-bridge makes of the tokens of a real identity provider. Prints a line a check and "N passed, N failed".
import assert from "node:assert/strict";

import { run } from "../report.mjs";

const { IDP_API, IDP_ENDPOINT, IDP_ISSUER, IDP_SECRET } = process.env;

async function call(name, token) {
  const headers = { accept: "application/json, text/event-stream", "content-type": "application/json", "x-api-key": process.env.IDP_KEY };
  if (token) headers.authorization = `Bearer ${token}`;
  const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } };
  const response = await fetch(IDP_ENDPOINT, { method: "POST", headers, body: JSON.stringify(message) });
  const body = await response.json();
  const text = body.result?.content?.[0]?.text;
  return {
    status: response.status,
    challenge: response.headers.get("www-authenticate"),
    failed: body.result?.isError === true,
    text,
    who: body.result && !body.result.isError ? JSON.parse(text) : undefined,
  };
}

async function steer(path) {
  return (await fetch(IDP_API + path)).json();
}

/** A token that the provider gives a person's client, as an MCP client would have it. */
async function signIn(client, scope) {
  const authorization = `Basic ${Buffer.from(`${client}:${encodeURIComponent(IDP_SECRET)}`).toString("base64")}`;
  const body = new URLSearchParams({ grant_type: "client_credentials", scope });
  const response = await fetch(`${IDP_ISSUER}/token`, { method: "POST", headers: { authorization }, body });
  return (await response.json()).access_token;
}

const fine = await run({
  async "client credentials in the header, with one token for calls at once"() {
    const before = (await steer("/granted")).granted;
    const all = await Promise.all(Array.from({ length: 8 }, () => call("own")));
    for (const { who } of all) assert.deepEqual(who, { who: "bridge: one", by: "bridge: one", scope: "items.read" });
    assert.equal((await steer("/granted")).granted, before + 1);
  },
  async "client credentials in the body"() {
    assert.equal((await call("post")).who.who, "bridge-post");
  },
  async "a token that is taken back is renewed once, and the call goes on"() {
    await call("own");
    const before = (await steer("/granted")).granted;
    await steer("/refuse");
    assert.equal((await call("own")).who.who, "bridge: one");
    assert.equal((await steer("/granted")).granted, before + 1);
  },
  async "a wrong secret is told as the operator's fault, without the secret"() {
    const { status, failed, text } = await call("wrong");
    assert.deepEqual([status, failed], [200, true]);
    assert.match(text, /`wrong`.*invalid_client.*operator/);
    assert.ok(!text.includes(IDP_SECRET));
  },
  async "token exchange keeps callers apart"() {
    const [ada, bo] = [await signIn("ada", "items.read"), await signIn("bo", "items.read")];
    for (const [token, who] of [[ada, "ada"], [bo, "bo"], [ada, "ada"]]) {
      assert.deepEqual((await call("exchanged", token)).who, { who, by: "exchange", scope: "items.read" });
    }
  },
  async "a caller whose token cannot be exchanged is asked to sign in"() {
    for (const token of ["made-up", undefined]) {
      const { status, challenge } = await call("exchanged", token);
      assert.equal(status, 401);
      assert.match(challenge, /^Bearer .*error="invalid_token"/);
    }
  },
  async "a caller's own token is passed on, and its refusal comes back"() {
    const ada = await signIn("ada", "items.read");
    assert.equal((await call("passed", ada)).who.who, "ada");
    const refused = await call("passed", "made-up");
    assert.equal(refused.status, 401);
    assert.match(refused.challenge, /^Bearer .*error="invalid_token"/);
    const lacking = await call("write", ada);
    assert.equal(lacking.status, 403);
    assert.match(lacking.challenge, /^Bearer .*error="insufficient_scope".*scope="items.write"/);
    assert.equal((await call("write", await signIn("ada", "items.read items.write"))).who.who, "ada");
  },
});
process.exit(fine ? 0 : 1);

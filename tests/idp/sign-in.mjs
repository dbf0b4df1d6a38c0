// Signs people in to a running mcp-bridge at a published identity provider, in one browser each.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

import { run } from "../report.mjs";

const { IDP_SIGN_IN: BRIDGE, IDP_PEOPLE: PROVIDER } = process.env;
const CALLBACK = "http://127.0.0.1:9/callback";

/** A browser: it keeps the cookies of each site, and follows nobody to the client. */
class Browser {
  #jars = new Map();

  async open(address, form) {
    const url = new URL(address);
    const jar = this.#jars.get(url.origin) ?? new Map();
    this.#jars.set(url.origin, jar);
    const headers = { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") };
    if (form) Object.assign(headers, { origin: url.origin, "content-type": "application/x-www-form-urlencoded" });
    const body = form && new URLSearchParams(form).toString();
    const answer = await fetch(url, { method: form ? "POST" : "GET", headers, body, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) {
      const [name, value] = line.split(";")[0].split(/=(.*)/s);
      if (value) jar.set(name, value);
      else jar.delete(name);
    }
    const place = answer.headers.get("location");
    return { status: answer.status, place: place && new URL(place, url).href, page: await answer.text(), address: url.href };
  }

  /** Goes on until there is a page, or the client. */
  async follow(answer) {
    let last = answer;
    while (last.place && !last.place.startsWith(CALLBACK)) last = await this.open(last.place);
    return last;
  }
}

async function client() {
  const metadata = { client_name: "A test", redirect_uris: [CALLBACK], token_endpoint_auth_method: "none" };
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${BRIDGE}/oauth/register`, { method: "POST", headers, body: JSON.stringify(metadata) });
  assert.equal(answer.status, 201);
  const verifier = randomBytes(32).toString("base64url");
  const { client_id } = await answer.json();
  const link = new URL(`${BRIDGE}/oauth/authorize`);
  link.search = new URLSearchParams({
    response_type: "code",
    client_id,
    redirect_uri: CALLBACK,
    state: "s",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  return { client_id, verifier, link: link.href };
}

const field = (page, name) => page.match(new RegExp(`name="${name}" value="([^"]*)"`))?.[1];

/** Follows a client's link to the provider, where somebody is to sign in. */
async function leave(browser, link) {
  const page = await browser.follow(await browser.open(link));
  assert.match(page.page, /Continue at 127\.0\.0\.1/);
  const answer = await browser.open(`${BRIDGE}/oauth/sign-in`, { request: field(page.page, "request") });
  assert.ok(answer.place?.startsWith(`${PROVIDER}/auth?`), `${answer.status} ${answer.place}`);
  return browser.follow(answer);
}

/** Signs in on the provider's own pages, and lets it tell us what it knows; what is at the end of it. */
async function sign(browser, form, login) {
  const consent = await browser.follow(await browser.open(form.address, { prompt: "login", login, password: "x" }));
  assert.ok(consent.address.startsWith(`${PROVIDER}/interaction/`), consent.address);
  return browser.open(consent.address, { prompt: "consent" });
}

/** As far as the way back to us. */
async function back(browser, answer) {
  let last = answer;
  while (last.place && !last.place.startsWith(`${BRIDGE}/oauth/callback`)) last = await browser.open(last.place);
  return last.place;
}

const fine = await run({
  async "a person of the provider signs in, agrees here, and the client gets tokens of ours alone"() {
    const [browser, asked] = [new Browser(), await client()];
    const question = await browser.follow(await sign(browser, await leave(browser, asked.link), "ada"));
    assert.match(question.page, /ada/);
    const { page } = question;
    const form = { request: field(page, "request"), guard: field(page, "guard"), decision: "allow" };
    const { place } = await browser.open(`${BRIDGE}/oauth/consent`, form);
    const told = new URL(place).searchParams;
    assert.deepEqual([told.get("state"), told.get("iss")], ["s", BRIDGE]);
    const exchange = {
      grant_type: "authorization_code",
      client_id: asked.client_id,
      code: told.get("code"),
      redirect_uri: CALLBACK,
      code_verifier: asked.verifier,
    };
    const answer = await fetch(`${BRIDGE}/oauth/token`, { method: "POST", body: new URLSearchParams(exchange) });
    const tokens = await answer.json();
    assert.ok(tokens.access_token.startsWith("mcb_at_") && !("id_token" in tokens), JSON.stringify(tokens));
    const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "who", arguments: {} } };
    const headers = {
      authorization: `Bearer ${tokens.access_token}`,
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": "2025-06-18",
    };
    const called = await fetch(`${BRIDGE}/mcp`, { method: "POST", headers, body: JSON.stringify(message) });
    assert.equal((await called.json()).result.content[0].text, "ada of acme");
  },
  async "a person whose mail address nobody has seen stays out"() {
    const browser = new Browser();
    const asked = await client();
    const answer = await browser.follow(await sign(browser, await leave(browser, asked.link), "eve"));
    assert.equal(answer.status, 403);
    assert.match(answer.page, /this server is for others/);
  },
  async "the way back is for the browser that left, and good once"() {
    const [browser, asked] = [new Browser(), await client()];
    const place = await back(browser, await sign(browser, await leave(browser, asked.link), "bob"));
    const { searchParams } = new URL(place);
    assert.equal(searchParams.get("iss"), PROVIDER);
    assert.equal((await new Browser().open(place)).status, 400);
    searchParams.set("iss", "https://evil.example");
    assert.equal((await browser.open(`${BRIDGE}/oauth/callback?${searchParams}`)).status, 403);
    const question = await browser.open(place);
    assert.ok(question.place?.startsWith(`${BRIDGE}/oauth/consent?`), `${question.status} ${question.page}`);
    assert.equal((await browser.open(place)).status, 400);
  },
  async "a person who does not sign in there is told of to the client"() {
    const [browser, asked] = [new Browser(), await client()];
    const form = await leave(browser, asked.link);
    const { place } = await browser.follow(await browser.open(`${form.address}/abort`));
    const told = new URL(place).searchParams;
    assert.deepEqual([told.get("error"), told.get("state"), told.get("iss")], ["access_denied", "s", BRIDGE]);
  },
});
process.exit(fine ? 0 : 1);

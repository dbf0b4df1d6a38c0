// A real browser before the authorization server, what it asked for, and the sites of others: a client's, and a
// stranger's. Every name but this machine's is unknown to it, so that nothing leaves this machine.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

import { chromium } from "playwright-core";

import { ISSUER, command } from "./server.mjs";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
  "--host-resolver-rules=MAP *.test 127.0.0.1,MAP localhost 127.0.0.1,MAP * ~NOTFOUND,EXCLUDE 127.0.0.1",
];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
export const version = browser.version();
export const close = () => browser.close();

/** Every request of every page, as [origin, kind], and the pages of the server that were seen. */
export const asked = [];

/** A browser of somebody's own. A person who is named has followed a link that signs in. */
export async function browserOf(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 1000 }, ...options });
  context.setDefaultTimeout(30_000);
  context.on("request", (request) => asked.push([new URL(request.url()).origin, request.resourceType(), request.url()]));
  const page = await context.newPage();
  if (name) {
    await page.goto(linkFor(name));
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Signed in" }).waitFor();
  }
  return page;
}

/** A person with a password, or without one. */
export function add(name, password) {
  command("users", "add", name, ...(password ? ["--password", { input: password }] : []));
}
export const linkFor = (name) => command("login-link", "--user", name).trim();

async function listen(answer) {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  return server.address().port;
}

/** A stranger's site, each of whose pages is given as HTML; its addresses on the same site, and on another one. */
export async function stranger(pages) {
  const port = await listen((request, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><title>Elsewhere</title>${pages[request.url] ?? ""}`);
  });
  return { sameSite: `http://127.0.0.1:${port}`, otherSite: `http://stranger.test:${port}` };
}

/** A client that has a site: it sends people to sign in, is told the answer, and sends them on to a third place. */
export async function clientSite(name, { scope = "notes:read", at, issuer = ISSUER } = {}) {
  const told = [];
  const port = await listen((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://client.test");
    if (pathname === "/callback") {
      told.push(Object.fromEntries(searchParams));
      response.writeHead(302, { location: `http://client.test:${port}/welcome` }).end();
      return;
    }
    response.setHeader("content-type", "text/html; charset=utf-8");
    const body = pathname === "/welcome" ? "<h1>Connected</h1>" : `<a href="${site.link().replaceAll("&", "&amp;")}">Connect</a>`;
    response.end(`<!doctype html><title>Client</title>${body}`);
  });
  const redirect = at ?? `http://127.0.0.1:${port}/callback`;
  const metadata = { client_name: name, redirect_uris: [redirect], token_endpoint_auth_method: "none" };
  const answer = await post(`${issuer}/oauth/register`, JSON.stringify(metadata), "application/json");
  const { client_id } = await answer.json();
  const verifier = randomBytes(32).toString("base64url");
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  const site = {
    told,
    redirect,
    home: `http://client.test:${port}/`,
    welcome: `http://client.test:${port}/welcome`,
    link(more = {}) {
      const link = new URL(`${issuer}/oauth/authorize`);
      link.search = new URLSearchParams({
        client_id, redirect_uri: redirect, response_type: "code", scope, state: "s 1/&", resource: `${issuer}/mcp`,
        code_challenge: challenge, code_challenge_method: "S256", ...more,
      });
      return link.href;
    },
    async exchange(code) {
      const form = { grant_type: "authorization_code", code, client_id, redirect_uri: redirect, code_verifier: verifier };
      return (await post(`${issuer}/oauth/token`, new URLSearchParams(form))).json();
    },
  };
  return site;
}

const post = (address, body, type = "application/x-www-form-urlencoded") =>
  fetch(address, { method: "POST", body, headers: { "content-type": type } });

/** What somebody hears who cannot see: the nodes of the browser's own accessibility tree, as "role name". */
export async function heard(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  const roles = ["main", "heading", "textbox", "button", "alert", "listitem", "link"];
  return nodes
    .filter((node) => !node.ignored && roles.includes(node.role?.value))
    .map((node) => {
      const marks = (node.properties ?? []).filter((it) => ["required", "focused", "level"].includes(it.name) && it.value.value);
      return [node.role.value, node.name?.value, ...marks.map((it) => (it.name === "level" ? `level ${it.value.value}` : it.name))]
        .filter(Boolean)
        .join(" ");
    });
}

/** Runs in a page: every text whose contrast is below 4.5, and every border of something to use below 3. */
export const tooFaint = (page) => page.evaluate(() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const read = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = (front, back) => front.slice(0, 3).map((part, at) => (part * front[3] + back[at] * (255 - front[3])) / 255);
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const color = read(getComputedStyle(element).backgroundColor);
    return color[3] === 255 ? color.slice(0, 3) : over(color, behind(element.parentElement));
  };
  const light = (color) => {
    const [red, green, blue] = color.map((part) => part / 255).map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const faint = [];
  const judge = (what, front, back, least) => {
    const found = contrast(over(front, back), back);
    if (found < least) faint.push(`${what}: ${found.toFixed(2)}`);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !element.checkVisibility()) continue;
    texts += 1;
    judge(text.slice(0, 40), read(getComputedStyle(element).color), behind(element), 4.5);
  }
  for (const input of document.querySelectorAll("input:not([type=hidden])")) {
    judge(`text of ${input.name}`, read(getComputedStyle(input).color), behind(input), 4.5);
    judge(`border of ${input.name}`, read(getComputedStyle(input).borderTopColor), behind(input.parentElement), 3);
  }
  for (const button of document.querySelectorAll("button")) {
    judge(`border of ${button.innerText}`, read(getComputedStyle(button).borderTopColor), behind(button.parentElement), 3);
  }
  return { texts, faint, page: light(behind(document.body)) };
});

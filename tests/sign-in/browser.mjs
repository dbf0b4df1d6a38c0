// People in a real Chromium before the pages of the authorization server: the whole way from a client and back, by
// mouse and by keyboard, what is heard and seen, and what pages of others can do to them.
// Prints a line a check and "N passed, N failed".
import assert from "node:assert/strict";

import { run } from "../report.mjs";
import { add, asked, browserOf, clientSite, close, heard, linkFor, stranger, tooFaint, version } from "./chromium.mjs";
import { ISSUER, PASSWORD, overTls, remembering, start, stop } from "./server.mjs";

await start();
add("ada", PASSWORD);
add("bob");
const client = await clientSite("Notes assistant");
const guardOf = (page) => page.locator("input[name=guard]").inputValue();
const requestOf = (page) => new URL(page.url()).searchParams.get("request");
const allow = (page) => page.getByRole("button", { name: "Allow", exact: true });
/** Presses Enter on the button that has the focus as soon as the page is drawn. */
const enter = async (page) => {
  await page.locator("button:focus").waitFor();
  await page.keyboard.press("Enter");
};
const heading = (page, name) => page.getByRole("heading", { level: 1, name }).waitFor().catch(async (fault) => {
  throw new Error(`${fault.message}${page.url()} says: ${await page.locator("body").innerText()}`);
});
const OVER = "This question is over";

/** A person who is signed in, before the question of a client. */
async function before(name = "bob", options = {}, site = client) {
  const page = await browserOf(name, options);
  await page.goto(site.link());
  await heading(page, /Let .* use these tools/);
  return page;
}

/** The one page that a stranger's page led to, and its status. */
async function sent(page, address, path) {
  const [response] = await Promise.all([page.waitForResponse((it) => it.url() === ISSUER + path), page.goto(address)]);
  return response;
}

const checks = {
  async "from a client's page over sign-in and consent and back, and on to a third site (T17)"() {
    const page = await browserOf();
    const faults = [];
    page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
    await page.goto(client.home);
    await page.getByRole("link", { name: "Connect" }).click();
    await heading(page, "Sign in");
    await page.getByLabel("Name").fill("Ada");
    await page.getByLabel("Password").fill("not the password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    assert.match(await page.getByRole("alert").innerText(), /do not fit/);
    assert.equal(await page.getByLabel("Name").inputValue(), "ada");
    assert.equal(await page.getByLabel("Password").inputValue(), "");
    assert.deepEqual(await page.context().cookies(), [], "nobody is signed in");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in" }).click();
    await heading(page, "Let Notes assistant use these tools?");
    const [cookie] = await page.context().cookies();
    assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, "Lax", "/"]);
    const shown = await page.locator("main").innerText();
    for (const words of ["ada", "unverified", "a program on this computer", "Read your notes", "Look at notes"]) {
      assert.ok(shown.includes(words), `${words} in ${shown}`);
    }
    assert.ok(!shown.includes("Put a note"), "what is not asked for is not shown");
    client.told.length = 0;
    await allow(page).click();
    await page.waitForURL(client.welcome);
    const [told] = client.told;
    assert.deepEqual([client.told.length, told.state, told.iss, told.error], [1, "s 1/&", ISSUER, undefined]);
    assert.equal((await client.exchange(told.code)).scope, "notes:read");
    assert.deepEqual(faults.filter((it) => !it.includes("403")), [], "the browser had nothing to refuse");
    // Another link of the same client asks again.
    await page.goto(client.home);
    await page.getByRole("link", { name: "Connect" }).click();
    await allow(page).waitFor();
  },
  async "what is denied is told to the client, and gives no code"() {
    const page = await before();
    client.told.length = 0;
    await page.getByRole("button", { name: "Do not allow" }).click();
    await page.waitForURL(client.welcome);
    const [told] = client.told;
    assert.deepEqual([told.error, told.state, told.iss, told.code], ["access_denied", "s 1/&", ISSUER, undefined]);
  },
  async "a link signs in once, and a look at it does not use it up"() {
    const link = linkFor("bob");
    const preview = await browserOf();
    await preview.goto(link);
    await heading(preview, "Sign in as bob");
    const page = await browserOf();
    await page.goto(link);
    await enter(page);
    await heading(page, "Signed in");
    await preview.getByRole("button", { name: "Sign in" }).click();
    await heading(preview, "This link is of no use any more");
    assert.deepEqual(await preview.context().cookies(), []);
    await page.goto(client.link());
    await allow(page).waitFor();
  },
  async "everything is done by keyboard alone, and it is seen where one is"() {
    const page = await browserOf();
    const at = () => page.evaluate(() => {
      const { name, value, tagName } = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      return { name: tagName === "BUTTON" ? value || "submit" : name, ring: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
    });
    const press = async (key) => {
      await page.keyboard.press(key);
      return at();
    };
    await page.goto(client.link());
    await page.locator("input:focus").waitFor();
    assert.deepEqual(await at(), { name: "name", ring: true }, "one begins where one writes");
    await page.keyboard.type("ada");
    assert.deepEqual(await press("Tab"), { name: "password", ring: true });
    await page.keyboard.type("wrong");
    assert.deepEqual(await press("Tab"), { name: "submit", ring: true });
    await page.keyboard.press("Space");
    await page.getByRole("alert").waitFor();
    await page.locator("input:focus").waitFor();
    assert.deepEqual(await at(), { name: "password", ring: true }, "and goes on where it was wrong");
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");
    await allow(page).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "BODY", "nothing is agreed to by a stray Enter");
    assert.deepEqual(await press("Tab"), { name: "allow", ring: true });
    assert.deepEqual(await press("Tab"), { name: "deny", ring: true });
    assert.deepEqual(await press("Shift+Tab"), { name: "allow", ring: true });
    await page.keyboard.press("Enter");
    await page.waitForURL(client.welcome);
  },
  async "what is heard: roles, names and what is wanted"() {
    const page = await browserOf();
    await page.goto(client.link());
    await heading(page, "Sign in");
    await page.locator("input:focus").waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
    assert.deepEqual(await heard(page), [
      "main", "heading Sign in level 1", "textbox Name focused required", "textbox Password required", "button Sign in",
    ]);
    await page.getByLabel("Name").fill("bob");
    await page.getByLabel("Password").fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").waitFor();
    assert.ok((await heard(page)).some((it) => it.startsWith("alert")), await heard(page));
    const question = await before("bob", {}, await clientSite("Writer", { scope: "notes:write" }));
    const told = await heard(question);
    const headings = told.filter((it) => it.startsWith("heading"));
    assert.deepEqual(headings, [
      "heading Let Writer use these tools? level 1", "heading It will be allowed level 2",
      "heading With these tools, of which 1 can change something level 2",
    ]);
    assert.deepEqual(told.filter((it) => it.startsWith("button")), ["button Allow", "button Do not allow"]);
    assert.ok(told.filter((it) => it.startsWith("listitem")).length >= 3, told);
  },
  async "light and dark, every text and every border can be seen"() {
    const odd = await clientSite("W".repeat(64));
    for (const [colorScheme, is] of [["light", (it) => it > 0.8], ["dark", (it) => it < 0.1]]) {
      const page = await browserOf(undefined, { colorScheme });
      const look = async (what) => {
        const { texts, faint, page: shade } = await tooFaint(page);
        assert.ok(texts >= 2, what);
        assert.deepEqual(faint, [], `${what}, ${colorScheme}`);
        assert.ok(is(shade), `${what}: ${shade} is ${colorScheme}`);
      };
      await page.goto(client.link());
      await look("sign-in");
      await page.getByLabel("Name").fill("bob");
      await page.getByLabel("Password").fill("wrong");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").waitFor();
      await look("a wrong password");
      await page.goto(linkFor("bob"));
      await look("a link");
      await enter(page);
      await heading(page, "Signed in");
      await look("signed in");
      await page.goto(odd.link({ scope: "notes:read notes:write" }));
      await look("consent");
      await page.goto(`${ISSUER}/oauth/authorize?client_id=nobody`);
      await look("an unknown client");
    }
  },
  async "on a narrow telephone nothing is cut off, and buttons are large enough for a thumb"() {
    const odd = await clientSite("W".repeat(64));
    for (const width of [320, 375]) {
      const page = await browserOf(undefined, { viewport: { width, height: 640 }, isMobile: true, hasTouch: true });
      const look = async (what) => {
        const { over, small } = await page.evaluate(() => ({
          over: document.documentElement.scrollWidth - innerWidth,
          small: [...document.querySelectorAll("button, input:not([type=hidden])")]
            .map((it) => it.getBoundingClientRect())
            .filter((it) => it.height < 44 || it.left < 0 || it.right > innerWidth).length,
        }));
        assert.deepEqual({ over: Math.max(over, 0), small }, { over: 0, small: 0 }, `${what} at ${width}`);
      };
      await page.goto(client.link());
      await look("sign-in");
      await page.goto(linkFor("bob"));
      await look("a link");
      await page.getByRole("button", { name: "Sign in" }).tap();
      await heading(page, "Signed in");
      await page.goto(odd.link({ scope: "notes:write" }));
      await allow(page).waitFor();
      await look("consent");
      await allow(page).tap();
      await page.waitForURL(odd.welcome);
    }
  },
  async "no page is shown in a frame of another page"() {
    const page = await before();
    const addresses = [client.link(), `${ISSUER}/oauth/sign-in`, page.url(), linkFor("bob")];
    const frames = addresses.map((it) => `<iframe src="${it.replaceAll("&", "&amp;")}"></iframe>`).join("");
    const { sameSite, otherSite } = await stranger({ "/": frames });
    for (const site of [sameSite, otherSite]) {
      await page.goto(site);
      const inner = page.frames().slice(1);
      assert.equal(inner.length, addresses.length);
      for (const frame of inner) {
        // The browser's own page stands there.
        await frame.waitForURL(/^chrome-error:/);
        assert.equal(await frame.locator("form").count(), 0);
      }
    }
  },
  async "what a stranger's page sends is refused, signs nobody in and agrees to nothing"() {
    const page = await before();
    const fields = { request: requestOf(page), guard: await guardOf(page), decision: "allow" };
    const link = new URL(linkFor("ada"));
    const form = (path, values) => {
      const inputs = Object.entries(values).map(([name, value]) => `<input name="${name}" value="${value}">`).join("");
      return `<form method="post" action="${ISSUER}${path}">${inputs}</form><script>document.forms[0].submit()</script>`;
    };
    const { sameSite, otherSite } = await stranger({
      // Whoever knew the guard could still not send it from elsewhere.
      "/consent": form("/oauth/consent", fields),
      "/sign-in": form("/oauth/sign-in", { name: "ada", password: PASSWORD }),
      "/link": form("/oauth/link", { token: link.searchParams.get("token") }),
    });
    client.told.length = 0;
    const cookies = await page.context().cookies();
    for (const site of [sameSite, otherSite]) {
      for (const path of ["/consent", "/sign-in", "/link"]) {
        const response = await sent(page, site + path, `/oauth${path}`);
        assert.equal(response.status(), 403, site + path);
        await page.waitForLoadState("load");
        assert.deepEqual(await page.context().cookies(), cookies, site + path);
      }
    }
    assert.deepEqual(client.told, [], "the client heard nothing");
    // The question and the link are still good for those whom they are for.
    await page.goto(`${ISSUER}/oauth/consent?request=${fields.request}`);
    await allow(page).click();
    await page.waitForURL(client.welcome);
    await page.goto(link.href);
    await page.getByRole("button", { name: "Sign in" }).click();
    await heading(page, "Signed in");
  },
  async "a stranger's program reads no page, with the person's cookie or without"() {
    const page = await before();
    const address = page.url();
    const { sameSite, otherSite } = await stranger({});
    for (const site of [sameSite, otherSite]) {
      await page.goto(site);
      const read = await page.evaluate(async (address) => {
        const attempt = (options) => fetch(address, options).then((it) => it.text(), (fault) => fault.name);
        return [await attempt({ credentials: "include" }), await attempt({}), await attempt({ mode: "no-cors", credentials: "include" })];
      }, address);
      assert.deepEqual(read, ["TypeError", "TypeError", ""], site);
    }
  },
  async "a double click is one answer, one that was lost is given again, and going back changes nothing"() {
    const page = await before();
    client.told.length = 0;
    const question = page.url();
    // The server answers, and the person never hears of it.
    const form = { request: requestOf(page), guard: await guardOf(page), decision: "allow" };
    const lost = await page.request.post(`${ISSUER}/oauth/consent`, { form, headers: { origin: ISSUER }, maxRedirects: 0 });
    assert.equal(lost.status(), 303);
    assert.deepEqual(client.told, []);
    await allow(page).dblclick();
    await page.waitForURL(client.welcome);
    const codes = new Set(client.told.map((it) => it.code).concat(new URL(lost.headers().location).searchParams.get("code")));
    assert.equal(codes.size, 1, "one answer, however often it was clicked");
    assert.equal((await client.exchange([...codes][0])).scope, "notes:read");
    client.told.length = 0;
    await page.goBack();
    if (await allow(page).isVisible()) await allow(page).click();
    await heading(page, OVER);
    await page.goto(question);
    await heading(page, OVER);
    assert.deepEqual(client.told, []);
  },
  async "a name that leads here by somebody else's doing shows nothing"() {
    const page = await browserOf();
    for (const path of ["/oauth/sign-in", "/mcp", "/.well-known/oauth-authorization-server"]) {
      const response = await page.goto(`http://rebound.test:${new URL(ISSUER).port}${path}`);
      assert.ok(response.status() >= 400, `${path}: ${response.status()}`);
      assert.equal(await page.locator("form").count(), 0);
    }
  },
  async "what is remembered is not asked of who comes by themselves, and is asked of who was sent by a page"() {
    const { url, command, stop } = await remembering();
    try {
      command("users", "add", "ada", "--password", { input: PASSWORD });
      const site = await clientSite("Remembered", { issuer: url });
      const page = await browserOf();
      const signIn = async () => {
        await page.getByLabel("Name").fill("ada");
        await page.getByLabel("Password").fill(PASSWORD);
        await page.keyboard.press("Enter");
      };
      await page.goto(site.link());
      await signIn();
      await allow(page).click();
      await page.waitForURL(site.welcome);
      await page.goto(site.link());
      await page.waitForURL(site.welcome);
      assert.equal(site.told.length, 2, "nobody was asked");
      for (const isSignedIn of [true, false]) {
        if (!isSignedIn) await page.context().clearCookies();
        await page.goto(site.home);
        await page.getByRole("link", { name: "Connect" }).click();
        if (!isSignedIn) await signIn();
        await allow(page).waitFor();
      }
      assert.equal(site.told.length, 2);
    } finally {
      await stop();
    }
  },
  async "over TLS the session belongs to this host alone, and nothing goes in the clear any more"() {
    const { url, command, stop } = await overTls();
    try {
      command("users", "add", "ada");
      const page = await browserOf(undefined, { ignoreHTTPSErrors: true });
      // Chromium keeps this to itself where nobody vouches for the certificate.
      const told = (await page.request.get(`${url}/oauth/sign-in`)).headers();
      assert.match(told["strict-transport-security"] ?? "none", /max-age=\d{7,}/);
      await page.goto(command("login-link", "--user", "ada").trim());
      await enter(page);
      await heading(page, "Signed in");
      const [cookie] = await page.context().cookies();
      const { name, secure, httpOnly, sameSite, path, domain } = cookie;
      assert.deepEqual([secure, httpOnly, sameSite, path, domain], [true, true, "Lax", "/", "localhost"]);
      assert.match(name, /^__Host-/, "no neighbour can set it");
      await page.goto(`${url}/oauth/sign-in`);
      await heading(page, "Signed in");
    } finally {
      await stop();
    }
  },
  async "no page fetched anything, from here or from anywhere"() {
    const own = asked.filter(([origin]) => origin === ISSUER);
    const pages = new Set(own.map(([, , address]) => new URL(address).pathname));
    for (const path of ["/oauth/sign-in", "/oauth/consent", "/oauth/link"]) assert.ok(pages.has(path), path);
    assert.deepEqual(own.filter(([, kind]) => !["document", "fetch"].includes(kind)), []);
    const others = new Set(asked.map(([origin]) => new URL(origin).hostname));
    assert.deepEqual([...others].sort(), ["127.0.0.1", "client.test", "localhost", "rebound.test", "stranger.test"]);
  },
};

console.log(`Chromium ${version}`);
let fine = false;
try {
  fine = await run(checks);
} finally {
  await close();
  await stop();
}
process.exit(fine ? 0 : 1);

// Takes the pictures of docs/guides/sign-in.md: `tests/sign-in/run path/to/mcp-bridge screenshots`.
// The last line counts the pictures as checks are counted; each has to be small, and to be there.
import assert from "node:assert/strict";
import { mkdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { run } from "../report.mjs";
import { add, browserOf, clientSite, close, linkFor } from "./chromium.mjs";
import { start, stop } from "./server.mjs";

const FOLDER = fileURLToPath(new URL("../../docs/images/", import.meta.url));
/** Bytes of a picture at most. */
const MOST = 60_000;
/** What stands where the server of a reader has its name. */
const PLACE = "mcp.example.com";

await start();
add("ada");
mkdirSync(FOLDER, { recursive: true });
const client = await clientSite("Poke", { scope: "notes:write", at: "https://poke.com/api/v1/mcp/callback" });

async function take(page, name) {
  const place = page.locator(".brand bdi");
  await place.evaluate((it, place) => (it.textContent = place), PLACE);
  await page.evaluate(() => document.activeElement.blur());
  const { width, height } = await page.locator("main").boundingBox();
  await page.setViewportSize({ width: Math.ceil(width) + 64, height: Math.ceil(height) + 64 });
  const path = `${FOLDER}${name}.png`;
  await page.screenshot({ path, animations: "disabled" });
  assert.ok(statSync(path).size <= MOST, `${name}: ${statSync(path).size} bytes`);
}

const pictures = {};
for (const colorScheme of ["light", "dark"]) {
  pictures[`sign-in, ${colorScheme}`] = async () => {
    const page = await browserOf(undefined, { colorScheme });
    await page.goto(client.link());
    await take(page, `sign-in-${colorScheme}`);
  };
  pictures[`consent, ${colorScheme}`] = async () => {
    const page = await browserOf(undefined, { colorScheme });
    await page.goto(linkFor("ada"));
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.goto(client.link());
    await page.getByRole("button", { name: "Do not allow" }).waitFor();
    await take(page, `consent-${colorScheme}`);
  };
}

let fine = false;
try {
  fine = await run(pictures);
} finally {
  await close();
  await stop();
}
process.exit(fine ? 0 : 1);

// The `authorization` command of the official conformance suite, which judges the authorization server inside: its
// metadata, and a code for a client that a person agrees to. Prints a line a check and "N passed, N failed".
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { run } from "../report.mjs";
import { ENDPOINT, ISSUER, PASSWORD, agree, command, freePort, start, stop } from "./server.mjs";

const { CONFORMANCE_SUITE, SIGN_IN_FOLDER } = process.env;

async function registered(redirect) {
  const metadata = { client_name: "Conformance suite", redirect_uris: [redirect], token_endpoint_auth_method: "none" };
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${ISSUER}/oauth/register`, { method: "POST", headers, body: JSON.stringify(metadata) });
  return (await answer.json()).client_id;
}

/** Runs the suite, and does what it asks people for: to open the address that it prints. */
async function judged() {
  const port = await freePort();
  const results = join(SIGN_IN_FOLDER, "results");
  const options = { "--url": ISSUER, "--client-id": await registered(`http://127.0.0.1:${port}/callback`), "--resource": ENDPOINT, "--port": port, "--output-dir": results };
  const child = spawn(process.execPath, [CONFORMANCE_SUITE, "authorization", ...Object.entries(options).flat()]);
  const ended = once(child, "close");
  let text = "";
  const link = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (part) => {
        text += part;
        const found = text.match(/^(http\S+\/oauth\/authorize\?\S+)\s/m);
        if (found) resolve(found[1]);
      });
    }
  });
  const opened = await Promise.race([link, ended.then(() => undefined)]);
  if (opened) await fetch(await agree(opened));
  await ended;
  const checks = readdirSync(results).flatMap((name) => JSON.parse(readFileSync(join(results, name, "checks.json"), "utf8")));
  return { checks, text };
}

await start();
command("users", "add", "ada", "--password", { input: PASSWORD });
let fine = false;
try {
  const { checks, text } = await judged();
  const report = {
    "the suite judged the metadata and a code": () => {
      const ids = checks.map(({ id }) => id).sort();
      const known = ["authorization-code-grant", "authorization-server-metadata", "authorization-server-metadata-cimd"];
      assert.deepEqual(ids, known, text);
    },
  };
  for (const { id, status, errorMessage } of checks) {
    report[`conformance suite: ${id}`] = () => assert.equal(status, "SUCCESS", errorMessage);
  }
  fine = await run(report);
} finally {
  await stop();
}
process.exit(fine ? 0 : 1);

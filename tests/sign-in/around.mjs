// Runs a program of checks beside a fresh server: `node around.mjs PROGRAM ARGUMENT…`. What the program needs to know
// of the server, its person and its clients is in the environment; its last line and its exit code are passed on.
import { spawn } from "node:child_process";
import { once } from "node:events";

import { ENDPOINT, ISSUER, PASSWORD, command, made, start, stop } from "./server.mjs";

const CALLBACK = "http://127.0.0.1:9/callback";
const [program, ...words] = process.argv.slice(2);

await start();
command("users", "add", "ada", "--password", { input: PASSWORD });
const job = made("--grant", "client-credentials", "--scope", "notes:write", "--introspect");
const given = made("--grant", "code", "--redirect", CALLBACK);
const env = {
  ...process.env,
  OAUTH_ISSUER: ISSUER,
  OAUTH_ENDPOINT: ENDPOINT,
  OAUTH_CALLBACK: CALLBACK,
  OAUTH_PASSWORD: PASSWORD,
  OAUTH_SCOPES: "notes:read notes:write",
  OAUTH_MORE: "more",
  OAUTH_METHODS: "client_secret_basic client_secret_post",
  OAUTH_JOB: `${job.client_id} ${job.client_secret}`,
  OAUTH_GIVEN: `${given.client_id} ${given.client_secret}`,
};
const child = spawn(program, words, { env, stdio: "inherit" });
const [status] = await once(child, "close");
await stop();
process.exit(status ?? 1);

// An identity provider (npm oidc-provider) at which people sign in, on a free loopback port. Its address goes to the
// file named by the only argument. It keeps mail addresses and groups out of its ID tokens, as the specification has it.
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";

import Provider from "oidc-provider";

const front = createServer();
front.listen(0, "127.0.0.1");
await once(front, "listening");
const issuer = `http://127.0.0.1:${front.address().port}`;
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "mcp-bridge",
      client_secret: process.env.IDP_SECRET,
      redirect_uris: [`${process.env.IDP_SIGN_IN}/oauth/callback`],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["org"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: id !== "eve", org: "acme" }),
  }),
  features: { devInteractions: { enabled: true } },
});
front.on("request", provider.callback());
writeFileSync(process.argv[2], `${issuer}\n`);

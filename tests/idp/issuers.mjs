// Two issuers whose tokens mcp-bridge accepts, of different code bases: npm oidc-provider, where clients register
// themselves and people sign in, and npm oauth2-mock-server, whose tokens the checks spoil. Their addresses, and that
// of what steers the second one, go to the file named by the only argument, one a line.
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";

import { OAuth2Server } from "oauth2-mock-server";
import Provider from "oidc-provider";

async function listen(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${server.address().port}`;
}

const front = createServer();
const issuer = await listen(front);
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "job",
      client_secret: process.env.IDP_SECRET,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  scopes: ["openid", "offline_access", "items.read", "items.write"],
  pkce: { required: () => true },
  claims: { openid: ["sub"] },
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  issueRefreshToken: () => true,
  // A client may ask for more than it named when it registered: people decide.
  extraClientMetadata: {
    properties: ["any_scope"],
    validator(_, __, ___, metadata) {
      delete metadata.scope;
    },
  },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    registration: { enabled: true },
    // RFC 8707: a token for the resource that the client names, as MCP wants it.
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({
        scope: "items.read items.write",
        audience: resource,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
});
front.on("request", provider.callback());

const mock = new OAuth2Server();
await mock.issuer.keys.generate("RS256");
await mock.start(0, "127.0.0.1");
mock.issuer.url = `http://127.0.0.1:${mock.address().port}`;
let spoilt = {};
mock.service.on("beforeTokenSigning", (token) => {
  Object.assign(token.payload, spoilt.payload);
  Object.assign(token.header, spoilt.header);
  for (const name of spoilt.without ?? []) delete token.payload[name];
});
const steering = createServer(async (request, response) => {
  if (request.url === "/rotate") {
    await mock.issuer.keys.generate("RS256");
    response.end(mock.issuer.keys.toJSON().at(-1).kid);
    return;
  }
  let body = "";
  for await (const part of request) body += part;
  spoilt = JSON.parse(body);
  response.end();
});
writeFileSync(process.argv[2], `${issuer}\n${mock.issuer.url}\n${await listen(steering)}\n`);

// An identity provider (npm oidc-provider) and an API that asks it about every token, each on a free loopback port.
// The two addresses go to the file named by the only argument, one a line.
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";

import Provider, { errors } from "oidc-provider";

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const TOKEN = "urn:ietf:params:oauth:token-type:access_token";
const client = (client_id, method, grant_types) => ({
  client_id,
  client_secret: process.env.IDP_SECRET,
  grant_types,
  redirect_uris: [],
  response_types: [],
  scope: "items.read items.write",
  token_endpoint_auth_method: method,
});

async function listen(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${server.address().port}`;
}

const front = createServer();
const issuer = await listen(front);
const provider = new Provider(issuer, {
  clients: [
    client("bridge: one", "client_secret_basic", ["client_credentials"]),
    client("bridge-post", "client_secret_post", ["client_credentials"]),
    client("exchange", "client_secret_basic", [EXCHANGE]),
    client("ada", "client_secret_basic", ["client_credentials"]),
    client("bo", "client_secret_basic", ["client_credentials"]),
  ],
  scopes: ["items.read", "items.write"],
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  ttl: { ClientCredentials: 60, AccessToken: 60 },
});
let granted = 0;
provider.on("grant.success", () => (granted += 1));

// RFC 8693: the token of a caller, which the provider itself has issued, for one that is meant for the API.
provider.registerGrantType(
  EXCHANGE,
  async (context) => {
    const { params, client: by } = context.oidc;
    if (params.subject_token_type !== TOKEN) throw new errors.InvalidRequest("an access token is wanted");
    if (params.audience !== "items") throw new errors.InvalidRequest("a token is given for the items only");
    const subject = await provider.ClientCredentials.find(params.subject_token);
    if (!subject) throw new errors.InvalidGrant("the subject token is not known");
    const token = new provider.AccessToken({
      accountId: subject.clientId,
      client: by,
      gty: "token_exchange",
      scope: params.scope,
    });
    const access_token = await token.save();
    context.body = { access_token, issued_token_type: TOKEN, token_type: "Bearer", expires_in: token.expiration };
  },
  ["subject_token", "subject_token_type", "audience", "scope"],
);
front.on("request", provider.callback());

const refused = new Set();
let last = "";
const api = createServer(async (request, response) => {
  const answer = (status, body, headers = {}) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
  // What the checks steer: how many tokens were granted, and that the last one is of no use any more.
  if (request.url === "/granted") return answer(200, { granted });
  if (request.url === "/refuse") return answer(200, { refused: refused.add(last).size });
  const token = (request.headers.authorization ?? "").replace(/^Bearer /, "");
  const own = token && (await provider.ClientCredentials.find(token));
  const exchanged = token && !own && (await provider.AccessToken.find(token));
  const known = own || exchanged;
  if (!known || refused.has(token)) {
    return answer(401, { message: "no such token" }, { "www-authenticate": 'Bearer error="invalid_token"' });
  }
  last = token;
  if (request.url === "/write" && !known.scope?.includes("items.write")) {
    const challenge = 'Bearer error="insufficient_scope", scope="items.write"';
    return answer(403, { message: "too little" }, { "www-authenticate": challenge });
  }
  const who = exchanged ? exchanged.accountId : own.clientId;
  return answer(200, { who, by: known.clientId, scope: known.scope });
});
writeFileSync(process.argv[2], `${issuer}\n${await listen(api)}\n`);

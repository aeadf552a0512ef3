// A real OpenID provider on 127.0.0.1, for one test: its port is the only argument.
// POST /test/rotate makes it sign with a new key, GET /test/counts says how often its keys were fetched.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const audience = "figway";
const keys = [];
let fetched = 0;
let answer;

async function rotate() {
  const { privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey("jwk", privateKey);
  keys.unshift({ kty, crv, x, y, d, kid: randomUUID(), use: "sig", alg: "ES256" });
  answer = provider().callback();
}

function provider() {
  const made = new Provider(issuer, {
    clients: [
      {
        client_id: "agent",
        client_secret: "agent-secret",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: "ES256",
      },
      {
        client_id: "figway",
        client_secret: "figway-secret",
        grant_types: [],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: "ES256",
      },
    ],
    cookies: { keys: ["a-test-has-no-cookies"] },
    jwks: { keys: [...keys] },
    extraTokenClaims: () => ({ roles: ["reader"] }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === "figway" },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => "urn:figway:jwt",
        getResourceServerInfo: (_, resource) => ({
          scope: "figway:read",
          audience: resource === "urn:figway:other" ? "other" : audience,
          accessTokenTTL: 600,
          accessTokenFormat: resource === "urn:figway:opaque" ? "opaque" : "jwt",
          jwt: { sign: { alg: "ES256", kid: keys[0].kid } },
        }),
      },
    },
  });
  made.on("server_error", (_, error) => console.error(error));
  return made;
}

await rotate();
createServer(async (request, response) => {
  if (request.url === "/test/rotate") {
    await rotate();
    response.end("{}");
  } else if (request.url === "/test/counts") {
    response.end(JSON.stringify({ fetched }));
  } else {
    fetched += request.url === "/jwks" ? 1 : 0;
    answer(request, response);
  }
}).listen(port, "127.0.0.1", () => console.log("listening"));

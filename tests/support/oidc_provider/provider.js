// A certified provider of OpenID Connect that lets anybody in: node provider.js PORT REDIRECT_URI
import Provider from "oidc-provider";

const [port, redirectUri, secret] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "app",
      client_secret: secret,
      redirect_uris: [redirectUri],
      post_logout_redirect_uris: [],
    },
  ],
  cookies: { keys: ["only for tests"] },
  claims: { openid: ["sub"], email: ["email"] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.org` }),
  }),
  pkce: { methods: ["S256"], required: () => true },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));

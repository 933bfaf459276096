// A real authorization server on loopback for the integration tests: the npm
// package oidc-provider, a certified implementation of OpenID Connect that has
// nothing in common with this library.
//
//   npm ci                                     # once, in this folder
//   node server.mjs '{"port": 9000, ...}'      # runs until it is killed
//   node server.mjs <<< '{...}'                # see "Life"
//
// CONFIGURATION is one JSON object, all members optional:
//
//   port        0 (the default) takes a free one
//   algs        ["RS256", "ES256", "EdDSA"]: one signing key is made for each;
//               the first one signs what names none
//   keys        private JWKs to use instead, each with kid and alg; to come back
//               on the same port with the same keys after a restart
//   clients     client metadata as in OpenID Connect Dynamic Client Registration:
//               client_id, client_secret, grant_types, redirect_uris, ...
//   resources   {indicator: {audience, scope, alg, accessTokenTTL}}: the APIs. An
//               indicator is an absolute URI, which a client sends as `resource`
//               (RFC 8707); audience is what aud becomes (the indicator, if left
//               out), scope the scopes it knows, alg what signs its tokens (JWTs
//               of type at+jwt), accessTokenTTL their life in seconds
//   defaultResource   the indicator for requests that name none. The access token
//               is then for that API, and the userinfo endpoint refuses it
//   ttl         {AuthorizationCode, IdToken, RefreshToken, Session, ...} in seconds
//   rotateRefreshToken   true (the default): each use gives a new one, and a
//               second use of the old one revokes the whole grant, at once
//   accounts    {id: {name, email, ...}}: claims by account
//   account     who signs in, if the request has no login_hint; "alice"
//
// OUTPUT is one line of JSON once it listens, {"issuer", "port", "kids"}; what
// goes wrong is on stderr.
//
// LIFE: with the configuration as argument it lives until it is killed. Without,
// it reads the configuration from the first line of stdin and lives until stdin
// ends, so that no server is left behind by a test that was killed.
//
// SIGNING IN needs nobody: every sign-in and every consent is granted at once, by
// a redirect, and the page that asks before signing out presses its own button.
// A client without a browser follows redirects with a cookie jar. As OpenID
// Connect Core, Section 11 has it, offline_access needs prompt=consent.
//
// PKCE with S256 is demanded from every client. Introspection (RFC 7662),
// revocation (RFC 7009), userinfo, sign-out by the client and back-channel logout
// are on. A client with backchannel_logout_uri and
// backchannel_logout_session_required gets sid in its identity, access and logout
// tokens.
//
// CONTROL, for tests, on the same port:
//
//   POST /control/rotate        new keys; the old ones are gone
//   POST /control/rotate?keep   new keys sign; the old ones stay published
//
// answer {"kids": [...]}. Sessions, grants and tokens survive a rotation.
//
// HOW OTHER TESTS USE IT
//
// The web client: a client with grant_types ["authorization_code",
// "refresh_token"], its redirect URI, a defaultResource with a short
// accessTokenTTL, and the scopes "openid profile offline_access api1" with
// prompt=consent. Back-channel logout: the same with backchannel_logout_uri
// pointing at the API; ending the session at end_session_endpoint, with the
// cookies of the sign-in, makes this server post the logout token. Node.js on
// loopback is all that is needed; from Go, see Start in this folder.

import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { Provider, errors } from 'oidc-provider';

const config = JSON.parse(process.argv[2] ?? await firstLine(process.stdin));
const algs = config.algs ?? ['RS256', 'ES256', 'EdDSA'];
const resources = config.resources ?? {};
let keys = config.keys ?? algs.map(newKey);

const server = createServer((req, res) => answer(req, res));
server.listen(config.port ?? 0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();
const issuer = `http://127.0.0.1:${port}`;

const store = new Map();
let provider = newProvider();
let serve = provider.callback();
console.log(JSON.stringify({ issuer, port, kids: kids() }));

// firstLine reads one line of the stream and has the process end with it.
async function firstLine(stream) {
  const lines = createInterface({ input: stream });
  lines.on('close', () => setImmediate(() => process.exit(0)));
  const [line] = await once(lines, 'line');
  return line;
}

function newKey(alg) {
  const options = {
    R: ['rsa', { modulusLength: 2048 }],
    P: ['rsa', { modulusLength: 2048 }],
    ES256: ['ec', { namedCurve: 'P-256' }],
    ES384: ['ec', { namedCurve: 'P-384' }],
    ES512: ['ec', { namedCurve: 'P-521' }],
    Ed: ['ed25519'],
  };
  const [type, parameters] = options[alg] ?? options[alg.slice(0, 2)] ?? options[alg[0]];
  const { privateKey } = generateKeyPairSync(type, parameters);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${randomUUID()}` };
}

function kids() {
  return keys.map((key) => key.kid);
}

async function answer(req, res) {
  const url = new URL(req.url, issuer);
  try {
    if (req.method === 'POST' && url.pathname === '/control/rotate') {
      const fresh = [...new Set(keys.map((key) => key.alg))].map(newKey);
      keys = url.searchParams.has('keep') ? [...fresh, ...keys] : fresh;
      provider = newProvider();
      serve = provider.callback();
      res.setHeader('Content-Type', 'application/json');
      res.end(JSON.stringify({ kids: kids() }));
    } else if (url.pathname.startsWith('/interaction/')) {
      await accept(req, res);
    } else {
      await serve(req, res);
    }
  } catch (err) {
    console.error(err);
    if (!res.headersSent) res.statusCode = 500;
    res.end();
  }
}

// accept grants whatever sign-in or consent is being asked for.
async function accept(req, res) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(req, res);
  if (prompt.name === 'login') {
    const accountId = params.login_hint ?? config.account ?? 'alice';
    await provider.interactionFinished(req, res, { login: { accountId } }, { mergeWithLastSubmission: false });
    return;
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  for (const [indicator, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(indicator, scopes.join(' '));
  }
  await provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

function newProvider() {
  const created = new Provider(issuer, {
    adapter: MemoryAdapter,
    jwks: { keys },
    cookies: { keys: ['only a test'] },
    clients: config.clients ?? [],
    clientDefaults: { id_token_signed_response_alg: keys[0].alg },
    scopes: ['openid', 'offline_access'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    ttl: {
      AccessToken: (ctx, token) => token.resourceServer?.accessTokenTTL ?? 60,
      ClientCredentials: (ctx, token) => token.resourceServer?.accessTokenTTL ?? 60,
      AuthorizationCode: 60,
      IdToken: 300,
      RefreshToken: 3600,
      Interaction: 300,
      Session: 3600,
      Grant: 3600,
      ...config.ttl,
    },
    rotateRefreshToken: config.rotateRefreshToken ?? true,
    pkce: { required: () => true },
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: id, preferred_username: id, ...config.accounts?.[id] }),
    }),
    // The API's session check needs the session in the access token.
    extraTokenClaims: (ctx, token) => (token.sid ? { sid: token.sid } : undefined),
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    // Plain fetch: the server's own would refuse to call loopback addresses,
    // where every test's back-channel logout URI is.
    fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: (ctx, client, token) => token.clientId === client.clientId },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource(ctx, form) {
          ctx.body = `<!DOCTYPE html><title>Sign out</title>${form}`
            + '<button form="op.logoutForm" name="logout" value="yes">Sign out</button>'
            + '<script>document.querySelector("button").click()</script>';
        },
        postLogoutSuccessSource(ctx) {
          ctx.body = '<!DOCTYPE html><title>Signed out</title><p>Signed out</p>';
        },
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx, client, oneOf) => oneOf ?? config.defaultResource,
        useGrantedResource: () => config.defaultResource !== undefined,
        getResourceServerInfo(ctx, indicator) {
          const resource = resources[indicator];
          if (!resource) throw new errors.InvalidTarget();
          const alg = resource.alg ?? keys[0].alg;
          return {
            scope: resource.scope ?? '',
            audience: resource.audience ?? indicator,
            accessTokenTTL: resource.accessTokenTTL ?? 60,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg, kid: keys.find((key) => key.alg === alg)?.kid } },
          };
        },
      },
    },
  });
  created.on('server_error', (ctx, err) => console.error(err));
  created.on('backchannel.error', (ctx, err, client) => console.error('back-channel logout of', client.clientId, err));
  return created;
}

// MemoryAdapter keeps what the server remembers, outside of any one provider, so
// that a rotation loses nothing. The names and duties of its methods are those
// that oidc-provider asks of an adapter.
function MemoryAdapter(model) {
  const name = (id) => `${model}:${id}`;
  const find = (matches) => {
    for (const [key, { value, until }] of store) {
      if (until < Date.now()) store.delete(key);
      else if (key.startsWith(name('')) && matches(value)) return value;
    }
    return undefined;
  };
  return {
    async upsert(id, value, seconds) {
      store.set(name(id), { value, until: seconds ? Date.now() + seconds * 1000 : Infinity });
    },
    async find(id) {
      const found = store.get(name(id));
      return found && found.until >= Date.now() ? found.value : undefined;
    },
    findByUid: async (uid) => find((value) => value.uid === uid),
    findByUserCode: async (code) => find((value) => value.userCode === code),
    async consume(id) {
      store.get(name(id)).value.consumed = Math.floor(Date.now() / 1000);
    },
    async destroy(id) {
      store.delete(name(id));
    },
    async revokeByGrantId(grantId) {
      for (const [key, { value }] of store) {
        if (key.startsWith(name('')) && value.grantId === grantId) store.delete(key);
      }
    },
  };
}

// Signs in at an issuer with the npm package openid-client and does whatever a
// web client does. It prints an access token and exits 0, or says what went wrong
// and exits 1.
//
//   node client.mjs ISSUER ALG CLIENT_ID CLIENT_SECRET AUDIENCE

import assert from 'node:assert/strict';
import * as oidc from 'openid-client';

const [issuer, alg, id, secret, audience] = process.argv.slice(2);
const redirectURI = 'http://127.0.0.1:9/callback'; // never called

const config = await oidc.discovery(
  new URL(issuer),
  id,
  { client_secret: secret, id_token_signed_response_alg: alg },
  oidc.ClientSecretBasic(secret),
  { execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks] },
);

// The authorization code flow with PKCE, state and nonce.
const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
const expectedState = oidc.randomState();
const expectedNonce = oidc.randomNonce();
const address = oidc.buildAuthorizationUrl(config, {
  redirect_uri: redirectURI,
  scope: 'openid profile email offline_access',
  resource: audience,
  code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  nonce: expectedNonce,
});
const callback = await visit(address);
const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
const tokens = await oidc.authorizationCodeGrant(config, callback, checks);
const { sub } = tokens.claims();
assert.ok(sub);
assert.ok(tokens.refresh_token);
assert.ok(tokens.expiresIn() > 0);

await refused('invalid_grant', oidc.authorizationCodeGrant(config, callback, checks));

// That was a code used twice, which takes the tokens it gave with it (RFC 6749,
// Section 4.1.2): sign in once more.
const again = await oidc.authorizationCodeGrant(config, await visit(address), checks);

const info = await oidc.fetchUserInfo(config, again.access_token, sub);
assert.ok(info.name && info.email, 'userinfo has no name or email');

const active = await oidc.tokenIntrospection(config, again.access_token);
assert.equal(active.active, true);
assert.equal(active.sub, sub);

const renewed = await oidc.refreshTokenGrant(config, again.refresh_token);
assert.notEqual(renewed.access_token, again.access_token);
assert.notEqual(renewed.refresh_token, again.refresh_token);
assert.equal(renewed.claims().sub, sub);

await oidc.tokenRevocation(config, renewed.refresh_token);
await refused('invalid_grant', oidc.refreshTokenGrant(config, renewed.refresh_token));

const service = await oidc.clientCredentialsGrant(config, { resource: audience });
assert.equal(service.refresh_token, undefined);

const goodbye = oidc.buildEndSessionUrl(config, { id_token_hint: renewed.id_token });
assert.ok(goodbye.href.startsWith(issuer));

process.stdout.write(service.access_token);

// visit follows redirects as a browser does, up to the client.
async function visit(url) {
  const cookies = new Map();
  for (let hops = 0; hops < 10; hops++) {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    assert.ok(location, `got ${response.status} without a redirect: ${await response.text()}`);
    url = new URL(location, url);
    if (url.href.startsWith(redirectURI)) return url;
  }
  throw new Error('too many redirects');
}

// refused holds that a promise fails with an error code of OAuth.
async function refused(code, promise) {
  await assert.rejects(promise, (err) => err.error === code);
}

// A real issuer for the tests: oidc-provider, certified by the OpenID Foundation, with client credentials.
// Prints its URL. POST /rotate puts a new key before the ones that there are, as redeploying it with one would;
// GET /asked says how often its keys were asked for.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const keys = [];
let handle;
let asked = 0;

function addKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  keys.unshift({ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: `key-${keys.length}` });
}

function deploy(issuer) {
  const server = {
    audience: 'okd',
    scope: 'okd:alldocuments okd:examdocuments okd:bpvdocuments',
    accessTokenFormat: 'jwt',
    accessTokenTTL: 600,
    jwt: { sign: { alg: 'RS256' } },
  };
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: [{
      client_id: 'sis', client_secret: 'a-secret-of-the-test', grant_types: ['client_credentials'],
      redirect_uris: [], response_types: [],
    }],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true, defaultResource: () => 'urn:okd', getResourceServerInfo: () => server,
      },
    },
  });
  handle = provider.callback();
}

const server = createServer((request, response) => {
  if (request.url === '/rotate') {
    addKey();
    deploy(`http://${request.headers.host}`);
    response.end('rotated');
  } else if (request.url === '/asked') {
    response.end(String(asked));
  } else {
    if (request.url === '/jwks') asked += 1;
    handle(request, response);
  }
});
server.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  addKey();
  deploy(url);
  console.log(url);
});

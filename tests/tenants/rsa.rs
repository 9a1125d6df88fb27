//! RSA keys and what is signed with them, as most real issuers do it.

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{self, KeyPair as _, RsaEncoding},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde_json::{Value, json};

/// A key of 2,048 bits.
pub(crate) struct Rsa {
    pair: KeyPair,
    pub(crate) kid: String,
}

impl Rsa {
    pub(crate) fn new(kid: &str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        Self { pair, kid: kid.to_owned() }
    }

    /// Its public half, as Entra ID publishes it: without `alg`.
    pub(crate) fn jwk(&self) -> Value {
        // RSAPublicKey: a sequence of the modulus (with a zero in front, as it is positive) and the exponent.
        let der = self.pair.public_key().as_ref().to_vec();
        assert_eq!(der[4..9], [2, 0x82, 1, 1, 0]);
        let n = BASE64URL.encode(&der[9..9 + 256]);
        json!({ "kty": "RSA", "use": "sig", "kid": self.kid, "n": n, "e": "AQAB" })
    }

    /// The same as Java's `BigInteger.toByteArray` has it: each number with a zero in front.
    pub(crate) fn javas_jwk(&self) -> Value {
        let mut jwk = self.jwk();
        for name in ["n", "e"] {
            let number = BASE64URL.decode(jwk[name].as_str().unwrap()).unwrap();
            jwk[name] = json!(BASE64URL.encode([&[0][..], &number].concat()));
        }
        jwk
    }

    pub(crate) fn public_der(&self) -> Vec<u8> {
        self.pair.public_key().as_der().unwrap().as_ref().to_vec()
    }

    /// A token whose header says RS256 and has a `typ` and this key's `kid`.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": self.kid });
        self.sign(&header, claims, &signature::RSA_PKCS1_SHA256)
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value, encoding: &'static dyn RsaEncoding) -> String {
        let text = unsigned(header, claims);
        let mut made = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(encoding, &SystemRandom::new(), text.as_bytes(), &mut made).unwrap();
        format!("{text}.{}", BASE64URL.encode(made))
    }
}

/// What is signed of a token.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A token with an HMAC, by whatever is taken for its key.
pub(crate) fn hs256(kid: &str, claims: &Value, key: &[u8]) -> String {
    let text = unsigned(&json!({ "typ": "JWT", "alg": "HS256", "kid": kid }), claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    format!("{text}.{}", BASE64URL.encode(tag.as_ref()))
}

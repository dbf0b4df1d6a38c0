//! A key of an issuer of tokens, with which tests sign what they like.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key of an issuer.
pub(crate) struct Key {
    name: &'static str,
    pair: EcdsaKeyPair,
}

impl Key {
    pub(crate) fn new(name: &'static str) -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).expect("a key");
        Self { name, pair: EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).expect("a key") }
    }

    /// As the issuer publishes it.
    pub(crate) fn public(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let half = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        json!({ "kty": "EC", "crv": "P-256", "kid": self.name, "use": "sig", "alg": "ES256", "x": half(&point[1..33]), "y": half(&point[33..65]) })
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes()).expect("a signature");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// A token of a type.
    pub(crate) fn token(&self, kind: &str, claims: &Value) -> String {
        self.sign(&json!({ "alg": "ES256", "kid": self.name, "typ": kind }), claims)
    }
}

/// The same document with another value of a member, or without it.
pub(crate) fn with(document: &Value, name: &str, value: Value) -> Value {
    let mut document = document.clone();
    let members = document.as_object_mut().expect("an object");
    match value {
        Value::Null => members.remove(name),
        value => members.insert(name.into(), value),
    };
    document
}

use jsonwebtoken::{EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

use super::*;

struct Issuer {
    key: EncodingKey,
    jwk: Value,
}

impl Issuer {
    fn new(id: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("key");
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).expect("jwk"))
                .expect("json");
        jwk["kid"] = id.into();
        Self { key, jwk }
    }

    fn token(&self, id: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = id.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.key).expect("token")
    }
}

fn expected() -> Expected {
    Expected {
        issuer: "https://issuer.example".to_owned(),
        audience: "weir".to_owned(),
        leeway_seconds: 30,
    }
}

fn verifier(issuers: &[&Issuer]) -> Verifier {
    let keys: Vec<&Value> = issuers.iter().map(|issuer| &issuer.jwk).collect();
    Verifier::new(&json!({ "keys": keys }).to_string(), &expected()).expect("key set")
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
}

fn good() -> Value {
    json!({"iss": "https://issuer.example", "aud": ["other", "weir"], "sub": "acme", "exp": now() + 600})
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = good();
    claims[key] = value;
    claims
}

#[test]
fn a_token_of_the_issuer_names_its_subject() {
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let verifier = verifier(&[&old, &new]);
    for token in [
        old.token(Some("old"), &good()),
        new.token(Some("new"), &good()),
        new.token(None, &good()),
        new.token(Some("new"), &with("aud", "weir".into())),
        new.token(Some("new"), &with("exp", (now() - 20).into())),
        new.token(Some("new"), &with("nbf", (now() + 20).into())),
    ] {
        let verified = verifier.verify(token.as_bytes()).expect("valid");
        assert_eq!(verified.subject, "acme");
    }
}

#[test]
fn what_is_wrong_is_refused_and_named() {
    let (known, stranger) = (Issuer::new("k"), Issuer::new("k"));
    let verifier = verifier(&[&known]);
    let without = |key: &str| {
        let mut claims = good();
        claims.as_object_mut().expect("object").remove(key);
        claims
    };
    for (token, reason) in [
        (stranger.token(Some("k"), &good()), "the signature is wrong"),
        (
            known.token(Some("other"), &good()),
            "signed with a key that is not in the key set",
        ),
        (
            known.token(Some("k"), &with("exp", (now() - 31).into())),
            "expired",
        ),
        (
            known.token(Some("k"), &with("nbf", (now() + 40).into())),
            "not valid yet",
        ),
        (
            known.token(Some("k"), &with("iss", "https://else".into())),
            "another issuer",
        ),
        (
            known.token(Some("k"), &with("aud", "else".into())),
            "another audience",
        ),
        (
            known.token(Some("k"), &without("aud")),
            "a claim is missing",
        ),
        (
            known.token(Some("k"), &without("iss")),
            "a claim is missing",
        ),
        (
            known.token(Some("k"), &without("exp")),
            "not a JSON Web Token",
        ),
        (
            known.token(Some("k"), &without("sub")),
            "not a JSON Web Token",
        ),
        ("a.b.c".to_owned(), "not a JSON Web Token"),
        ("x".repeat(20_000), "longer than"),
    ] {
        let told = verifier.verify(token.as_bytes()).expect_err(reason);
        assert!(told.starts_with(reason), "{told} is not {reason}");
    }
}

#[test]
fn the_algorithm_is_the_keys_and_never_the_tokens() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let issuer = Issuer::new("k");
    let verifier = verifier(&[&issuer]);
    // An attacker signs with the public key as a shared secret.
    let public = issuer.jwk["x"].as_str().expect("x");
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("k".to_owned());
    let forged = jsonwebtoken::encode(
        &header,
        &good(),
        &EncodingKey::from_secret(public.as_bytes()).expect("secret"),
    )
    .expect("token");
    assert_eq!(
        verifier.verify(forged.as_bytes()),
        Err("the algorithm is not that of the key")
    );
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k"}"#);
    let claims = URL_SAFE_NO_PAD.encode(good().to_string());
    assert!(
        verifier
            .verify(format!("{none}.{claims}.").as_bytes())
            .is_err()
    );
}

#[test]
fn a_wrong_key_set_is_named_with_its_remedy() {
    let issuer = Issuer::new("k");
    let mut misfit = issuer.jwk.clone();
    misfit["alg"] = "RS256".into();
    let secret = json!({"kty": "oct", "k": "c2VjcmV0LXNlY3JldA", "kid": "s"});
    for (text, part) in [
        ("".to_owned(), "not a JSON Web Key Set (line 1, column 0)"),
        ("[]".to_owned(), "not a JSON Web Key Set"),
        (json!({"keys": []}).to_string(), "no key that signs"),
        (
            json!({"keys": [secret]}).to_string(),
            "key 's': a symmetric key",
        ),
        (
            json!({"keys": [misfit]}).to_string(),
            "alg does not fit the key's type",
        ),
    ] {
        let told = Verifier::new(&text, &expected()).expect_err(part);
        assert!(told.contains(part), "{told}");
        assert!(!told.contains("c2VjcmV0"), "{told}");
    }
}

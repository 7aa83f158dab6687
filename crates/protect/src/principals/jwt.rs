//! JSON Web Tokens, verified with the public keys of a JSON Web Key Set (RFC 7519, RFC 7517).

use std::time::{Duration, SystemTime};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

/// Longest token that is verified, in bytes: the most that a head may hold.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// Keys of a set that are tried for a token that names none.
const MAX_KEYS: usize = 64;

/// What tokens must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The claim `iss`.
    pub issuer: String,
    /// The claim `aud`, or one of its members.
    pub audience: String,
    /// How many seconds the clocks of issuer and service may differ.
    pub leeway_seconds: u64,
}

/// A token that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The claim `sub`.
    pub subject: String,
    /// The claim `exp`.
    pub expires: SystemTime,
}

/// Verifies tokens.
#[derive(Debug)]
pub struct Verifier(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    key: DecodingKey,
    /// Names the algorithms of this key; a token of any other is refused.
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

impl Verifier {
    /// Of the key set `text` (JSON).
    ///
    /// # Errors
    /// What is wrong with it, and what would be right; nothing of the keys is repeated.
    pub fn new(text: &str, expected: &Expected) -> Result<Self, String> {
        let set: JwkSet = serde_json::from_str(text).map_err(|error| {
            format!(
                "not a JSON Web Key Set (line {}, column {}): expected {{\"keys\": [...]}}",
                error.line(),
                error.column()
            )
        })?;
        if set.keys.len() > MAX_KEYS {
            return Err(format!(
                "{} keys: leave out old ones, at most {MAX_KEYS} are taken",
                set.keys.len()
            ));
        }
        let mut keys = Vec::new();
        for (index, jwk) in set.keys.iter().enumerate() {
            let encrypts = matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption));
            if encrypts {
                continue;
            }
            let place = match &jwk.common.key_id {
                Some(id) => format!("key '{id}'"),
                None => format!("key {}", index + 1),
            };
            let algorithms = algorithms(jwk).map_err(|reason| format!("{place}: {reason}"))?;
            // RFC 7517, section 5: keys of a type that is not understood are ignored.
            let Some(algorithms) = algorithms else {
                continue;
            };
            let key = DecodingKey::from_jwk(jwk)
                .map_err(|_| format!("{place}: its numbers are not base64url without padding"))?;
            keys.push(Key {
                id: jwk.common.key_id.clone(),
                key,
                validation: validation(algorithms, expected),
            });
        }
        if keys.is_empty() {
            return Err("no key that signs: add the issuer's public keys".to_owned());
        }
        Ok(Self(keys))
    }

    /// The token's subject, where its signature, issuer, audience and times are right.
    ///
    /// # Errors
    /// What is wrong; nothing of the token is repeated.
    pub fn verify(&self, token: &[u8]) -> Result<Verified, &'static str> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err("longer than 16 KiB");
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| "not a JSON Web Token")?;
        let mut reason = "signed with a key that is not in the key set";
        for key in &self.0 {
            let named = header.kid.as_ref().zip(key.id.as_ref());
            if named.is_some_and(|(asked, id)| asked != id) {
                continue;
            }
            if !key.validation.algorithms.contains(&header.alg) {
                reason = "the algorithm is not that of the key";
                continue;
            }
            match jsonwebtoken::decode::<Claims>(token, &key.key, &key.validation) {
                Ok(token) => {
                    let expires = Duration::from_secs(token.claims.exp);
                    return Ok(Verified {
                        subject: token.claims.sub,
                        expires: SystemTime::UNIX_EPOCH
                            .checked_add(expires)
                            .ok_or("exp is too far away")?,
                    });
                }
                Err(error) => reason = why(&error),
            }
        }
        Err(reason)
    }
}

fn why(error: &jsonwebtoken::errors::Error) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => "the signature is wrong",
        ErrorKind::ExpiredSignature => "expired",
        ErrorKind::ImmatureSignature => "not valid yet",
        ErrorKind::InvalidIssuer => "another issuer",
        ErrorKind::InvalidAudience => "another audience",
        ErrorKind::MissingRequiredClaim(_) => {
            "a claim is missing: exp, iss, aud and sub are needed"
        }
        _ => "not a JSON Web Token of the expected form",
    }
}

fn validation(algorithms: Vec<Algorithm>, expected: &Expected) -> Validation {
    let mut validation = Validation {
        algorithms,
        leeway: expected.leeway_seconds,
        validate_exp: true,
        validate_nbf: true,
        ..Validation::default()
    };
    validation.set_issuer(&[&expected.issuer]);
    validation.set_audience(&[&expected.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
}

/// The algorithms that a key may sign with: the one that it names, else those of its type. Never a symmetric one: with it, who
/// can check tokens could make them. `None`: a type of key that is not supported.
fn algorithms(jwk: &Jwk) -> Result<Option<Vec<Algorithm>>, String> {
    let of_type = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        AlgorithmParameters::EllipticCurve(parameters) => match parameters.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            _ => return Ok(None),
        },
        AlgorithmParameters::OctetKeyPair(_) => vec![Algorithm::EdDSA],
        AlgorithmParameters::OctetKey(_) => {
            return Err(
                "a symmetric key: use the issuer's public keys (RSA, EC or OKP)".to_owned(),
            );
        }
        _ => return Ok(None),
    };
    let Some(named) = jwk.common.key_algorithm else {
        return Ok(Some(of_type));
    };
    let named = Algorithm::try_from(named)
        .ok()
        .filter(|named| of_type.contains(named));
    let named = named.ok_or("alg does not fit the key's type: leave it out, or correct it")?;
    Ok(Some(vec![named]))
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;

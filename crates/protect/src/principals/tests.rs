use std::path::Path;

use super::super::directory::Directory;
use super::*;
use crate::rights::Verb;

fn write(path: &Path, text: &str) {
    // As editors and operators do: a new file takes the name.
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).expect("written");
    std::fs::rename(&beside, path).expect("renamed");
}

fn principal(name: &str, token: &str, rest: &str) -> String {
    let hash = tokens::TokenHash::of(token.as_bytes()).to_hex();
    format!("[[principal]]\nname = \"{name}\"\ntoken_sha256 = [\"{hash}\"]\n{rest}\n")
}

fn bearer(directory: &Directory, token: &str) -> Result<Identified, Refusal> {
    directory.identify(Credentials {
        authorization: Some(format!("Bearer {token}").as_bytes()),
        certificate: &[],
    })
}

fn certificate(directory: &Directory, names: &[&str]) -> Result<Identified, Refusal> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    directory.identify(Credentials {
        authorization: None,
        certificate: &names,
    })
}

#[test]
fn callers_are_known_by_token_or_certificate() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("principals.toml");
    let text = principal(
        "acme",
        "one",
        "certificate = [\"acme.example\"]\nrights = [\"metrics:read\"]",
    ) + &principal("globex", "two", "");
    write(&path, &text);
    let directory = Directory::open(&path).expect("valid");
    let acme = bearer(&directory, "one").expect("known").principal;
    assert_eq!(acme.name(), "acme");
    assert!(acme.rights().allow(Verb::MetricsRead, ""));
    assert_eq!(
        bearer(&directory, "two").expect("known").principal.name(),
        "globex"
    );
    let by_certificate = certificate(&directory, &["other", "acme.example"]).expect("known");
    assert_eq!(by_certificate.principal.name(), "acme");
    assert_eq!(
        bearer(&directory, "three").err(),
        Some(Refusal::BadCredentials)
    );
    assert_eq!(
        certificate(&directory, &["other"]).err(),
        Some(Refusal::BadCredentials)
    );
    assert_eq!(
        certificate(&directory, &[]).err(),
        Some(Refusal::NoCredentials)
    );
    // A wrong token is not mended by a good certificate.
    let both = directory.identify(Credentials {
        authorization: Some(b"Bearer three"),
        certificate: &["acme.example".to_owned()],
    });
    assert_eq!(both.err(), Some(Refusal::BadCredentials));
}

#[test]
fn a_changed_file_is_in_force_at_the_next_look() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("principals.toml");
    let acme = principal("acme", "one", "limits = { events_per_second = 5 }");
    write(&path, &(acme.clone() + &principal("globex", "two", "")));
    let directory = Directory::open(&path).expect("valid");
    let before = bearer(&directory, "one").expect("known").principal;
    let gone = bearer(&directory, "two").expect("known").principal;
    before
        .budget()
        .expect("limited")
        .take_events(5)
        .expect("full");

    write(&path, &acme);
    directory.refresh();
    assert!(
        gone.revoked().is_cancelled(),
        "a deleted principal's streams end"
    );
    assert_eq!(
        bearer(&directory, "two").err(),
        Some(Refusal::BadCredentials)
    );
    let same = bearer(&directory, "one").expect("known").principal;
    assert!(Arc::ptr_eq(&before, &same), "nothing of it has changed");

    write(
        &path,
        &principal(
            "acme",
            "new",
            "limits = { events_per_second = 5 }\nrights = [\"ingest:write\"]",
        ),
    );
    directory.refresh();
    assert!(before.revoked().is_cancelled());
    assert_eq!(
        bearer(&directory, "one").err(),
        Some(Refusal::BadCredentials)
    );
    let changed = bearer(&directory, "new").expect("known").principal;
    let budget = changed.budget().expect("limited");
    assert!(
        budget.take_events(5).is_err(),
        "what was used up stays used up"
    );
}

#[test]
fn a_wrong_file_keeps_the_one_before() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("principals.toml");
    let good = principal("acme", "one", "");
    write(&path, &good);
    let directory = Directory::open(&path).expect("valid");
    for wrong in ["", "nonsense", "[[principal]]\nname = \"\"\n"] {
        write(&path, wrong);
        directory.refresh();
        assert!(bearer(&directory, "one").is_ok(), "{wrong}");
    }
    std::fs::remove_file(&path).expect("removed");
    directory.refresh();
    assert!(bearer(&directory, "one").is_ok());
    write(&path, &principal("acme", "two", ""));
    directory.refresh();
    assert!(
        bearer(&directory, "two").is_ok(),
        "mended, it is in force again"
    );
}

#[test]
fn a_key_set_that_appears_later_is_found() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("principals.toml");
    let jwt = "[jwt]\nkeys = \"jwks.json\"\nissuer = \"i\"\naudience = \"a\"\n";
    write(&path, &(principal("acme", "one", "") + jwt));
    let error = Directory::open(&path).expect_err("no key set");
    let told = error.to_string();
    assert!(
        told.contains("PRINCIPALS_FILE jwt.keys") && told.contains("jwks.json: no such file"),
        "{told}"
    );

    write(&path, &principal("acme", "one", ""));
    let directory = Directory::open(&path).expect("valid");
    write(&path, &(principal("acme", "two", "") + jwt));
    directory.refresh();
    assert!(bearer(&directory, "two").is_err());
    let key = rcgen::KeyPair::generate().expect("key");
    let key = jsonwebtoken::EncodingKey::from_ec_der(&key.serialize_der());
    let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, jsonwebtoken::Algorithm::ES256);
    let set = serde_json::json!({"keys": [jwk.expect("jwk")]});
    write(&folder.path().join("jwks.json"), &set.to_string());
    directory.refresh();
    assert!(bearer(&directory, "two").is_ok());
    // A verified token names its principal by `sub`; it is none of the file's tokens.
    let claims =
        serde_json::json!({"iss": "i", "aud": "a", "sub": "acme", "exp": 4_000_000_000_u64});
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    let token = jsonwebtoken::encode(&header, &claims, &key).expect("token");
    let identified = bearer(&directory, &token).expect("known");
    assert_eq!(identified.principal.name(), "acme");
    assert!(identified.expires.is_some());
    let stranger =
        serde_json::json!({"iss": "i", "aud": "a", "sub": "nobody", "exp": 4_000_000_000_u64});
    let token = jsonwebtoken::encode(&header, &stranger, &key).expect("token");
    assert_eq!(
        bearer(&directory, &token).err(),
        Some(Refusal::BadCredentials)
    );
}

//! The keys of tokens: HS256, Ed25519, their rotation, and `GET /.well-known/jwks.json`.

use jwt_simple::algorithms::{Ed25519PublicKey, EdDSAPublicKeyLike as _};
use jwt_simple::claims::NoCustomClaims;
use serde_json::{Value, json};

use crate::support::{SECRET, TestApp, claims, header, mint};

const KEY_SET: &str = "/.well-known/jwks.json";
const PRIVATE: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
const NEXT_PRIVATE: &str = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7";
/// The variables of a server that signs with [`PRIVATE`].
const EDDSA: [(&str, &str); 2] = [("token_algorithm", "EdDSA"), ("token_private_key", PRIVATE)];

fn key_set(app: &TestApp) -> Vec<Value> {
    let reply = app.get(KEY_SET).send().expect_status(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    reply.json()["keys"].as_array().expect("keys").clone()
}

#[test]
fn the_key_set_is_public_and_may_be_cached() {
    let app = TestApp::with(&EDDSA);
    let reply = app.get(KEY_SET).header("origin", "http://localhost:3000").send().expect_status(200);
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(reply.header("access-control-allow-origin"), Some("http://localhost:3000"));
    let keys = key_set(&app);
    let x = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw";
    let kid = keys[0]["kid"].clone();
    let key = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": x});
    assert_eq!(keys, [key], "and no private part");
    assert_eq!(key_set(&TestApp::start()), [] as [Value; 0], "the key of HS256 is secret");
}

#[test]
fn another_service_can_verify_tokens_with_the_key_set() {
    let app = TestApp::with(&EDDSA);
    let (account, tokens) = app.logged_in("user@example.com");
    let keys = key_set(&app);
    assert_eq!(header(&tokens.access), json!({"alg": "EdDSA", "typ": "JWT", "kid": keys[0]["kid"]}));
    let key = Ed25519PublicKey::from_jwk(&keys[0].to_string()).expect("a key");
    for token in [&tokens.access, &tokens.refresh] {
        let verified = key.verify_token::<NoCustomClaims>(token, None).expect("a valid token");
        assert_eq!(verified.subject, Some(account.id.to_string()));
    }
    app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
    app.refresh(&tokens.refresh);
}

#[test]
fn the_published_key_cannot_sign() {
    let app = TestApp::with(&EDDSA);
    let (_, tokens) = app.logged_in("user@example.com");
    let key = &key_set(&app)[0];
    let secrets = [SECRET.to_owned(), key["x"].as_str().expect("a text").to_owned(), key.to_string()];
    for secret in &secrets {
        for alg in ["HS256", "EdDSA", "none"] {
            let header = json!({"alg": alg, "typ": "JWT", "kid": key["kid"]});
            let forged = mint(secret, &header, claims(&tokens.access));
            app.get("/users/me").bearer(&forged).send().expect_detail(401, "Could not validate credentials");
            app.try_refresh(&mint(secret, &header, claims(&tokens.refresh))).expect_detail(401, "Invalid token");
        }
    }
}

#[test]
fn a_rotated_key_is_still_published_and_accepted() {
    let app = TestApp::with(&EDDSA);
    let (_, tokens) = app.logged_in("user@example.com");
    let former = key_set(&app);
    let app = app.restart_with(&[("token_private_key", NEXT_PRIVATE), ("token_private_key_previous", PRIVATE)]);
    let keys = key_set(&app);
    assert_eq!((keys.len(), &keys[1]), (2, &former[0]));
    app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
    let next = app.refresh(&tokens.refresh);
    assert_eq!(header(&next.access)["kid"], keys[0]["kid"]);
    let app = app.restart_with(&[("token_private_key_previous", "")]);
    app.get("/users/me").bearer(&tokens.access).send().expect_detail(401, "Could not validate credentials");
    app.refresh(&next.refresh);
}

#[test]
fn sessions_survive_a_change_of_the_algorithm_with_the_previous_key() {
    let app = TestApp::start();
    let (_, tokens) = app.logged_in("user@example.com");
    let app = app.restart_with(&EDDSA).restart_with(&[("secret_key_previous", SECRET)]);
    app.get("/users/me").bearer(&tokens.access).send().expect_status(200);
    let changed = app.refresh(&tokens.refresh);
    assert_eq!(header(&changed.refresh)["alg"], "EdDSA");
    // And back.
    let back = [("token_algorithm", "HS256"), ("token_private_key", ""), ("token_private_key_previous", PRIVATE)];
    let app = app.restart_with(&back).restart_with(&[("secret_key_previous", "")]);
    app.get("/users/me").bearer(&changed.access).send().expect_status(200);
    assert_eq!(header(&app.refresh(&changed.refresh).access), json!({"alg": "HS256", "typ": "JWT"}));
}

#[test]
fn without_the_previous_key_tokens_of_the_other_algorithm_are_refused() {
    let app = TestApp::start();
    let (account, hs256) = app.logged_in("user@example.com");
    let app = app.restart_with(&EDDSA);
    app.get("/users/me").bearer(&hs256.access).send().expect_detail(401, "Could not validate credentials");
    app.try_refresh(&hs256.refresh).expect_detail(401, "Invalid token");
    let eddsa = app.login(&account);
    let app = app.restart_with(&[("token_algorithm", "HS256"), ("token_private_key", "")]);
    app.get("/users/me").bearer(&eddsa.access).send().expect_detail(401, "Could not validate credentials");
    app.try_refresh(&eddsa.refresh).expect_detail(401, "Invalid token");
    app.refresh(&hs256.refresh);
}

#[test]
fn tokens_of_another_issuer_or_audience_are_refused() {
    let scope = [("token_issuer", "https://auth.example.org"), ("token_audience", "https://app.example.org")];
    for variables in [&scope[..], &[scope, EDDSA].concat()] {
        let app = TestApp::with(variables);
        let (account, tokens) = app.logged_in("user@example.com");
        for token in [&tokens.access, &tokens.refresh] {
            let claims = claims(token);
            assert_eq!((&claims["iss"], &claims["aud"]), (&json!(scope[0].1), &json!(scope[1].1)));
        }
        let next = app.refresh(&tokens.refresh);
        app.get("/users/me").bearer(&next.access).send().expect_status(200);
        // The same key, but other names.
        for changed in scope.map(|(name, _)| [(name, "https://other.example.org")]) {
            let foreign = TestApp::with(variables).restart_with(&changed);
            let (_, foreign) = foreign.logged_in("user@example.com");
            app.get("/users/me").bearer(&foreign.access).send().expect_detail(401, "Could not validate credentials");
            app.try_refresh(&foreign.refresh).expect_detail(401, "Invalid token");
        }
        // Tokens without these claims, from before they were configured.
        let app = app.restart_with(&scope.map(|(name, _)| (name, "")));
        let former = app.login(&account);
        let app = app.restart_with(variables);
        app.get("/users/me").bearer(&former.access).send().expect_detail(401, "Could not validate credentials");
        app.refresh(&next.refresh);
    }
}

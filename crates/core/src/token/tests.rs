use std::time::Duration;

use jwt_simple::algorithms::{Ed25519KeyPair, EdDSAKeyPairLike as _};
use serde_json::json;

use super::*;

const SECRET: &[u8] = b"a key of at least thirty-two bytes";
/// The private key, in both forms, and the public key of RFC 8032, section 7.1, test 2.
const PRIVATE: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw";

/// Signs with `current` and accepts `previous`, without issuer and audience.
fn keys_of(current: Key, previous: Vec<Key>) -> Keys {
    Keys::new(SECRET, current, previous, Scope::default())
}

fn keys() -> Keys {
    keys_of(Key::hs256(SECRET), Vec::new())
}

fn ed25519(text: &str) -> Key {
    Key::ed25519(text).unwrap_or_else(|error| panic!("the key {error}"))
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_800_000_000).expect("a time")
}

fn in_a_minute() -> Timestamp {
    now().after(Duration::from_secs(60))
}

const JTI: &str = "5c1d9e0e-9a32-4c5f-8a57-0d6f1b0f3a11";

fn refresh(keys: &Keys) -> String {
    keys.refresh(7, JTI, now(), in_a_minute()).expect("a token")
}

/// A token with exactly this header and these claims, whose signature is HS256 with `secret`.
fn mint_with(secret: &[u8], header: &Value, claims: &Value) -> String {
    let (header, payload) = (URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let tag = HS256Key::from_bytes(secret).authentication_tag(format!("{header}.{payload}").as_bytes());
    format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// A token with exactly these claims, signed by `keys()`.
fn mint(claims: &Value) -> String {
    mint_with(SECRET, &json!({"alg": "HS256", "typ": "JWT"}), claims)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("Base64")).expect("JSON")
}

fn payload(token: &str) -> Value {
    part(token, 1)
}

#[test]
fn tokens_carry_the_documented_claims_and_no_others() {
    let (iat, exp) = (1_800_000_000, 1_800_000_060);
    let token = keys().access(7, "a@example.org", JTI, now(), in_a_minute()).expect("a token");
    assert_eq!(
        payload(&token),
        json!({"sub": "7", "email": "a@example.org", "iat": iat, "exp": exp, "type": "access", "jti": JTI})
    );
    let token = refresh(&keys());
    assert_eq!(payload(&token), json!({"sub": "7", "iat": iat, "exp": exp, "type": "refresh", "jti": JTI}));
}

#[test]
fn a_token_is_valid_until_its_last_second() {
    let token = refresh(&keys());
    let verify = |seconds| keys().verify(&token, TokenType::Refresh, now().after(Duration::from_secs(seconds)));
    assert_eq!(verify(60), Ok(Claims { user_id: 7, jti: JTI.to_owned() }));
    assert_eq!(verify(61), Err(TokenError::Invalid));
}

#[test]
fn the_previous_key_verifies_and_never_signs() {
    let rotated = keys_of(Key::hs256(b"another key of thirty-two bytes!!"), vec![Key::hs256(SECRET)]);
    let (old, new) = (refresh(&keys()), refresh(&rotated));
    assert!(rotated.verify(&old, TokenType::Refresh, now()).is_ok());
    assert!(rotated.verify(&new, TokenType::Refresh, now()).is_ok());
    assert_eq!(keys().verify(&new, TokenType::Refresh, now()), Err(TokenError::Invalid));
}

#[test]
fn claims_are_checked_in_the_documented_order() {
    let exp = now().unix() + 60;
    for (claims, fault) in [
        (json!({"sub": "7", "jti": "j", "type": "refresh"}), TokenError::Invalid),
        (json!({"sub": "7", "jti": "j", "type": "refresh", "exp": null}), TokenError::Invalid),
        (json!({"sub": "7", "jti": "j", "type": "refresh", "exp": "soon"}), TokenError::Invalid),
        (json!({"sub": "7", "jti": "j", "type": "refresh", "exp": exp, "nbf": exp}), TokenError::Invalid),
        (json!({"sub": "7", "jti": "j", "type": "refresh", "exp": exp, "aud": "x"}), TokenError::Invalid),
        (json!({"sub": 7, "jti": "j", "type": "refresh", "exp": exp}), TokenError::Invalid),
        (json!({"sub": "7", "jti": 5, "type": "refresh", "exp": exp}), TokenError::Invalid),
        (json!({"sub": "7", "jti": "j", "exp": exp}), TokenError::WrongType),
        (json!({"exp": exp, "type": "access"}), TokenError::WrongType),
        (json!({"jti": "j", "type": "refresh", "exp": exp}), TokenError::Malformed),
        (json!({"sub": "7", "jti": "", "type": "refresh", "exp": exp}), TokenError::Malformed),
        (json!({"sub": "7", "type": "refresh", "exp": exp}), TokenError::Malformed),
    ] {
        assert_eq!(keys().verify(&mint(&claims), TokenType::Refresh, now()), Err(fault), "{claims}");
    }
}

#[test]
fn a_future_iat_is_accepted() {
    let claims = |nbf: i64| {
        let (iat, exp) = (now().unix() + 5, now().unix() + 60);
        json!({"sub": "7", "jti": "j", "type": "refresh", "iat": iat, "nbf": nbf, "exp": exp})
    };
    let verify = |nbf| keys().verify(&mint(&claims(nbf)), TokenType::Refresh, now());
    assert!(verify(now().unix()).is_ok());
    assert_eq!(verify(now().unix() + 1), Err(TokenError::Invalid));
}

#[test]
fn only_canonical_ids_are_accepted() {
    let exp = now().unix() + 60;
    for sub in [" 7", "7 ", "+7", "07", "７", "7.0", "", "99999999999999999999"] {
        let token = mint(&json!({"sub": sub, "jti": "j", "type": "refresh", "exp": exp}));
        assert_eq!(keys().verify(&token, TokenType::Refresh, now()), Err(TokenError::Malformed), "{sub:?}");
    }
}

#[test]
fn other_algorithms_headers_and_spellings_are_refused() {
    let token = refresh(&keys());
    let [_, claims, tag] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    for header in [r#"{"alg":"none","typ":"JWT"}"#, r#"{"alg":"HS512"}"#, r#"{"alg":"HS256","crit":["x"]}"#] {
        let forged = format!("{}.{claims}.{tag}", URL_SAFE_NO_PAD.encode(header));
        assert_eq!(keys().verify(&forged, TokenType::Refresh, now()), Err(TokenError::Invalid), "{header}");
    }
    for forged in ["", "..", "a.b.c", &token[1..], &format!("{token}="), &format!("{token}.x"), &format!(" {token}")] {
        assert_eq!(keys().verify(forged, TokenType::Refresh, now()), Err(TokenError::Invalid), "{forged}");
    }
}

#[test]
fn a_private_key_is_accepted_in_hex_and_in_pem() {
    let body = "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7";
    let pem = PEM;
    assert!(pem.contains(body));
    let public = PublicKey { id: thumbprint(PUBLIC), x: PUBLIC.to_owned() };
    for text in [PRIVATE, &PRIVATE.to_uppercase(), pem, &pem.replace('\n', "\\n"), &pem.replace('\n', " "), body] {
        assert_eq!(ed25519(text).public().as_ref(), Some(&public), "{text}");
    }
    let rsa = "MIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4wggE6AgEAAkEA";
    for text in
        ["", "secret", &PRIVATE[2..], &format!("{PRIVATE}00"), &format!("+{}", &PRIVATE[1..]), &body[4..], PUBLIC, rsa]
    {
        assert_eq!(Key::ed25519(text).err(), Some(InvalidKey::Malformed), "{text}");
    }
    for text in ["9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", &"00".repeat(32), &"ab".repeat(32)]
    {
        assert_eq!(Key::ed25519(text).err(), Some(InvalidKey::Guessable), "{text}");
    }
}

/// The thumbprint of an Ed25519 key (RFC 7638, section 3; RFC 8037, appendix A.3).
fn thumbprint(x: &str) -> String {
    use sha2::Digest as _;
    URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

#[test]
fn an_ed25519_token_names_its_key() {
    let keys = keys_of(ed25519(PRIVATE), Vec::new());
    let token = refresh(&keys);
    assert_eq!(part(&token, 0), json!({"alg": "EdDSA", "typ": "JWT", "kid": thumbprint(PUBLIC)}));
    assert_eq!(keys.verify(&token, TokenType::Refresh, now()), Ok(Claims { user_id: 7, jti: JTI.to_owned() }));
    let again = JWTClaims {
        issued_at: None,
        expires_at: None,
        invalid_before: None,
        issuer: None,
        subject: None,
        audiences: None,
        jwt_id: None,
        nonce: None,
        custom: payload(&token),
    };
    let unordered = |token: &str| (part(token, 0), payload(token));
    let (first, second) = (ed25519(PRIVATE).sign(again.clone()), ed25519(PRIVATE).sign(again));
    let (first, second) = (first.expect("a token"), second.expect("a token"));
    assert_eq!((&first, unordered(&first)), (&second, unordered(&token)), "signatures are deterministic");
}

#[test]
fn a_token_must_name_the_key_that_signed_it() {
    let keys = keys_of(ed25519(PRIVATE), Vec::new());
    let named = |kid: Option<&str>| {
        let pair = Ed25519KeyPair::from_pem(PEM).expect("a key");
        let pair = kid.map_or(pair.clone(), |kid| pair.with_key_id(kid));
        let custom = json!({"type": "refresh"});
        let hour = jwt_simple::prelude::Duration::from_hours(1);
        let claims = jwt_simple::claims::Claims::with_custom_claims(custom, hour).with_subject("7").with_jwt_id("j");
        let claims = JWTClaims { expires_at: Some(numeric_date(in_a_minute())), ..claims };
        keys.verify(&pair.sign(claims).expect("a token"), TokenType::Refresh, now())
    };
    assert_eq!(named(Some(&thumbprint(PUBLIC))), Ok(Claims { user_id: 7, jti: "j".to_owned() }));
    for kid in [None, Some(""), Some("another"), Some(PUBLIC)] {
        assert_eq!(named(kid), Err(TokenError::Invalid), "{kid:?}");
    }
}

#[test]
fn no_key_verifies_another_algorithm() {
    let claims = json!({"sub": "7", "jti": "j", "type": "refresh", "exp": now().unix() + 60});
    let (keys, hs256_keys) = (keys_of(ed25519(PRIVATE), Vec::new()), keys());
    let token = refresh(&keys);
    let [header, body, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let kid = thumbprint(PUBLIC);
    let public = URL_SAFE_NO_PAD.decode(PUBLIC).expect("Base64");
    // The public key as the secret of a MAC, in each form in which somebody may hold it.
    for secret in [SECRET, PUBLIC.as_bytes(), &public, PRIVATE.as_bytes()] {
        for alg in ["HS256", "EdDSA", "Ed25519", "none"] {
            let forged = mint_with(secret, &json!({"alg": alg, "typ": "JWT", "kid": kid}), &claims);
            assert_eq!(keys.verify(&forged, TokenType::Refresh, now()), Err(TokenError::Invalid), "{alg}");
        }
    }
    for header in [
        json!({"alg": "HS256", "kid": kid}),
        json!({"alg": "none", "kid": kid}),
        json!({"alg": "EdDSA"}),
        json!({"alg": "EdDSA", "kid": "another"}),
        json!({"alg": "EdDSA", "kid": kid, "jwk": {"kty": "OKP", "crv": "Ed25519", "x": PUBLIC}}),
        json!({"alg": "EdDSA", "kid": kid, "crit": ["exp"]}),
    ] {
        let forged = format!("{}.{body}.{signature}", URL_SAFE_NO_PAD.encode(header.to_string()));
        assert_eq!(keys.verify(&forged, TokenType::Refresh, now()), Err(TokenError::Invalid), "{header}");
    }
    let forged = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    assert_eq!(keys.verify(&forged, TokenType::Refresh, now()), Err(TokenError::Invalid));
    assert_eq!(hs256_keys.verify(&token, TokenType::Refresh, now()), Err(TokenError::Invalid));
}

#[test]
fn a_previous_key_of_another_algorithm_verifies_and_never_signs() {
    let (hs256, eddsa) = (|| Key::hs256(SECRET), || ed25519(PRIVATE));
    for (current, previous, other, alg) in [(eddsa(), hs256(), hs256(), "EdDSA"), (hs256(), eddsa(), eddsa(), "HS256")]
    {
        let (old, changed) = (refresh(&keys_of(other, Vec::new())), keys_of(current, vec![previous]));
        let new = refresh(&changed);
        assert_eq!(part(&new, 0)["alg"], alg);
        assert!(changed.verify(&old, TokenType::Refresh, now()).is_ok());
        assert!(changed.verify(&new, TokenType::Refresh, now()).is_ok());
        assert_eq!(changed.public().count(), 1);
    }
}

#[test]
fn issuer_and_audience_are_written_and_required() {
    let name = |name: &str| Some(name.to_owned());
    let scoped = |issuer: Option<&str>, audience: Option<&str>| {
        let scope = Scope { issuer: issuer.map(str::to_owned), audience: audience.map(str::to_owned) };
        Keys::new(SECRET, Key::hs256(SECRET), Vec::new(), scope)
    };
    let (both, issuer_only, audience_only) =
        (scoped(Some("i"), Some("a")), scoped(Some("i"), None), scoped(None, Some("a")));
    assert_eq!(both.scope.issuer, name("i"));
    let token = refresh(&both);
    assert_eq!((&payload(&token)["iss"], &payload(&token)["aud"]), (&json!("i"), &json!("a")));
    let exp = now().unix() + 60;
    for (iss, aud, accepted_by) in [
        (json!("i"), json!("a"), [true, false, true, false]),
        (json!("i"), json!(["b", "a"]), [true, false, true, false]),
        (json!("i"), Value::Null, [false, true, false, true]),
        (json!("x"), json!("a"), [false, false, true, false]),
        (json!("i"), json!("b"), [false; 4]),
        (json!("i"), json!([]), [false; 4]),
        (json!("i"), json!(["A"]), [false; 4]),
        (json!("I"), json!("a"), [false, false, true, false]),
        (json!("i/"), Value::Null, [false, false, false, true]),
        (Value::Null, Value::Null, [false, false, false, true]),
        (Value::Null, json!("a"), [false, false, true, false]),
        (json!(["i"]), json!("a"), [false; 4]),
    ] {
        let mut claims = json!({"sub": "7", "jti": "j", "type": "refresh", "exp": exp, "iss": iss, "aud": aud});
        claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        let token = mint(&claims);
        let verified = [&both, &issuer_only, &audience_only, &keys()]
            .map(|keys| keys.verify(&token, TokenType::Refresh, now()).is_ok());
        assert_eq!(verified, accepted_by, "{claims}");
    }
}

use std::time::Duration;

use serde_json::json;

use super::*;

fn keys() -> Keys {
    Keys::new(b"a key of at least thirty-two bytes", None)
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

/// A token with exactly these claims, signed by `keys()`.
fn mint(claims: &Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    let tag = keys().current.authentication_tag(format!("{header}.{payload}").as_bytes());
    format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn payload(token: &str) -> Value {
    let middle = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle).expect("Base64")).expect("JSON")
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
    let rotated = Keys::new(b"another key of thirty-two bytes!!", Some(b"a key of at least thirty-two bytes"));
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

use super::keys::PLACEHOLDERS;
use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const PRIVATE: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
/// The private key of the example in RFC 8037.
const RFC8037: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
    let lookup = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned()).or_else(|| (name == "secret_key").then(|| SECRET.to_owned()))
    };
    Config::from_lookup(lookup).map_err(|errors| errors.to_string())
}

fn accepted(variables: &[(&str, &str)]) -> Config {
    read(variables).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = accepted(&[]);
    assert_eq!(config.access_ttl.as_secs(), 30 * 60);
    assert_eq!(config.refresh_ttl.as_secs(), 7 * 86_400);
    assert_eq!(config.session_absolute.as_secs(), 90 * 86_400);
    assert_eq!(config.cors_origins, ["http://localhost:3000", "http://localhost:8000"]);
    assert_eq!(config.bcrypt_cost, Cost::default());
    assert!(config.throttle && config.docs && !config.debug && config.client_ip_header.is_none());
}

#[test]
fn origins_are_separated_by_commas_or_a_json_list() {
    for value in ["https://a.example, http://b.example:81", r#"["https://a.example","http://b.example:81"]"#] {
        let config = accepted(&[("cors_origins", value)]);
        assert_eq!(config.cors_origins, ["https://a.example", "http://b.example:81"]);
    }
    assert!(read(&[("cors_origins", "")]).is_ok_and(|config| config.cors_origins.is_empty()));
}

#[test]
fn origins_become_what_browsers_send() {
    for (text, origin) in [
        ("https://app.example.org:443", "https://app.example.org"),
        ("http://app.example.org:80/", "http://app.example.org"),
        ("https://app.example.org:8443", "https://app.example.org:8443"),
        ("HTTPS://App.Example.ORG/", "https://app.example.org"),
        ("https://b\u{fc}cher.example", "https://xn--bcher-kva.example"),
        ("https://BU\u{308}CHER.example", "https://xn--bcher-kva.example"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://[0:0::1]:3000", "http://[::1]:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("tauri://localhost", "tauri://localhost"),
        ("ionic://localhost/", "ionic://localhost"),
        ("app://-", "app://-"),
        ("APP://My-App:80", "app://my-app:80"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
    ] {
        let json = format!("[\" {text} \"]");
        for value in [text, &json] {
            assert_eq!(accepted(&[("cors_origins", value)]).cors_origins, [origin], "{text}");
        }
    }
}

#[test]
fn what_no_browser_sends_is_no_origin() {
    for text in [
        "*",
        "null",
        "app.example.org",
        "localhost:3000",
        "https:app.example.org",
        "https://",
        "https:///app.example.org",
        "https://*.example.org",
        "https://app.example.org//",
        "https://app.example.org/?",
        "https://app.example.org?a",
        "https://app.example.org#a",
        "https://user@app.example.org",
        "https://app.example.org:port",
        "https://app.example.org:65536",
        "https://app example.org",
        "https://app\\example.org",
        "https://xn--zz--a.example",
        "https://256.0.0.1",
        "https://[::1",
        "ws://app.example.org",
        "file://app.example.org",
        "file:///",
        "data://app.example.org",
        "my app://localhost",
        "capacitor://",
        "capacitor://localhost/index.html",
        "capacitor://b\u{fc}cher.example",
        "https://\u{ff0a}.example.org",
    ] {
        let value = serde_json::to_string(&[text]).unwrap();
        let message = read(&[("cors_origins", &value)]).err();
        assert!(message.is_some_and(|message| message.starts_with(&format!("cors_origins has {text:?}"))), "{text}");
    }
}

#[test]
fn each_invalid_value_is_reported_with_the_allowed_ones() {
    let hex_secret = SECRET.to_uppercase();
    for (variable, value, line) in [
        ("secret_key", "", "secret_key is not set; allowed: at least 32 bytes"),
        ("secret_key", "short", "secret_key has only 5 bytes; allowed: at least 32 bytes"),
        ("secret_key", "your-secret-key-here-your-secret-key-here", "secret_key is a placeholder"),
        ("secret_key", PLACEHOLDERS[0], "secret_key is a placeholder"),
        ("secret_key_previous", "short", "secret_key_previous has only 5 bytes"),
        ("token_algorithm", "RS256", "token_algorithm is \"RS256\"; allowed: HS256 or EdDSA"),
        ("token_algorithm", "none", "token_algorithm is \"none\"; allowed: HS256 or EdDSA"),
        ("token_algorithm", "eddsa", "token_algorithm is \"eddsa\"; allowed: HS256 or EdDSA"),
        (
            "token_algorithm",
            "EdDSA",
            "token_private_key is not set, although token_algorithm is EdDSA; allowed: the output",
        ),
        ("token_private_key", PRIVATE, "token_private_key is set, although token_algorithm is HS256; allowed: empty"),
        (
            "token_private_key_previous",
            "x",
            "token_private_key_previous is not an Ed25519 private key; allowed: the output",
        ),
        ("token_private_key_previous", RFC8037, "token_private_key_previous is a key that anybody can guess"),
        ("token_private_key_previous", &hex_secret, "token_private_key_previous is the value of a secret_key"),
        ("token_issuer", &"x".repeat(256), "token_issuer is too long or has control characters; allowed: empty, or"),
        ("token_audience", "a\nb", "token_audience is too long or has control characters"),
        ("debug", "maybe", "debug is \"maybe\"; allowed: on or off"),
        ("access_token_expire_minutes", "0", "access_token_expire_minutes is \"0\"; allowed: whole minutes, 1 to 1440"),
        ("refresh_token_expire_days", "7.5", "refresh_token_expire_days is \"7.5\"; allowed: whole days"),
        ("session_absolute_days", "-1", "session_absolute_days is \"-1\"; allowed: whole days"),
        ("cors_origins", "*", "cors_origins has \"*\"; allowed: origins like"),
        ("cors_origins", "https://a.example/path", "cors_origins has \"https://a.example/path\""),
        ("cors_origins", "[1]", "cors_origins is no JSON list"),
        ("bcrypt_cost", "9", "bcrypt_cost is \"9\"; allowed: a whole number, 10 to 15"),
        ("throttle", "2", "throttle is \"2\"; allowed: on or off"),
        ("client_ip_header", "x forwarded", "client_ip_header is \"x forwarded\"; allowed: the name of one header"),
        ("client_ip_header", "Spin-Client-Addr", "client_ip_header is \"Spin-Client-Addr\"; allowed: the name of one"),
        ("docs", "?", "docs is \"?\"; allowed: on or off"),
    ] {
        let Err(message) = read(&[(variable, value)]) else { panic!("{variable}={value} was accepted") };
        assert!(message.starts_with(line), "{message}");
    }
}

#[test]
fn all_faults_are_reported_at_once_without_secrets() {
    let Err(message) = read(&[("secret_key", "hunter2"), ("docs", "x"), ("debug", "y")]) else { panic!("accepted") };
    assert_eq!(message.lines().count(), 3);
    assert!(!message.contains("hunter2"));
}

#[test]
fn an_ed25519_key_signs_if_the_algorithm_asks_for_it() {
    let public = |variables: &[(&str, &str)]| accepted(variables).keys.public().count();
    assert_eq!(public(&[]), 0);
    assert_eq!(public(&[("token_algorithm", "EdDSA"), ("token_private_key", PRIVATE)]), 1);
    let other = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7";
    let rotated = [("token_algorithm", "EdDSA"), ("token_private_key", other), ("token_private_key_previous", PRIVATE)];
    assert_eq!(public(&rotated), 2);
    // After a return to HS256.
    assert_eq!(public(&[("token_private_key_previous", PRIVATE)]), 1);
    let twice = [("token_algorithm", "EdDSA"), ("token_private_key", PRIVATE), ("token_private_key_previous", PRIVATE)];
    let fault = read(&twice).err().unwrap_or_default();
    assert!(
        fault.starts_with("token_private_key_previous is token_private_key; allowed: empty, or the former"),
        "{fault}"
    );
}

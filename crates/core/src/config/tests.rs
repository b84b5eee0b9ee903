use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

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
    ] {
        let value = serde_json::to_string(&[text]).unwrap();
        let message = read(&[("cors_origins", &value)]).err();
        assert!(message.is_some_and(|message| message.starts_with(&format!("cors_origins has {text:?}"))), "{text}");
    }
}

#[test]
fn each_invalid_value_is_reported_with_the_allowed_ones() {
    for (variable, value, line) in [
        ("secret_key", "", "secret_key is not set; allowed: at least 32 bytes"),
        ("secret_key", "short", "secret_key has only 5 bytes; allowed: at least 32 bytes"),
        ("secret_key", "your-secret-key-here-your-secret-key-here", "secret_key is a placeholder"),
        ("secret_key", PLACEHOLDERS[0], "secret_key is a placeholder"),
        ("secret_key_previous", "short", "secret_key_previous has only 5 bytes"),
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

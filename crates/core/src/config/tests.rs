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

const WEBHOOK: [(&str, &str); 3] = [
    ("mail", "webhook"),
    ("mail_webhook_url", "https://app.example.org/hooks?x=1"),
    ("mail_webhook_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
];

#[test]
fn messages_are_off_unless_configured() {
    let config = accepted(&[]);
    assert!(!config.mail.is_on() && config.mail.email_verification == EmailVerification::Off);
    assert_eq!(config.mail.password_reset_ttl.as_secs(), 30 * 60);
    assert_eq!(config.mail.email_verification_ttl.as_secs(), 86_400);
    assert!(config.registration && config.refresh_retry.is_zero() && !config.password_blocklist);
    assert!(matches!(accepted(&[("mail", "LOG")]).mail.mail, Mail::Log));
    let Mail::Webhook(webhook) = accepted(&WEBHOOK).mail.mail else { panic!("a webhook") };
    assert_eq!(webhook.url, WEBHOOK[1].1);
    let split = [WEBHOOK[0], WEBHOOK[2], ("mail_webhook_url", "http://app:81/"), ("mail_webhook_path", "/hooks/mail")];
    let Mail::Webhook(webhook) = accepted(&split).mail.mail else { panic!("a webhook") };
    assert_eq!(webhook.url, "http://app:81/hooks/mail");
    for value in ["on", "required"] {
        accepted(&[("mail", "log"), ("email_verification", value)]);
    }
}

#[test]
fn webhooks_are_signed_as_the_standard_says() {
    let Mail::Webhook(webhook) = accepted(&WEBHOOK).mail.mail else { panic!("a webhook") };
    // The published example of Standard Webhooks.
    let signature = webhook.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn combinations_that_cannot_work_are_refused() {
    for (variables, line) in [
        (vec![("mail", "smtp")], "mail is \"smtp\"; allowed: off or log or webhook"),
        (vec![WEBHOOK[0], WEBHOOK[1]], "mail_webhook_secret is not set, but mail is webhook; allowed: whsec_"),
        (vec![WEBHOOK[0], WEBHOOK[2]], "mail_webhook_url is not set, but mail is webhook; allowed: a URL"),
        (vec![("mail_webhook_url", "app.example.org")], "mail_webhook_url is \"app.example.org\"; allowed: a URL"),
        (vec![("mail_webhook_url", "https://me@app.example.org/")], "mail_webhook_url is"),
        (vec![("mail_webhook_url", "http://*:*/")], "mail_webhook_url is"),
        (vec![("mail_webhook_url", "http://app:8000..9000/")], "mail_webhook_url is"),
        (
            vec![WEBHOOK[0], WEBHOOK[1], WEBHOOK[2], ("mail_webhook_path", "/mail")],
            "mail_webhook_path cannot follow the query of mail_webhook_url",
        ),
        (vec![("mail_webhook_path", "hooks")], "mail_webhook_path is \"hooks\"; allowed: empty, or a path like"),
        (vec![("mail_webhook_secret", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")], "mail_webhook_secret is not whsec_"),
        (vec![("mail_webhook_secret", "whsec_?")], "mail_webhook_secret is not whsec_ and Base64"),
        (vec![("mail_webhook_secret", "whsec_c2hvcnQ=")], "mail_webhook_secret has 5 bytes; allowed"),
        (vec![("password_reset_url", "/reset")], "password_reset_url is \"/reset\"; allowed: empty, or the URL"),
        (vec![("password_reset_url", "https://app.example.org/#/reset")], "password_reset_url is"),
        (vec![("email_verification_url", "https://")], "email_verification_url is"),
        (vec![("password_reset_expire_minutes", "0")], "password_reset_expire_minutes is \"0\""),
        (vec![("email_verification_expire_hours", "721")], "email_verification_expire_hours is \"721\""),
        (vec![("email_verification", "yes")], "email_verification is \"yes\"; allowed: off or on or required"),
        (
            vec![("email_verification", "on")],
            "email_verification needs messages, but mail is off; allowed: off, unless",
        ),
        (vec![("email_verification", "required")], "email_verification needs messages"),
        (vec![("registration", "no")], "registration is \"no\"; allowed: open or closed"),
        (vec![("refresh_retry_seconds", "61")], "refresh_retry_seconds is \"61\"; allowed: whole seconds, 0 to 60"),
        (vec![("password_blocklist", "2")], "password_blocklist is \"2\"; allowed: on or off"),
    ] {
        let Err(message) = read(&variables) else { panic!("{variables:?} was accepted") };
        assert!(message.starts_with(line) && !message.contains("MfKQ"), "{message}");
    }
}

//! Variables: accepted values are within their bounds, origins are in a normal form, and an error shows no secret.
//!
//! An input is lines of `name=value`, in which `{secret}` stands for a secret.
#![no_main]

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use lanterne_core::config::Config;
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "Tr0ub4dor&3-plugh-xyzzy";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fuzz_target!(|text: &str| {
    let text = text.replace("{secret}", SECRET);
    let variables = || text.lines().filter_map(|line| line.split_once('='));
    let lookup = |name: &str| variables().find(|(one, _)| *one == name).map(|(_, value)| value.to_owned());
    match Config::from_lookup(lookup) {
        Ok(config) => check(&config, lookup),
        Err(errors) => {
            let shown = errors.to_string();
            let is_shown_elsewhere =
                variables().any(|(name, value)| !name.starts_with("secret_key") && value.contains(SECRET));
            assert!(!shown.is_empty() && (is_shown_elsewhere || !shown.contains(SECRET)), "{shown}");
        }
    }
});

fn check(config: &Config, lookup: impl Fn(&str) -> Option<String>) {
    assert!((Duration::from_secs(60)..=DAY).contains(&config.access_ttl));
    assert!((DAY..=365 * DAY).contains(&config.refresh_ttl));
    assert!((DAY..=3650 * DAY).contains(&config.session_absolute));
    let header = config.client_ip_header.as_deref();
    assert!(header.is_none_or(|name| HeaderName::from_bytes(name.as_bytes()).is_ok_and(|parsed| parsed == name)));
    for origin in &config.cors_origins {
        assert!(HeaderValue::from_str(origin).is_ok_and(|value| !value.is_empty()), "{origin:?}");
    }
    // Reading the origins again changes nothing.
    let origins = config.cors_origins.join(",");
    let again = Config::from_lookup(|name| if name == "cors_origins" { Some(origins.clone()) } else { lookup(name) });
    let again = again.unwrap_or_else(|errors| panic!("{origins:?}: {errors}"));
    assert_eq!(again.cors_origins, config.cors_origins);
}

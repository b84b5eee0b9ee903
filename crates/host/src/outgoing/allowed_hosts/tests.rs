use std::collections::BTreeMap;

use super::*;
use crate::manifest::{App, Manifest};

fn allows(entry: &str, url: &str) -> bool {
    let allowed = AllowedHost::parse(entry).unwrap_or_else(|error| panic!("{entry}: {error:#}"));
    let destination = Destination::of(&url.parse().unwrap()).unwrap_or_else(|| panic!("{url} has no destination"));
    allowed.allows(&destination)
}

#[test]
fn scheme_host_and_port_must_match() {
    for (entry, allowed, denied) in [
        ("http://example.com", "http://example.com:80/x", "https://example.com"),
        ("https://example.com/", "https://EXAMPLE.com", "https://example.com:444"),
        ("https://Example.COM:", "https://example.com:443", "https://www.example.com"),
        ("http://example.com:8000", "http://example.com:8000", "http://example.com"),
        ("http://example.com:8000/", "http://example.com:8000", "http://example.com:8001"),
        ("http://example.com:8000..8002", "http://example.com:8001", "http://example.com:8002"),
        ("http://example.com:65535", "http://example.com:65535", "http://example.com:65534"),
        ("http://example.com:*", "http://example.com:1", "https://example.com:1"),
        ("*://example.com:443", "https://example.com", "http://example.com"),
        ("*://example.com:*", "http://example.com", "http://example.com.evil.org"),
        ("https://*", "https://10.0.0.1", "https://10.0.0.1:8443"),
        ("*://*:*", "http://[::1]:9", "ftp://never.called"),
        ("https://bücher.example", "https://xn--bcher-kva.example", "https://bucher.example"),
    ] {
        assert!(allows(entry, allowed), "{entry} {allowed}");
        assert!(denied.starts_with("ftp") || !allows(entry, denied), "{entry} {denied}");
    }
}

#[test]
fn an_asterisk_before_a_name_means_its_subdomains() {
    for url in ["http://a.example.com", "http://a.b.example.com"] {
        assert!(allows("http://*.Example.com", url), "{url}");
    }
    for url in ["http://example.com", "http://myexample.com", "http://a.example.com:8000", "http://a.example.org"] {
        assert!(!allows("http://*.example.com", url), "{url}");
    }
}

#[test]
fn addresses_and_networks() {
    for (entry, allowed, denied) in [
        ("http://127.0.0.1", "http://127.0.0.1", "http://127.0.0.2"),
        // Other forms of the same address.
        ("http://127.0.0.1", "http://2130706433", "http://localhost"),
        ("http://localhost", "http://LOCALHOST", "http://127.0.0.1"),
        ("http://[::1]", "http://[0:0::1]:80", "http://[::2]"),
        ("http://[::1]:8000", "http://[::1]:8000", "http://[::1]"),
        ("*://127.0.0.1/24:8000", "http://127.0.0.99:8000", "http://127.0.1.1:8000"),
        ("http://10.0.0.0/8", "http://0x0a000001", "http://11.0.0.1"),
        ("http://2001:db8::/32", "http://[2001:db8:abcd::1]", "http://[2001:db9::1]"),
        ("http://2001:db8::/32:443", "http://[2001:db8::1]:443", "http://[2001:db8::1]"),
        ("http://0.0.0.0/0", "http://192.0.2.1", "http://example.com"),
        // An IPv4 address within IPv6 is another one.
        ("http://127.0.0.0/8", "http://127.0.0.1", "http://[::ffff:127.0.0.1]"),
    ] {
        assert!(allows(entry, allowed), "{entry} {allowed}");
        assert!(!allows(entry, denied), "{entry} {denied}");
    }
}

#[test]
fn entries_that_spin_refuses_are_refused() {
    for entry in [
        "",
        "*",
        ":",
        "?",
        "example.com",
        "example.com:8080",
        "insecure:allow-all",
        "[::1]",
        "[::1]:8080",
        "http://",
        "http://*.",
        "http://*.:8080",
        "http://example.com/p",
        "http://example.com:8080/p",
        "http://example.com//",
        "http://*.example.com/p",
        "http://127.0.0.0/24/p",
        "http://[::1]/foo",
        "http://[::1]//",
        "http://[::1",
        "http://[::1junk",
        "http://[::1]::80",
        "http://[v1.]",
        "http://ff00::/8/extra",
        "http://example.com:port",
        "http://example.com:99999",
        "http://example.com:80..70000",
        "http://example.com:80..",
        "http://example.com:80:90",
        "http://[::1]:99999",
        "http://ff00::/8:99999",
        "http://*:x",
        "http://example%.com",
        "http://exa[mple.com",
        r"http://exa\mple.com",
        "http://a.*.com",
        "http://*a.com",
        "http://*.127.0.0.1",
        "http://*.[::1]",
        "http://{a.com,b.com}",
        "{http,https}://a.com",
        "http://a.com:{80,81}",
        "h2://a.com:80",
        "*://a.com",
        "other://a.com",
    ] {
        assert!(AllowedHost::parse(entry).is_err(), "{entry:?}");
    }
}

#[test]
fn what_spin_routes_within_the_app_is_refused() {
    let reason = |entry: &str| format!("{:#}", AllowedHost::parse(entry).unwrap_err());
    for entry in ["http://self", "https://self.alt"] {
        assert!(reason(entry).contains("own app"), "{entry}");
    }
    for entry in ["http://api.spin.internal", "http://*.spin.internal"] {
        assert!(reason(entry).contains("other components"), "{entry}");
    }
}

#[test]
fn entries_for_other_protocols_allow_nothing() {
    for entry in ["redis://a.com", "mysql://a.com", "mqtt://a.com", "postgres://a.com", "other://a.com:*"] {
        assert!(!allows(entry, "http://a.com") && !allows(entry, "https://a.com:6379"), "{entry}");
    }
}

#[test]
fn a_url_without_a_valid_destination_has_none() {
    for url in
        ["/path", "http://a.com:x", "http://a.com:99999", "http://user@a.com", "http://u:p@a.com", "http://a@a.com"]
    {
        let uri = url.parse::<Uri>().ok();
        assert!(uri.is_none_or(|uri| Destination::of(&uri).is_none()), "{url}");
    }
    assert_eq!(Destination::of(&"https://a.com:".parse().unwrap()).unwrap().to_string(), "https://a.com:443");
}

fn resolve(entries: &str, variables: &str) -> Result<AllowedHosts> {
    let dir = tempfile::tempdir().unwrap();
    let manifest = dir.path().join("spin.toml");
    let text = format!(
        "spin_manifest_version = 2\n[variables]\n{variables}\n[component.a]\nsource = \"\"\nallowed_outbound_hosts = {entries}"
    );
    std::fs::write(&manifest, text).unwrap();
    let main: Manifest = App::read(&manifest).unwrap().main;
    AllowedHosts::of(&main.component["a"], &Variables { manifest: &main, values: &BTreeMap::new() })
}

#[test]
fn only_templates_may_be_empty() {
    for entries in [r#"["{{ v }}"]"#, r#"["http://{{ v }}", "https://{{ v }}"]"#] {
        assert!(resolve(entries, "v.default = \"\"").unwrap().0.is_empty(), "{entries}");
    }
    assert_eq!(resolve(r#"["https://{{ v }}", "http://b.com"]"#, "v.default = \"a.com:8443\"").unwrap().0.len(), 2);
    for entries in [r#"[""]"#, r#"["https://"]"#, r#"["{{ v }}:80"]"#, r#"["{{ other }}"]"#] {
        assert!(resolve(entries, "v.default = \"\"").is_err(), "{entries}");
    }
    let error = resolve(r#"["{{ v }}"]"#, "v.default = \"https://a secret\"").err().unwrap();
    assert!(!format!("{error:#}").contains("secret"), "{error:#}");
}

#[test]
fn only_values_of_templates_may_have_a_path() {
    for url in ["https://a.com:8443/hooks/mail?key=a:b", "https://a.com:8443?key=/"] {
        let allowed = resolve(r#"["{{ v }}"]"#, &format!("v.default = \"{url}\"")).unwrap();
        let allows = |url: &str| allowed.allow(&Destination::of(&url.parse().unwrap()).unwrap());
        assert!(allows("https://a.com:8443/other") && !allows("https://a.com"), "{url}");
        assert!(resolve(&format!(r#"["{url}"]"#), "").is_err(), "{url}");
    }
    let network = resolve(r#"["http://{{ v }}"]"#, "v.default = \"10.0.0.0/8\"").unwrap();
    assert!(network.allow(&Destination::of(&"http://10.9.9.9".parse().unwrap()).unwrap()));
}

#[test]
fn tls_is_prepared_if_an_entry_can_need_it() {
    let allows_https = |entries: &str| resolve(entries, "").unwrap().allow_https();
    assert!(allows_https(r#"["https://a.com"]"#) && allows_https(r#"["*://a.com:*"]"#));
    assert!(!allows_https(r#"["http://a.com"]"#) && !allows_https("[]"));
}

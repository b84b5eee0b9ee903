//! The address behind a proxy: what a client sends before the proxy's own element does not change it.
#![no_main]

use http::{HeaderMap, HeaderValue};
use lanterne_client_address::ClientHeader;
use libfuzzer_sys::fuzz_target;

const NAME: &str = "x-forwarded-for";
/// What proxies add, and the address in it.
const ELEMENTS: [(&str, &str); 5] = [
    ("192.0.2.7", "192.0.2.7"),
    ("192.0.2.7:1024", "192.0.2.7"),
    ("[2001:db8::7]:80", "2001:db8::7"),
    ("for=\"[2001:db8::7]:4711\";proto=https;by=203.0.113.43", "2001:db8::7"),
    ("by=\"a,b\";For=192.0.2.7", "192.0.2.7"),
];

fuzz_target!(|sent: &[u8]| {
    let header = ClientHeader::new(NAME).expect("the name of a header");
    let Ok(alone) = HeaderValue::from_bytes(sent) else { return };
    let mut headers = HeaderMap::new();
    headers.append(NAME, alone);
    if let Some(address) = header.read(&headers, |_| ()) {
        header.write(&mut headers, address);
        assert_eq!(header.read(&headers, |_| ()), Some(address), "it is not read as it was written");
    }
    for (element, address) in ELEMENTS {
        // The proxy continues the client's line, or adds one.
        let list = [sent, b", ", element.as_bytes()].concat();
        let continued = HeaderMap::from_iter([(NAME.parse().expect("a name"), value(&list))]);
        let mut added = headers.clone();
        added.append(NAME, value(element.as_bytes()));
        for headers in [continued, added] {
            let read = header.read(&headers, |_| ()).map(|read| read.to_string());
            assert_eq!(read.as_deref(), Some(address), "{headers:?}");
        }
    }
});

fn value(bytes: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(bytes).expect("the value of a header")
}

use super::*;

/// Reads the header, sent in these lines; also returns what is reported.
fn read(header: &ClientHeader, lines: &[&[u8]]) -> (Option<String>, Vec<String>) {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append("x-forwarded-for", HeaderValue::from_bytes(line).expect("a value"));
    }
    let mut reports = Vec::new();
    let address = header.read(&headers, |line| reports.push(line.to_owned()));
    (address.map(|address| address.to_string()), reports)
}

fn header() -> ClientHeader {
    ClientHeader::new("X-Forwarded-For").expect("a name")
}

#[track_caller]
fn expect(lines: &[&[u8]], address: Option<&str>) {
    let shown: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
    assert_eq!(read(&header(), lines).0.as_deref(), address, "{shown:?}");
}

#[test]
fn an_address_has_many_forms() {
    for (line, address) in [
        ("192.0.2.1", "192.0.2.1"),
        ("  192.0.2.1\t", "192.0.2.1"),
        ("192.0.2.1:1024", "192.0.2.1"),
        ("\"192.0.2.1\"", "192.0.2.1"),
        ("\"192.0.2.1:1024\"", "192.0.2.1"),
        ("192.0.2.1:_hidden", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::1", "::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:1024", "2001:db8::1"),
        ("\"[2001:db8::1]:1024\"", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:1024", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:c000:201]:1024", "192.0.2.1"),
    ] {
        expect(&[line.as_bytes()], Some(address));
    }
}

#[test]
fn forwarded_has_parameters() {
    for (line, address) in [
        ("for=192.0.2.1", "192.0.2.1"),
        ("For=\"192.0.2.1:1024\"; proto=https", "192.0.2.1"),
        ("proto=https;by=203.0.113.9;for=\"[2001:db8::1]:1024\"", "2001:db8::1"),
        ("for=192.0.2.1, for=192.0.2.2;host=\"a,for=192.0.2.3;for=192.0.2.4\"", "192.0.2.2"),
        (r#"for=192.0.2.1, for=192.0.2.2;host="a\",for=192.0.2.3""#, "192.0.2.2"),
        (r#"for=192.0.2.1, for=192.0.2.2;host="a\\""#, "192.0.2.2"),
        ("for=\"192.0.2.1, for=192.0.2.2", "192.0.2.2"),
    ] {
        expect(&[line.as_bytes()], Some(address));
    }
}

#[test]
fn only_the_last_element_counts() {
    expect(&[b"192.0.2.1, 192.0.2.2"], Some("192.0.2.2"));
    expect(&[b"192.0.2.1,192.0.2.2:80"], Some("192.0.2.2"));
    expect(&[b"192.0.2.1", b"192.0.2.2"], Some("192.0.2.2"));
    expect(&[b"192.0.2.1, 192.0.2.2", b"2001:db8::1"], Some("2001:db8::1"));
    expect(&[b"b\xFCcher, 192.0.2.2"], Some("192.0.2.2"));
    expect(&[b"\", 192.0.2.2"], Some("192.0.2.2"));
    expect(&[b"\\, 192.0.2.2"], Some("192.0.2.2"));
}

#[test]
fn an_unreadable_last_element_is_not_replaced_by_an_earlier_one() {
    for line in [
        "",
        "192.0.2.1,",
        "192.0.2.1, unknown",
        "192.0.2.1, 192.0.2",
        "192.0.2.1, 192.0.2.2:",
        "192.0.2.1, 192.0.2.2 192.0.2.3",
        "192.0.2.1, \"192.0.2.2",
        "192.0.2.1, [2001:db8::1",
        "192.0.2.1, [2001:db8::1]80",
        "192.0.2.1, unix:",
        "for=192.0.2.1, for=_hidden",
        "for=192.0.2.1, for=unknown",
        "for=192.0.2.1, by=192.0.2.2",
        "for=192.0.2.1, for=192.0.2.2;for=192.0.2.3",
        "for=192.0.2.1, for=",
        "for=192.0.2.1, for=\"",
    ] {
        expect(&[line.as_bytes()], None);
    }
    expect(&[b"192.0.2.1", b""], None);
    expect(&[b"192.0.2.1, 192.0.2.\xB2"], None);
    expect(&[], None);
}

#[test]
fn each_fault_is_reported_once() {
    let header = header();
    let (_, reports) = read(&header, &[]);
    assert!(reports.len() == 1 && reports[0].contains("is x-forwarded-for, but a request has no such"), "{reports:?}");
    let (_, reports) = read(&header, &[b"unknown"]);
    assert!(reports.len() == 1 && reports[0].contains("no IP address in the last element"), "{reports:?}");
    for lines in [&[] as &[&[u8]], &[b"unknown"], &[b"192.0.2.1"]] {
        assert_eq!(read(&header, lines).1, [""; 0]);
    }
}

#[test]
fn what_is_written_is_read() {
    for address in ["192.0.2.1", "2001:db8::1"] {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("one"));
        headers.append("x-forwarded-for", HeaderValue::from_static("two"));
        let address: IpAddr = address.parse().expect("an address");
        header().write(&mut headers, address);
        assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
        assert_eq!(header().read(&headers, |_| panic!("a fault")), Some(address));
    }
}

//! Tests of what may be fetched, and what is.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use super::*;

#[test]
fn no_address_of_our_own_network_is_public() {
    for private in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "192.0.0.170",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "100.127.255.255",
        "192.88.99.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2001:1ff::1",
        "3fff::1",
        "3fff:fff::1",
        "4000::1",
    ] {
        assert!(!is_public(private.parse().unwrap()), "{private}");
    }
    for public in [
        "1.1.1.1",
        "20.190.128.1",
        "145.100.190.1",
        "100.63.255.255",
        "100.128.0.1",
        "192.0.1.1",
        "192.1.0.1",
        "192.88.98.1",
        "192.89.99.1",
        "193.88.99.1",
        "193.0.0.1",
        "198.17.0.1",
        "198.20.0.1",
        "199.18.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a05:d018::1",
        "2001:200::1",
        "2001:4860::1",
        "2003::1",
        "3fff:1000::1",
        "3ffe::1",
        "::ffff:1.1.1.1",
    ] {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
}

#[tokio::test]
async fn what_may_not_be_asked_is_refused_before_anything_is_sent() {
    let fetcher = Fetcher::new(vec!["http://127.0.0.1:7081".to_owned()]);
    let url = |url: &str| url.parse::<KeyUrl>().unwrap();
    let (private, public) = (url("http://127.0.0.1:7081"), url("https://login.example"));
    for (url, because) in [
        ("http://login.example/keys", "without TLS"),
        ("http://127.0.0.2/keys", "without TLS"),
        ("http://127.0.0.1:7082/keys", "without TLS"),
        ("http://127.0.0.1/keys", "without TLS"),
        ("https://127.0.0.1:7081/keys", "not a public address"),
        ("https://127.0.0.2/keys", "not a public address"),
        ("https://169.254.169.254/latest/meta-data", "not a public address"),
        ("https://[::1]/keys", "not a public address"),
        ("https://[::ffff:10.0.0.1]/keys", "not a public address"),
        ("https://localhost/keys", "no public address"),
        ("https://127.1/keys", "invalid dns name"),
        ("https://2130706433/keys", "invalid dns name"),
    ] {
        for given in [&private, &public] {
            let error = fetcher.get(&url.parse().unwrap(), given).await;
            let text = error.unwrap_err().to_string();
            assert!(text.contains(because), "{url}: {text}");
        }
    }
    // An issuer out there does not get us to ask in here, not even where another issuer is.
    let inside = "http://127.0.0.1:7081/keys".parse().unwrap();
    let error = fetcher.get(&inside, &public).await.unwrap_err();
    assert!(error.to_string().contains("without TLS"), "{error}");
}

#[test]
fn an_origin_is_a_scheme_a_host_and_a_port() {
    let is_at = |origin, url: &str| is_at(origin, &url.parse().unwrap());
    assert!(is_at("http://127.0.0.1:*", "http://127.0.0.1:7081/keys"));
    assert!(is_at("https://login.internal", "https://login.internal/keys"));
    assert!(is_at("https://login.internal:443", "https://login.internal/"));
    assert!(is_at("http://[::1]:80", "http://[::1]/"));
    assert!(is_at("http://[::1]", "http://[::1]/"));
    for (origin, url) in [
        ("127.0.0.1", "http://127.0.0.1/"),
        ("https://login.internal", "http://login.internal/"),
        ("https://login.internal", "https://login.internal:8443/"),
        ("https://login.internal", "https://login.internal.example/"),
        ("http://127.0.0.1:7081", "http://127.0.0.1:7082/"),
    ] {
        assert!(!is_at(origin, url), "{origin} {url}");
    }
}

/// A server on this machine that gives each request this answer; its URL.
fn server(answer: Vec<u8>) -> KeyUrl {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = vec![0; 8192];
            let length = stream.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
            assert!(HEADERS.iter().all(|(name, value)| request.contains(&format!("{name}: {value}"))), "{request}");
            // The fetcher may have heard enough before the end.
            let _ = stream.write_all(&answer);
        }
    });
    url.parse().unwrap()
}

/// An answer with this status and so many bytes.
fn answer(status: &str, bytes: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nlocation: /elsewhere\r\ncontent-length: {bytes}\r\n\r\n");
    [head.as_bytes(), &vec![b'x'; bytes]].concat()
}

#[tokio::test]
async fn what_is_fetched_is_the_body_of_a_200_within_256_kib() {
    let fetcher = Fetcher::new(vec!["http://127.0.0.1:*".to_owned(), "http://localhost:*".to_owned()]);
    let by_name: KeyUrl = server(answer("200 OK", 2)).to_string().replace("127.0.0.1", "localhost").parse().unwrap();
    assert_eq!(fetcher.get(&by_name, &by_name).await.ok(), Some(vec![b'x'; 2]));
    for (status, bytes, expected) in [
        ("200 OK", 2, Ok(2)),
        ("200 OK", 256 * 1024, Ok(256 * 1024)),
        ("200 OK", 256 * 1024 + 1, Err("more than 262144 bytes")),
        ("404 Not Found", 2, Err("it answers 404")),
        ("302 Found", 0, Err("it answers 302")),
    ] {
        let url = server(answer(status, bytes));
        match (fetcher.get(&url, &url).await, expected) {
            (Ok(body), Ok(length)) => assert_eq!(body, vec![b'x'; length]),
            (Err(error), Err(because)) => assert!(error.to_string().contains(because), "{error}"),
            (got, expected) => panic!("{expected:?}: {got:?}"),
        }
    }
}

#[tokio::test]
async fn a_public_address_may_stand_in_the_place_of_a_name() {
    let fetcher = Fetcher::new(Vec::new());
    for (url, may) in [
        ("https://20.190.128.1/keys", true),
        ("https://[2606:4700::1111]/keys", true),
        ("https://10.0.0.1/keys", false),
    ] {
        let url: Uri = url.parse().unwrap();
        assert_eq!(fetcher.connector_for(&url, &url).is_ok(), may, "{url}");
    }
}

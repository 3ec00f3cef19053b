//! Fetching from a small server of our own, well-behaved and not.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use super::*;

/// What the server does with a request for a path.
#[derive(Clone)]
enum Serve {
    Whole(Vec<u8>),
    Ranged(Vec<u8>),
    /// Promises the whole, closes after so many bytes.
    Cut(Vec<u8>, usize),
    Endless,
    Redirect(String),
}

/// A server on a free port; lives as long as the process. Returns its URL.
fn server(paths: BTreeMap<&'static str, Serve>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("its number"));
    let paths = Arc::new(paths);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let paths = paths.clone();
            thread::spawn(move || answer(stream, &paths));
        }
    });
    address
}

fn answer(mut stream: TcpStream, paths: &BTreeMap<&'static str, Serve>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let mut offset = 0;
    for line in lines.map_while(std::result::Result::ok).take_while(|line| !line.is_empty()) {
        let line = line.to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            offset = range.trim_end_matches('-').parse().ok()?;
        }
    }
    let head = |status: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n")
    };
    let (head, body) = match paths.get(path.as_str())? {
        Serve::Ranged(data) if offset > 0 => {
            let rest = data[offset..].to_vec();
            let range = format!("content-range: bytes {offset}-{}/{}\r\n", data.len() - 1, data.len());
            (head("206 Partial Content", rest.len()) + &range, rest)
        }
        Serve::Whole(data) | Serve::Ranged(data) => (head("200 OK", data.len()), data.clone()),
        Serve::Cut(data, at) => (head("200 OK", data.len()), data[..*at].to_vec()),
        Serve::Redirect(to) => (head("302 Found", 0) + &format!("location: {to}\r\n"), Vec::new()),
        Serve::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").ok()?;
            while stream.write_all(&[0; 4096]).is_ok() {}
            return None;
        }
    };
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    stream.write_all(&body).ok()
}

fn want(directory: &Path, url: &str, content: Option<&[u8]>) -> Want {
    Want {
        urls: vec![url.to_owned()],
        path: directory.join("got"),
        digest: content.and_then(|content| Digest::new("sha256", &digest::sha256(content))),
        size: content.map(|content| content.len() as u64),
        limit: 1 << 20,
    }
}

fn content() -> Vec<u8> {
    (0..200_000u32).map(|i| (i % 251) as u8).collect()
}

fn get(want: &Want) -> Result<()> {
    fetch(&Client::new(Access { proxy: Some("_none_".into()), ..Access::default() }), want, &|_, _| {})
}

#[test]
fn a_file_comes_whole_or_not_at_all() {
    let data = content();
    let url = server(BTreeMap::from([
        ("/whole", Serve::Whole(data.clone())),
        ("/cut", Serve::Cut(data.clone(), 70_000)),
        ("/other", Serve::Whole(vec![1; data.len()])),
        ("/long", Serve::Whole([data.clone(), vec![0]].concat())),
        ("/endless", Serve::Endless),
        ("/to-file", Serve::Redirect("file:///etc/passwd".into())),
        ("/loop", Serve::Redirect("/loop".into())),
        ("/to-whole", Serve::Redirect("/whole".into())),
    ]));
    for (path, kind) in [
        ("/whole", None),
        ("/to-whole", None),
        ("/cut", Some(Kind::Network)),
        ("/other", Some(Kind::Integrity)),
        ("/long", Some(Kind::Integrity)),
        ("/endless", Some(Kind::Integrity)),
        ("/to-file", Some(Kind::Network)),
        ("/loop", Some(Kind::Network)),
        ("/absent", Some(Kind::Network)),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let want = want(directory.path(), &format!("{url}{path}"), Some(&data));
        let got = get(&want);
        assert_eq!(got.as_ref().err().map(|error| error.kind), kind, "{path}: {got:?}");
        assert_eq!(want.path.exists(), kind.is_none(), "{path}");
        if kind.is_none() {
            assert_eq!(fs::read(&want.path).expect("readable"), data, "{path}");
        }
    }
}

#[test]
fn without_a_checksum_the_limit_holds() {
    let url = server(BTreeMap::from([("/endless", Serve::Endless), ("/small", Serve::Whole(b"x".to_vec()))]));
    let directory = tempfile::tempdir().expect("a directory");
    let got = get(&want(directory.path(), &format!("{url}/endless"), None));
    assert_eq!(got.err().map(|error| error.kind), Some(Kind::Integrity));
    get(&want(directory.path(), &format!("{url}/small"), None)).expect("a small file");
}

#[test]
fn what_came_is_continued() {
    let data = content();
    let url = server(BTreeMap::from([
        ("/ranged", Serve::Ranged(data.clone())),
        ("/whole", Serve::Whole(data.clone())),
    ]));
    for (path, left, kind) in [
        ("/ranged", &data[..50_000], None),
        // A server without ranges sends all of it again.
        ("/whole", &data[..50_000], None),
        // What was left is not the beginning of the file: noticed, thrown away, and right the next time.
        ("/ranged", &[9; 50_000][..], Some(Kind::Integrity)),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let want = want(directory.path(), &format!("{url}{path}"), Some(&data));
        fs::write(directory.path().join(".got.part"), left).expect("writable");
        assert_eq!(get(&want).err().map(|error| error.kind), kind, "{path}");
        get(&want).expect("the second time");
        assert_eq!(fs::read(&want.path).expect("readable"), data, "{path}");
    }
}

#[test]
fn the_next_mirror_is_tried_and_many_come_at_once() {
    let data = content();
    let url =
        server(BTreeMap::from([("/bad", Serve::Whole(vec![0; 3])), ("/good", Serve::Whole(data.clone()))]));
    let client = Client::new(Access { proxy: Some("_none_".into()), ..Access::default() });
    let directory = tempfile::tempdir().expect("a directory");
    let jobs: Vec<_> = (0..9)
        .map(|i| {
            let mut want = want(directory.path(), "", Some(&data));
            want.urls = vec![format!("{url}/bad"), format!("{url}/good")];
            want.path = directory.path().join(format!("f{i}"));
            (&client, want)
        })
        .collect();
    fetch_all(&jobs, &|_, _| {}).expect("all of them");
    for (_, want) in &jobs {
        assert_eq!(fs::read(&want.path).expect("readable"), data);
    }
}

#[test]
fn local_files_are_copied_and_verified() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = directory.path().join("source");
    fs::write(&source, b"abc").expect("writable");
    let url = format!("file://{}", source.display());
    get(&want(directory.path(), &url, Some(b"abc"))).expect("the same");
    fs::remove_file(directory.path().join("got")).expect("there");
    let got = get(&want(directory.path(), &url, Some(b"abd")));
    assert_eq!(got.err().map(|error| error.kind), Some(Kind::Integrity));
}

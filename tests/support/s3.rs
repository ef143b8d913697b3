//! A server that speaks S3, for a test, on a port of its own, gone with the test: `moto`, which `tests/tools/python` installs.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A server, ended when it is dropped.
pub struct Server {
    child: Child,
    _folder: TempDir,
    /// Where it listens, as `host:port`.
    pub address: String,
}

impl Server {
    /// A server with one bucket.
    pub fn with_bucket(bucket: &str) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/python/bin/moto_server");
        assert!(program.exists(), "there is no S3 server: `tests/tools/python` installs it");
        let folder = TempDir::new().expect("a folder");
        let said = folder.path().join("said");
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&said).expect("makes"))
            .spawn()
            .expect("starts");
        let mut server = Self { child, _folder: folder, address: String::new() };
        let start = Instant::now();
        while server.address.is_empty() {
            let text = std::fs::read_to_string(&said).unwrap_or_default();
            if let Some((_, after)) = text.split_once("Running on http://")
                && let Some((address, _)) = after.split_once('\n')
            {
                server.address = address.trim().to_owned();
            }
            assert!(start.elapsed() < Duration::from_secs(30), "the S3 server does not start: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
        server.put(bucket, b"");
        server
    }

    /// What a program needs to use it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://{}", self.address);
        let pairs = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "a-key"),
            ("AWS_SECRET_ACCESS_KEY", "its-secret"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// Makes a bucket, or puts an object behind everybody's back.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let mut socket = TcpStream::connect(&self.address).expect("connects");
        let length = bytes.len();
        let head = format!("PUT /{path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n", self.address);
        socket.write_all(&[head.as_bytes(), bytes].concat()).expect("writes");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("reads");
        assert!(answer.split(' ').nth(1) == Some("200"), "{answer}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

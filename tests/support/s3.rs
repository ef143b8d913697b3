//! A server that speaks S3, for a test, on a port of its own, gone with the test: `moto`, which `tests/tools/python` installs.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A server, ended when it is dropped.
pub struct Server {
    child: Child,
    folder: TempDir,
    /// Where it listens, like `http://host:port`.
    pub url: String,
}

impl Server {
    /// A server with one bucket.
    pub fn with_bucket(bucket: &str) -> Self {
        let server = Self::start(TempDir::new().expect("a folder"), &[]);
        server.put(bucket, b"");
        server
    }

    /// A server without a bucket, by TLS, and with a certificate that nobody has reason to trust.
    pub fn with_tls() -> Self {
        let folder = TempDir::new().expect("a folder");
        let key =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=s3"];
        let names = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
        let files = ["-keyout", "key.pem", "-out", "certificate.pem"];
        let made =
            Command::new("openssl").args([&key[..], &names, &files].concat()).current_dir(folder.path()).output();
        assert!(made.expect("openssl runs").status.success());
        Self::start(folder, &["--ssl-cert", "certificate.pem", "--ssl-key", "key.pem"])
    }

    /// Its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    fn start(folder: TempDir, arguments: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/python/bin/moto_server");
        assert!(program.exists(), "there is no S3 server: `tests/tools/python` installs it");
        let said = folder.path().join("said");
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&said).expect("makes"))
            .spawn()
            .expect("starts");
        let mut server = Self { child, folder, url: String::new() };
        let start = Instant::now();
        while server.url.is_empty() {
            let text = std::fs::read_to_string(&said).unwrap_or_default();
            if let Some((_, after)) = text.split_once("Running on ")
                && let Some((url, _)) = after.split_once('\n')
            {
                server.url = url.trim().to_owned();
            }
            assert!(start.elapsed() < Duration::from_secs(30), "the S3 server does not start: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// What a program needs to use it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ENDPOINT_URL", self.url.as_str()),
            ("AWS_ACCESS_KEY_ID", "a-key"),
            ("AWS_SECRET_ACCESS_KEY", "its-secret"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// Makes a bucket, or puts an object behind everybody's back.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let address = self.url.strip_prefix("http://").expect("no TLS");
        let mut socket = TcpStream::connect(address).expect("connects");
        let length = bytes.len();
        let head = format!("PUT /{path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n");
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

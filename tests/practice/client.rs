//! An HTTP client that is just enough for the practice site: one request a connection, a cookie jar of name and value.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rhaven::practice::Practice;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A visitor of one site.
pub struct Visitor {
    address: String,
    pub cookies: BTreeMap<String, String>,
}

/// What came back; the head in lower case.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// A site of the test's own.
pub async fn site() -> Practice {
    Practice::start(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a practice site")
}

impl Visitor {
    pub fn of(site: &Practice) -> Self {
        Self { address: site.url().trim_start_matches("http://").to_owned(), cookies: BTreeMap::new() }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    pub async fn post(&mut self, path: &str, form: &str) -> Answer {
        self.send("POST", path, form).await
    }

    /// Signs in with what the site says is right.
    pub async fn sign_in(&mut self) -> Answer {
        self.sign_in_as(rhaven::practice::EMAIL, rhaven::practice::PASSWORD, "/login").await
    }

    pub async fn sign_in_as(&mut self, email: &str, password: &str, path: &str) -> Answer {
        let csrf = self.get(path).await.field("csrf");
        self.post(path, &format!("csrf={csrf}&email={email}&password={}", password.replace(' ', "+"))).await
    }

    /// How often `name` was asked for.
    pub async fn visits(&mut self, name: &str) -> u64 {
        let counts: BTreeMap<String, u64> =
            serde_json::from_str(&self.get("/api/visits").await.body).expect("counts as JSON");
        counts.get(name).copied().unwrap_or_default()
    }

    async fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let text = self.try_send(method, path, body).await.expect("an answer");
        let answer = Answer::parse(&text);
        for line in answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            if line.contains("max-age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// The raw answer, up to where the server closed; an error where there is no server.
    pub async fn try_send(&self, method: &str, path: &str, body: &str) -> std::io::Result<String> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncookie: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            cookies.join("; "),
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    /// The value of a header, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The value of a hidden field.
    pub fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let rest = self.body.split_once(&start).expect("the field").1;
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

//! The request that every client makes, and the answer that all servers give: the operator's own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use chrono::{DurationRound, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::Result;

/// What an API client behind a proxy may send.
const REQUEST: &str =
    "GET /cart HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: entracte-bench\r\nAccept: */*\r\n";

/// What every answer begins with.
pub(crate) const STATUS: &[u8] = b"HTTP/1.1 503";

/// Fields that servers add or leave out as they please, or that change with the time.
const OWN: [&str; 6] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "retry-after",
    "server",
];

/// The request of all clients.
pub(crate) fn request(close: bool) -> Vec<u8> {
    let close = if close { "Connection: close\r\n" } else { "" };
    format!("{REQUEST}{close}\r\n").into_bytes()
}

/// What the operator answers with. The end is so far away that the digits of `Retry-After` stay as
/// many as they are.
pub(crate) fn notice(port: u16) -> Result<Value> {
    let start = Utc::now().duration_trunc(TimeDelta::hours(1))?;
    Ok(json!({
        "window": {"namespace": "shop", "name": "db-upgrade"},
        "uid": "5d0f1a3e-8a4b-4a77-9e0c-2f1a0c7d9b11",
        "port": port,
        "start": start,
        "until": start + TimeDelta::hours(12),
        "message": "We are upgrading our database. Back soon.",
    }))
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    /// Where the body starts.
    head: usize,
    /// The fields, their names in lower case.
    fields: Vec<(String, String)>,
}

impl Answer {
    /// Asks once, on a connection of its own.
    pub(crate) fn fetch(server: SocketAddr, close: bool) -> Result<Self> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&request(close))?;
        let mut bytes = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer)? {
                0 => return Err("the server closed the connection before its answer".into()),
                count => bytes.extend(&buffer[..count]),
            }
            if let Some(answer) = Self::whole(&bytes)? {
                return Ok(answer);
            }
        }
    }

    fn whole(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        for line in str::from_utf8(&bytes[..end])?.lines().skip(1) {
            let (name, value) = line.split_once(':').ok_or("a header without a colon")?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let answer = Self {
            bytes: bytes.to_vec(),
            head: end + 4,
            fields,
        };
        let length: usize = answer.field("content-length")?.parse()?;
        Ok((answer.body().len() >= length).then_some(answer))
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    pub(crate) fn field(&self, wanted: &str) -> Result<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(name, _)| name == wanted);
        let (_, value) = found.ok_or_else(|| format!("the answer has no {wanted}"))?;
        Ok(value)
    }

    /// The fields that every server has to send.
    pub(crate) fn common(&self) -> Vec<(&str, &str)> {
        let fields = self.fields.iter().map(|(name, value)| (&**name, &**value));
        let mut fields: Vec<_> = fields.filter(|(name, _)| !OWN.contains(name)).collect();
        fields.sort_unstable();
        fields
    }

    /// Whether it is the operator's, but for what servers add or leave out as they please.
    pub(crate) fn is_like(&self, ours: &Self) -> Result {
        let as_long = self.body().len() == ours.body().len();
        let waits = (self.field("retry-after")?, ours.field("retry-after")?);
        if !self.bytes.starts_with(STATUS) || !as_long || waits.0.len() != waits.1.len() {
            return Err(format!("not the answer of all:\n{self}\nbut\n{ours}").into());
        }
        if self.common() != ours.common() {
            return Err(format!("not the header of all:\n{self}\nbut\n{ours}").into());
        }
        Ok(())
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes))
    }
}

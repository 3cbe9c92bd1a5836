//! Messages of the language server protocol as bytes: a header that names the length, then JSON.
//! Knows nothing of what they say.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// A longer message is not read: the references of a name in 10,000 files are below 2 MiB.
const MAX_MESSAGE_BYTES: usize = 64 << 20;
/// A longer line of a header is none.
const MAX_HEADER_BYTES: u64 = 4 << 10;

/// A message as it is sent.
pub(super) fn frame(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The next message; `None` at the end of the input.
pub(super) async fn read_message(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Value>> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut length = None;
    loop {
        let mut line = Vec::new();
        let read = (&mut *input).take(MAX_HEADER_BYTES).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let Some(line) = line.strip_suffix('\n') else { return Err(invalid("a header without end")) };
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let length = length.filter(|&length| length <= MAX_MESSAGE_BYTES);
    let mut body = vec![0; length.ok_or_else(|| invalid("a message without a length, or too long"))?];
    input.read_exact(&mut body).await?;
    Ok(Some(serde_json::from_slice(&body)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::BufReader;

    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Vec<Value>> {
        // A small buffer: messages come in pieces.
        let mut input = BufReader::with_capacity(3, bytes);
        let mut all = Vec::new();
        while let Some(message) = read_message(&mut input).await? {
            all.push(message);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn messages_are_read_as_they_were_written() {
        let messages = [json!({ "id": 1, "text": "é😀\r\n\r\n" }), json!([])];
        let bytes: Vec<u8> = messages.iter().flat_map(frame).collect();
        assert_eq!(read(&bytes).await.unwrap(), messages);
    }

    #[tokio::test]
    async fn other_headers_and_any_case_are_fine() {
        let bytes = b"Content-Type: x\r\ncontent-length:2\r\n\r\n{}";
        assert_eq!(read(bytes).await.unwrap(), [json!({})]);
    }

    #[tokio::test]
    async fn what_is_no_message_is_an_error() {
        let long = format!("{}\r\n\r\n", "x".repeat(10_000));
        for bytes in [
            "\r\n{}",
            "Content-Length: x\r\n\r\n{}",
            "Content-Length: 99999999999\r\n\r\n{}",
            "Content-Length: 5\r\n\r\n{}",
            "Content-Length: 2\r\n\r\n{x",
            long.as_str(),
        ] {
            assert!(read(bytes.as_bytes()).await.is_err(), "{bytes:.40}");
        }
    }
}

//! Reading requests and writing answers, as much of HTTP/1.1 as a delivery uses.

use std::io::{self, BufRead, Read, Write};

use crate::{Answer, Request, answer::Ending};

/// Reads one request; `None` when the client closed the connection between two requests.
///
/// `continue_to` is where an expected `100 Continue` goes.
pub(crate) fn read_request(
    reader: &mut impl BufRead,
    continue_to: &mut impl Write,
) -> io::Result<Option<Request>> {
    let Some(line) = read_line(reader)? else { return Ok(None) };
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0")) =
        (words.next(), words.next(), words.next())
    else {
        return Err(invalid(format!("not a request line: {line:?}")));
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let mut request = Request {
        order: 0,
        method: method.to_owned(),
        path: path.to_owned(),
        query,
        headers: read_headers(reader)?,
        body: Vec::new(),
        answered: 0,
    };
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        continue_to.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    request.body = read_body(reader, &request)?;
    Ok(Some(request))
}

pub(crate) fn wants_close(request: &Request) -> bool {
    request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

pub(crate) fn write_answer(writer: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if answer.ending == Ending::ClosedAfter {
        head.push_str("connection: close\r\n");
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", answer.body.len()));
    // One write: a head and a body in two packets would meet Nagle and delayed acknowledgements.
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&answer.body);
    writer.write_all(&bytes)?;
    writer.flush()
}

fn read_headers(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?.ok_or_else(ended)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| invalid(format!("not a header: {line:?}")))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_body(reader: &mut impl BufRead, request: &Request) -> io::Result<Vec<u8>> {
    if request
        .header("transfer-encoding")
        .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    {
        return read_chunks(reader);
    }
    let Some(length) = request.header("content-length") else { return Ok(Vec::new()) };
    let length = length
        .parse::<u64>()
        .map_err(|error| invalid(format!("content-length {length:?}: {error}")))?;
    read_exactly(reader, length)
}

fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?.ok_or_else(ended)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16)
            .map_err(|error| invalid(format!("size of a chunk {line:?}: {error}")))?;
        if size == 0 {
            break;
        }
        body.extend(read_exactly(reader, size)?);
        read_line(reader)?;
    }
    while !read_line(reader)?.ok_or_else(ended)?.is_empty() {} // trailers
    Ok(body)
}

fn read_exactly(reader: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = reader.by_ref().take(length).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read == length) { Ok(bytes) } else { Err(ended()) }
}

/// One line without its end; `None` at the end of the stream.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended inside a request")
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        400 => "Bad Request",
        404 => "Not Found",
        409 => "Conflict",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Answer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &str) -> io::Result<Option<Request>> {
        read_request(&mut bytes.as_bytes(), &mut Vec::new())
    }

    #[test]
    fn a_body_of_known_length_is_read_and_no_further() {
        let mut bytes =
            "POST /a?b=c HTTP/1.1\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabcGET".as_bytes();
        let request = read_request(&mut bytes, &mut Vec::new()).unwrap().unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/a"));
        assert_eq!(request.query.as_deref(), Some("b=c"));
        assert_eq!(request.header("x-a"), Some("b"));
        assert_eq!(request.text(), "abc");
        assert_eq!(bytes, b"GET");
    }

    #[test]
    fn chunks_are_joined_and_trailers_skipped() {
        let request = read(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nt: u\r\n\r\n",
        );
        assert_eq!(request.unwrap().unwrap().text(), "abc0123456789");
    }

    #[test]
    fn a_request_cut_short_is_an_error_and_a_connection_without_one_is_not() {
        assert!(read("").unwrap().is_none());
        for cut in [
            "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc",
            "POST / HTTP/1.1\r\nContent-",
            "what",
        ] {
            assert!(read(cut).is_err(), "{cut:?}");
        }
    }

    #[test]
    fn a_client_that_waits_for_leave_gets_it() {
        let mut leave = Vec::new();
        let request = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na";
        read_request(&mut request.as_bytes(), &mut leave).unwrap().unwrap();
        assert_eq!(leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    }
}

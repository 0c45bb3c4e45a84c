//! The target that is a line: in a file, or on the console.
//!
//! One payload is one line. White space between JSON tokens may become a space, and a line break in
//! a text payload is written as `\n`; nothing else changes.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::console;
use crate::target::{Answer, Delivery, Sending, Target};

pub enum LogTarget {
    /// Standard output, each line headed by its delivery's id.
    Console,
    /// A file, appended to; made when it is not there. Lines are payloads and nothing else.
    File(Arc<LogFile>),
}

pub struct LogFile {
    path: PathBuf,
    /// Whether the file was seen to end with a whole line. Guards the writing, too.
    is_whole: Mutex<bool>,
}

impl LogTarget {
    pub fn file(path: &Path) -> Self {
        Self::File(Arc::new(LogFile { path: path.to_owned(), is_whole: Mutex::new(false) }))
    }
}

impl Target for LogTarget {
    fn send<'a>(&'a self, delivery: &'a Delivery) -> Sending<'a> {
        self.send_together(std::slice::from_ref(delivery))
    }

    fn send_together<'a>(&'a self, deliveries: &'a [Delivery]) -> Sending<'a> {
        Box::pin(async move {
            let mut lines = String::new();
            for delivery in deliveries {
                if let Self::Console = self {
                    lines.push_str(&delivery.id.to_string());
                    lines.push(' ');
                }
                let body = String::from_utf8_lossy(&delivery.body);
                lines.push_str(&one_line(&body, &delivery.content_type));
                lines.push('\n');
            }
            let (place, written) = match self {
                Self::Console => ("console".to_owned(), console::write(lines).await),
                Self::File(file) => {
                    let (file, place) = (Arc::clone(file), file.path.display().to_string());
                    let task = tokio::task::spawn_blocking(move || file.append(&lines));
                    (place, task.await.unwrap_or_else(|error| Err(io::Error::other(error))))
                }
            };
            match written {
                Ok(()) => Answer::Accepted,
                Err(error) => Answer::Unavailable {
                    reason: format!("log to {place}: {error}"),
                    retry_after: None,
                },
            }
        })
    }
}

impl LogFile {
    /// Opens anew for every line, so that a file that was rotated away is begun again.
    fn append(&self, line: &str) -> io::Result<()> {
        let mut is_whole = self.is_whole.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = OpenOptions::new().append(true).read(true).create(true).open(&self.path)?;
        if !*is_whole && !ends_with_a_line_break(&mut file)? {
            file.write_all(b"\n")?;
        }
        *is_whole = false; // Until this line is written whole.
        file.write_all(line.as_bytes())?;
        *is_whole = true;
        Ok(())
    }
}

fn ends_with_a_line_break(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == [b'\n'])
}

fn one_line<'a>(body: &'a str, content_type: &str) -> Cow<'a, str> {
    if !body.contains(['\n', '\r']) {
        return Cow::Borrowed(body);
    }
    // Within JSON strings line breaks are escaped already: what is left stands between tokens.
    let is_json = content_type.contains("json");
    Cow::Owned(if is_json {
        body.replace(['\n', '\r'], " ")
    } else {
        body.replace('\r', "\\r").replace('\n', "\\n")
    })
}

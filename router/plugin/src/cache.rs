//! Compiled code, kept between starts.
//!
//! ```text
//! <dir>/<sha-256 of format, engine and file>.code
//! file = checksum: [u8; 32]   code: the rest          (checksum = SHA-256 of code)
//! ```
//!
//! # Invariants
//!
//! - wasmtime trusts what it deserializes, so only files of a folder that nobody else may write to are read, and only
//!   when their checksum fits.
//! - The cache may lose anything at any time: a missing, damaged or foreign entry is compiled again. A cache that
//!   cannot be written is reported once per entry and otherwise does not matter.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use tracing::{debug, warn};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::CodeFrom;

/// Changes whenever the same component would be compiled differently for reasons that the engine does not know of.
const FORMAT: &str = "slipswitch compiled code 1";
const CHECKSUM_BYTES: usize = 32;
const EXTENSION: &str = "code";
/// The oldest entries go when there are more.
const ENTRIES_MAX: usize = 256;

#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    /// Stands for the engine's version and settings.
    engine: u64,
    /// Files begun, so that each has a name of its own.
    written: AtomicU64,
}

impl Cache {
    /// Makes the folder, and refuses one that others may write to.
    pub(crate) fn open(dir: &Path, engine: &Engine) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let meta = fs::metadata(dir)?;
        if meta.permissions().mode() & 0o022 != 0 {
            return Err(io::Error::other(
                "others may write to the folder: `chmod 700` it, or name another",
            ));
        }
        if meta.uid() != own_uid() {
            return Err(io::Error::other(
                "the folder belongs to another user: name one of your own",
            ));
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { dir: dir.to_owned(), engine: hasher.finish(), written: AtomicU64::new(0) })
    }

    /// What is compiled of `file`: from the folder, or by the compiler; and which it was.
    pub(crate) fn get_or_compile<C: Compiled>(
        &self,
        engine: &Engine,
        file: &[u8],
    ) -> wasmtime::Result<(C, CodeFrom)> {
        let path = self.path(file);
        if let Some(code) = self.read(&path)
            && let Some(ready) = deserialize(engine, &code)
        {
            return Ok((ready, CodeFrom::Cache));
        }
        let compiled = C::compile(engine, file)?;
        let code = compiled.serialize()?;
        if let Err(error) = self.write(&path, &code) {
            warn!(path = %path.display(), %error, "compiled plugin not kept");
        }
        Ok((compiled, CodeFrom::Compiler))
    }

    fn path(&self, file: &[u8]) -> PathBuf {
        let mut hash = Sha256::new();
        hash.update(FORMAT);
        hash.update(self.engine.to_le_bytes());
        hash.update(file);
        self.dir.join(hex(&hash.finalize())).with_extension(EXTENSION)
    }

    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let file = fs::read(path).ok()?;
        let (checksum, code) = file.split_at_checked(CHECKSUM_BYTES)?;
        if Sha256::digest(code).as_slice() != checksum {
            warn!(path = %path.display(), "damaged entry of the compiled plugins' cache, compiling again");
            return None;
        }
        Some(code.to_vec())
    }

    fn write(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        // Two threads may write the same code.
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let aside = path.with_extension(format!("{}-{number}.new", std::process::id()));
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        io::Write::write_all(&mut file, &Sha256::digest(code))?;
        io::Write::write_all(&mut file, code)?;
        drop(file);
        fs::rename(&aside, path)?;
        self.prune()
    }

    fn prune(&self) -> io::Result<()> {
        let mut entries: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|it| it == EXTENSION) {
                entries.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        entries.sort();
        for (_, path) in entries.iter().rev().skip(ENTRIES_MAX) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// Compiled code of one of wasmtime's two kinds. Which of them a file is made is told by its first bytes.
pub(crate) trait Compiled: Sized {
    fn compile(engine: &Engine, file: &[u8]) -> wasmtime::Result<Self>;

    fn serialize(&self) -> wasmtime::Result<Vec<u8>>;

    /// # Safety
    ///
    /// The bytes are those that `serialize` gave.
    #[expect(unsafe_code, reason = "wasmtime trusts what it deserializes")]
    unsafe fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Self>;
}

macro_rules! compiled {
    ($kind:ty) => {
        impl Compiled for $kind {
            fn compile(engine: &Engine, file: &[u8]) -> wasmtime::Result<Self> {
                Self::from_binary(engine, file)
            }

            fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
                self.serialize()
            }

            #[expect(unsafe_code, reason = "wasmtime trusts what it deserializes")]
            unsafe fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Self> {
                // SAFETY: the caller's promise.
                unsafe { Self::deserialize(engine, code) }
            }
        }
    };
}
compiled!(Component);
compiled!(Module);

#[expect(unsafe_code, reason = "wasmtime trusts what it deserializes")]
fn deserialize<C: Compiled>(engine: &Engine, code: &[u8]) -> Option<C> {
    // SAFETY: the bytes were written by `Cache::write` from `Compiled::serialize`: the folder is ours alone and the
    // checksum fits. An engine of another version refuses them by itself.
    match unsafe { C::deserialize(engine, code) } {
        Ok(code) => Some(code),
        Err(error) => {
            debug!(%error, "compiled plugin is of another engine, compiling again");
            None
        }
    }
}

#[expect(unsafe_code, reason = "the standard library does not tell the process's user")]
fn own_uid() -> u32 {
    // SAFETY: always succeeds and touches no memory.
    unsafe { libc::geteuid() }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

//! Debian's Rust compiler with a wasm32 standard library, for machines where rustup cannot download.
//!
//! ```text
//! target/wasm-toolchain/
//!   apt/      package lists and archives: apt's own state, so that the machine's stays as it is
//!   root/     the packages, unpacked
//!   std/      an empty crate; building it builds the standard library from Debian's sources
//!   rustc     a script that runs root's compiler with root's libraries
//!   stamp     what the finished folder contains; written last
//! ```
//!
//! # Invariants
//!
//! - Works without root: nothing is installed, packages are only unpacked.
//! - A folder whose stamp does not describe what is there is not used: it is made again. What was
//!   downloaded is kept (apt checks it against the lists), so an interrupted run goes on where it was.
//! - Compiler and sources are of one version: the standard library builds with its own compiler only.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::{TARGET, cargo, read, run};
use crate::print::complaint;

/// Changes whenever this module would build another folder out of the same packages.
const STAMP_FORMAT: &str = "slipswitch wasm toolchain 1";
/// Names, through its version and its dependencies, all other packages.
const LEAD_PACKAGE: &str = "libstd-rust-web-dev";
const PACKAGE_COUNT_MAX: usize = 40;

const MEND: &str = "SLIPSWITCH_WASM=debian needs Debian 12 or later with apt-get, dpkg-deb, rustup's Rust toolchain \
    and a reachable mirror; elsewhere unset it and use `rustup target add wasm32-unknown-unknown`";

/// The compiler, as the path of a script that takes rustc's arguments.
pub(super) fn ensure(folder: &Path) -> anyhow::Result<PathBuf> {
    let rustc = folder.join("rustc");
    let stamp = folder.join("stamp");
    if let Ok(written) = fs::read_to_string(&stamp)
        && describe(folder).is_ok_and(|found| found == written)
    {
        return Ok(rustc);
    }
    build(folder).context(MEND)?;
    let found = describe(folder)?;
    fs::write(&stamp, found).with_context(|| format!("write {}", stamp.display()))?;
    Ok(rustc)
}

/// Everything that a build leans on: the compiler's own word, and the libraries with their sizes.
fn describe(folder: &Path) -> anyhow::Result<String> {
    let version = read(Command::new(folder.join("rustc")).arg("-vV"))?;
    let linker = folder.join("root/usr/lib/rustlib").join(host(&version)?).join("bin/rust-lld");
    ensure!(linker.exists(), "{} is missing", linker.display());
    let mut libraries = BTreeSet::new();
    for entry in fs::read_dir(libraries_folder(folder))? {
        let entry = entry?;
        libraries.insert(format!("{} {}", entry.file_name().display(), entry.metadata()?.len()));
    }
    ensure!(!libraries.is_empty(), "no libraries for {TARGET}");
    let libraries = libraries.into_iter().collect::<Vec<_>>().join("\n");
    Ok(format!("{STAMP_FORMAT}\n{version}{libraries}\n"))
}

fn build(folder: &Path) -> anyhow::Result<()> {
    complaint(
        "plugins are WebAssembly; no compiler for it is installed, and SLIPSWITCH_WASM=debian is set:",
    );
    complaint(&format!(
        "making one of Debian's packages in {} (nothing is installed)",
        folder.display()
    ));
    fs::create_dir_all(folder)?;
    let folder = &folder.canonicalize()?;
    let apt = Apt::new(folder.join("apt"))?;
    complaint("reading Debian's package lists (about 10 MB)");
    apt.update()?;
    let packages = packages(&apt)?;
    complaint(&format!(
        "downloading {} packages (about 150 MB): {}",
        packages.len(),
        packages.join(" ")
    ));
    let archives = apt.download(&packages)?;
    complaint("unpacking (about 550 MB)");
    unpack(folder, &archives)?;
    write_compiler(folder)?;
    complaint("building the standard library for wasm32-unknown-unknown, once (under a minute)");
    build_standard_library(folder)
}

/// apt with its own lists and archives; only the sources and keys are the machine's.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new(folder: PathBuf) -> anyhow::Result<Self> {
        for part in ["lists/partial", "cache/archives/partial", "archives"] {
            fs::create_dir_all(folder.join(part))?;
        }
        Ok(Self { folder })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.join("archives"));
        command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
        for (key, part) in [("Dir::State::lists", "lists"), ("Dir::Cache", "cache")] {
            command.arg("-o").arg(format!("{key}={}", self.folder.join(part).display()));
        }
        // apt's own user may not enter our folder; without this it warns on every file.
        command.args(["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"]);
        command
    }

    fn update(&self) -> anyhow::Result<()> {
        run(self.command("apt-get").args(["update", "-qq"]))
    }

    /// The version that apt would install.
    fn candidate(&self, package: &str) -> anyhow::Result<String> {
        let policy = read(self.command("apt-cache").args(["policy", package]))?;
        let line = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate:"));
        match line.map(str::trim) {
            Some(version) if version != "(none)" => Ok(version.to_owned()),
            _ => bail!("Debian's package {package} is not in the lists of this machine's mirrors"),
        }
    }

    /// The names that a package of a version depends on, first alternatives only.
    fn depends(&self, package: &str, version: &str) -> anyhow::Result<Vec<String>> {
        let shown =
            read(self.command("apt-cache").args(["show", &format!("{package}={version}")]))?;
        let line = shown.lines().find_map(|line| line.strip_prefix("Depends:")).unwrap_or_default();
        let names = line.split(',').filter_map(|part| part.split_whitespace().next());
        Ok(names.map(|name| name.split(':').next().unwrap_or(name).to_owned()).collect())
    }

    fn download(&self, packages: &[String]) -> anyhow::Result<Vec<PathBuf>> {
        let folder = self.folder.join("archives");
        let wanted: BTreeSet<_> = packages.iter().map(|package| archive_start(package)).collect();
        // Archives of an earlier version would be unpacked over the right ones.
        for path in archives(&folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !wanted.iter().any(|start| name.starts_with(start)) {
                fs::remove_file(&path)?;
            }
        }
        run(self.command("apt-get").args(["download", "-qq"]).args(packages))?;
        archives(&folder)
    }
}

/// How apt names the archive of `name=version`.
fn archive_start(package: &str) -> String {
    let (name, version) = package.split_once('=').unwrap_or((package, ""));
    format!("{name}_{}_", version.replace(':', "%3a"))
}

fn archives(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let paths =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|it| it == "deb")).collect())
}

/// The compiler and the sources of one version, and the libraries that the machine lacks for it.
fn packages(apt: &Apt) -> anyhow::Result<Vec<String>> {
    let version = apt.candidate(LEAD_PACKAGE)?;
    let mut packages = vec![format!("{LEAD_PACKAGE}={version}")];
    for name in ["rustc-web", "rust-web-src"] {
        packages.push(format!("{name}={version}"));
    }
    let mut seen = BTreeSet::new();
    let mut open = apt.depends(LEAD_PACKAGE, &version)?;
    while let Some(name) = open.pop() {
        // The compiler's own libraries are never taken from the machine: they must fit each other.
        let is_ours = name.starts_with("libstd-rust") || name.starts_with("libllvm");
        if !seen.insert(name.clone()) || (!is_ours && is_on_the_machine(&name)) {
            continue;
        }
        ensure!(
            packages.len() < PACKAGE_COUNT_MAX,
            "{LEAD_PACKAGE} needs more than {PACKAGE_COUNT_MAX} packages"
        );
        let version = apt.candidate(&name)?;
        open.extend(apt.depends(&name, &version)?);
        packages.push(format!("{name}={version}"));
    }
    Ok(packages)
}

fn is_on_the_machine(package: &str) -> bool {
    let status =
        read(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status} ", package]));
    status.is_ok_and(|status| status.split_whitespace().any(|word| word == "installed"))
}

fn unpack(folder: &Path, archives: &[PathBuf]) -> anyhow::Result<()> {
    let root = folder.join("root");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    fs::create_dir_all(&root)?;
    for archive in archives {
        run(Command::new("dpkg-deb").arg("-x").arg(archive).arg(&root))?;
    }
    Ok(())
}

/// The script that runs the unpacked compiler, and the linker that Debian's package leaves out.
fn write_compiler(folder: &Path) -> anyhow::Result<()> {
    let script = folder.join("rustc");
    let text = "#!/bin/sh\n\
        root=$(cd \"$(dirname \"$0\")\" && pwd)/root\n\
        for folder in \"$root\"/usr/lib/*-linux-gnu; do\n\
        \tLD_LIBRARY_PATH=\"$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\"\n\
        done\n\
        export LD_LIBRARY_PATH\n\
        exec \"$root/usr/bin/rustc\" \"$@\"\n";
    fs::write(&script, text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;

    let host = host(&read(Command::new(&script).arg("-vV"))?)?;
    let sysroot = read(Command::new("rustc").args(["--print", "sysroot"]))?;
    let linker = Path::new(sysroot.trim()).join("lib/rustlib").join(&host).join("bin/rust-lld");
    ensure!(linker.exists(), "the active toolchain has no rust-lld ({})", linker.display());
    let bin = folder.join("root/usr/lib/rustlib").join(&host).join("bin");
    fs::create_dir_all(&bin)?;
    symlink(linker, bin.join("rust-lld"))?;
    Ok(())
}

fn host(version: &str) -> anyhow::Result<String> {
    let line = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("`rustc -vV` names no host")?.to_owned())
}

fn libraries_folder(folder: &Path) -> PathBuf {
    folder.join("root/usr/lib/rustlib").join(TARGET).join("lib")
}

/// Builds an empty crate together with the standard library, and keeps the latter.
fn build_standard_library(folder: &Path) -> anyhow::Result<()> {
    let library = folder.join("root/usr/lib/rustlib/src/rust/library");
    ensure!(library.join("vendor").is_dir(), "{} has no vendored sources", library.display());
    let project = folder.join("std");
    fs::create_dir_all(project.join("src"))?;
    let manifest = "[package]\nname = \"std-for-plugins\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(project.join("Cargo.toml"), manifest)?;
    fs::write(project.join("src/lib.rs"), "#![no_std]\n")?;

    let mut command = cargo();
    command.current_dir(&project).env("RUSTC", folder.join("rustc")).env("RUSTC_BOOTSTRAP", "1");
    // The caller's flags are for the caller's code.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"]
    {
        command.env_remove(name);
    }
    command.args(["build", "--quiet", "--release", "--offline", "--target", TARGET]);
    command.args(["-Zbuild-std=std,panic_abort", "--target-dir", "target"]);
    command.args(["--config", "source.crates-io.replace-with=\"vendor\""]);
    command.arg("--config").arg(format!("source.vendor.directory={:?}", library.join("vendor")));
    run(&mut command)?;

    let target = libraries_folder(folder);
    fs::create_dir_all(&target)?;
    for entry in fs::read_dir(project.join("target").join(TARGET).join("release/deps"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libstd_for_plugins") {
            fs::copy(&path, target.join(&name)).with_context(|| format!("copy {name}"))?;
        }
    }
    fs::remove_dir_all(project.join("target"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_named_as_apt_names_it() {
        assert_eq!(
            archive_start("libllvm22=1:22.1.8-1~deb12u1"),
            "libllvm22_1%3a22.1.8-1~deb12u1_"
        );
        assert_eq!(
            archive_start("rustc-web=1.96.0+dfsg1-1~deb12u2"),
            "rustc-web_1.96.0+dfsg1-1~deb12u2_"
        );
    }
}

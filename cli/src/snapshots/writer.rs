//! Writes snapshots while the program runs on: taking one only copies what the store holds.

use crate::failure::Failure;
use indicatif::{ProgressBar, ProgressStyle};
use sheave::{Modules, Snapshot};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Writes to one file, one snapshot at a time.
pub(crate) struct Writer {
    path: PathBuf,
    modules: Modules,
    under_way: Option<JoinHandle<Result<(), String>>>,
}

impl Writer {
    /// For a file, which need not exist; its folder must.
    pub(crate) fn new(path: &Path, modules: Modules) -> Result<Self, Failure> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        if path.file_name().is_none() || !folder.is_dir() {
            return Err(Failure::of(path, "no snapshot can be written there"));
        }
        sweep(folder, path);
        Ok(Self {
            path: path.to_owned(),
            modules,
            under_way: None,
        })
    }

    /// Whether one is being written now.
    pub(crate) fn is_busy(&mut self) -> bool {
        self.under_way.as_ref().is_some_and(|w| !w.is_finished())
    }

    /// Begins to write; waits for the one before.
    ///
    /// # Errors
    /// With why the one before could not be written.
    pub(crate) fn begin(&mut self, snapshot: Snapshot) -> Result<(), String> {
        let before = self.finish();
        let (path, modules) = (self.path.clone(), self.modules);
        let write = move || write(&snapshot, &path, modules);
        self.under_way = Some(std::thread::spawn(write));
        before
    }

    /// Waits until the last one is written.
    ///
    /// # Errors
    /// With why it could not be.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        match self.under_way.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(written)) => written,
            Some(Err(_)) => Err(format!("{}: the writer panicked", self.path.display())),
        }
    }
}

/// How long it takes to write before it shows how far it has come.
const PATIENCE: Duration = Duration::from_millis(200);

/// Writes a snapshot; on a terminal, what takes long shows how far it has come.
fn write(snapshot: &Snapshot, path: &Path, modules: Modules) -> Result<(), String> {
    let start = Instant::now();
    let mut bar = None;
    let written = snapshot.write_with(path, modules, |done, all| {
        if bar.is_none() && start.elapsed() > PATIENCE && std::io::stderr().is_terminal() {
            bar = Some(progress_bar(path, all));
        }
        if let Some(bar) = &bar {
            bar.set_position(done);
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    written.map_err(|error| format!("{error:#}"))
}

fn progress_bar(path: &Path, bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes).with_message(path.display().to_string());
    let template = "writing {msg} {wide_bar} {bytes}/{total_bytes} {eta}";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Removes what processes that were killed while they wrote have left: `.NAME.PROCESS.NUMBER`.
fn sweep(folder: &Path, path: &Path) {
    // Only where it is known which processes are still there.
    if !Path::new("/proc/self/stat").exists() {
        return;
    }
    let prefix = format!(
        ".{}.",
        path.file_name().unwrap_or_default().to_string_lossy()
    );
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let numbers = name.to_str().and_then(|n| n.strip_prefix(&prefix));
        let process = numbers.and_then(|n| {
            let (process, number) = n.split_once('.')?;
            number.parse::<u32>().ok()?;
            process.parse::<u32>().ok()
        });
        if process.is_some_and(|p| !Path::new(&format!("/proc/{p}")).exists()) {
            // Whatever becomes of it, the snapshot is another file.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_processes_that_are_gone_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snap");
        let gone = ".snap.4294967294.0".to_owned();
        let ours = format!(".snap.{}.0", std::process::id());
        let others = [
            ".snap.x.0",
            ".snap.4294967294",
            ".other.4294967294.0",
            "snap",
        ];
        let all = others
            .map(str::to_owned)
            .into_iter()
            .chain([gone.clone(), ours]);
        all.for_each(|name| std::fs::write(folder.path().join(name), "").unwrap());
        Writer::new(&path, Modules::Embedded).unwrap();
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        let removed = !folder.path().join(gone).exists();
        assert_eq!(removed, Path::new("/proc/self/stat").exists());
        assert_eq!(left, if removed { 5 } else { 6 });
        assert!(Writer::new(&folder.path().join("none/snap"), Modules::Embedded).is_err());
    }
}

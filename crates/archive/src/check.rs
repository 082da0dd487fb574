//! Every problem of a site, not only the first.

use std::fs::File;
use std::path::Path;

use crate::archive::Archive;
use crate::index::Index;
use crate::problem::{Error, Problem, Severity};
use crate::source::ReadAt;
use crate::{INDEX_NAME, digest, format, scan};

/// Scan an archive from end to end; compare its index and content hashes with the data.
pub fn check(path: &Path) -> Result<Vec<Problem>, Error> {
    if std::fs::metadata(path)?.is_dir() {
        return match Archive::open(path) {
            Ok(archive) => Ok(archive.warnings().to_vec()),
            Err(Error::Refused(problem)) => Ok(vec![problem]),
            Err(error) => Err(error),
        };
    }
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let (mut problems, scanned) = scan::scan(&file, len)?.into_problems();
    match format::read(&file, len) {
        Ok(None) => {}
        Ok(Some(packed)) => {
            if let Some(scanned) = scanned {
                compare(&packed, &scanned, &mut problems);
            }
            verify_contents(&file, &packed, &mut problems);
        }
        Err(Error::Refused(problem)) => problems.push(problem),
        Err(error) => return Err(error),
    }
    Ok(problems)
}

/// The index has to say what the headers say, or tar tools and we would serve different files.
fn compare(packed: &Index, scanned: &Index, problems: &mut Vec<Problem>) {
    let mut differs = |name: &str, offset: u64, message: &str| {
        problems.push(Problem {
            severity: Severity::Fatal,
            entry: name.to_owned(),
            offset,
            message: message.to_owned(),
        });
    };
    for id in packed.ids() {
        let entry = packed.entry(id);
        let Some(other) = scanned.find(entry.name).map(|id| scanned.entry(id)) else {
            differs(entry.name, entry.offset, "in the index, but not in the archive");
            continue;
        };
        if (entry.offset, entry.size, entry.mtime) != (other.offset, other.size, other.mtime) {
            differs(entry.name, other.offset, "the index and the entry's header differ");
        }
    }
    for id in scanned.ids() {
        let entry = scanned.entry(id);
        if entry.name != INDEX_NAME && packed.find(entry.name).is_none() {
            differs(entry.name, entry.offset, "in the archive, but not in the index");
        }
    }
}

fn verify_contents(file: &File, packed: &Index, problems: &mut Vec<Problem>) {
    let mut buf = vec![0; 256 * 1024];
    for id in packed.ids() {
        let entry = packed.entry(id);
        let mut hasher = digest::ContentHasher::new();
        let mut at = 0;
        let mut failed = None;
        while at < entry.size {
            let n = (entry.size - at).min(buf.len() as u64) as usize;
            if let Err(error) = ReadAt::read_exact_at(file, &mut buf[..n], entry.offset + at) {
                failed = Some(Error::Io(error).to_string());
                break;
            }
            hasher.update(&buf[..n]);
            at += n as u64;
        }
        let message = match failed {
            Some(error) => error,
            None if entry.digest != Some(hasher.digest()) => {
                "its data does not match the content hash in the index".into()
            }
            None => continue,
        };
        problems.push(Problem {
            severity: Severity::Fatal,
            entry: entry.name.to_owned(),
            offset: entry.offset,
            message,
        });
    }
}

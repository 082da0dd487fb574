//! Archives, content hashes and media types.

use std::path::PathBuf;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroserve_archive as archive;
use zeroserve_archive::{NewEntry, Variant, etag_of, is_hidden};
use zeroserve_http::media;

use crate::{refuse, tuples};

/// Bytes above which hashing lets go of the GIL.
const DETACH_BYTES: usize = 64 * 1024;

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Archive>()?;
    module.add_class::<ContentHasher>()?;
    module.add_function(wrap_pyfunction!(content_type, module)?)?;
    module.add_function(wrap_pyfunction!(compressible, module)?)?;
    module.add_function(wrap_pyfunction!(encode_index, module)?)?;
    module.add_function(wrap_pyfunction!(check, module)?)
}

/// Content-Type for a file name, with charset for text.
#[pyfunction]
fn content_type(name: &str) -> String {
    media::content_type(name).into_owned()
}

/// Whether files of this type are worth compressing.
#[pyfunction]
fn compressible(name: &str) -> bool {
    media::is_compressible(name)
}

/// Incremental content hash of which entity tags are made.
#[pyclass]
struct ContentHasher(archive::ContentHasher);

#[pymethods]
impl ContentHasher {
    #[new]
    fn new() -> Self {
        Self(archive::ContentHasher::new())
    }

    /// Add the next part of the content.
    #[pyo3(signature = (data, /))]
    fn update(&mut self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(bytes) = data.cast::<PyBytes>() {
            // Bytes objects never change, so they can be read without the GIL.
            let bytes = bytes.as_bytes();
            if bytes.len() > DETACH_BYTES {
                py.detach(|| self.0.update(bytes));
            } else {
                self.0.update(bytes);
            }
            return Ok(());
        }
        // Other buffers may change while they are read: take a copy first.
        let copy = PyBuffer::<u8>::get(data)?.to_vec(py)?;
        py.detach(|| self.0.update(&copy));
        Ok(())
    }

    /// The digest of all content so far: 16 bytes.
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.digest())
    }
}

/// Data of the `.zeroserve/index` entry.
#[pyfunction]
fn encode_index<'py>(
    py: Python<'py>,
    entries: Vec<(String, u64, u64, i64, archive::Digest)>,
    index_offset: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let data = py.detach(|| {
        let entries: Vec<_> = entries
            .iter()
            .map(|(name, offset, size, mtime, digest)| NewEntry {
                name,
                offset: *offset,
                size: *size,
                mtime: *mtime,
                digest: *digest,
            })
            .collect();
        archive::encode_index(&entries, index_offset)
    });
    data.map(|data| PyBytes::new(py, &data)).map_err(|error| refuse(error.to_string()))
}

/// Every problem of a site.
#[pyfunction]
fn check(py: Python<'_>, path: PathBuf) -> PyResult<Vec<Bound<'_, PyAny>>> {
    let found = py.detach(|| archive::check(&path));
    let found = found.map_err(|error| refuse(format!("{}: {error}", path.display())))?;
    tuples::problems(py, &found)
}

/// An archive or directory opened for reading.
#[pyclass(frozen)]
struct Archive(archive::Archive);

#[pymethods]
impl Archive {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let opened = py.detach(|| archive::Archive::open(&path));
        opened.map(Self).map_err(|error| refuse(format!("{}: {error}", path.display())))
    }

    /// True when it carries an index made by `pack`.
    #[getter]
    fn indexed(&self) -> bool {
        self.0.is_indexed()
    }

    /// Entries left out of the site.
    #[getter]
    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        tuples::problems(py, self.0.warnings())
    }

    fn __len__(&self) -> usize {
        self.0.index().len()
    }

    /// The entries whose names begin with `under`, in byte order of the names.
    #[pyo3(signature = (*, under = ""))]
    fn entries<'py>(&self, py: Python<'py>, under: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let class = tuples::class(py, "Entry")?;
        let index = self.0.index();
        let ids = index.ids().filter(|id| index.entry(*id).name.starts_with(under));
        let rows = ids.map(|id| {
            let entry = index.entry(id);
            let encodings: Vec<_> = Variant::ALL
                .iter()
                .filter(|&&variant| entry.variant(variant).is_some())
                .map(|variant| variant.coding())
                .collect();
            class.call1((
                entry.name,
                entry.size,
                entry.mtime,
                entry.offset,
                entry.digest.map_or(String::new(), |digest| etag_of(&digest)),
                pyo3::types::PyTuple::new(py, encodings)?,
                entry.link.map_or("", |target| index.entry(target).name),
                is_hidden(entry.name),
            ))
        });
        rows.collect()
    }

    /// The bytes of one entry.
    fn read<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyBytes>> {
        let id = self.0.index().find(name).ok_or_else(|| PyKeyError::new_err(name.to_owned()))?;
        let data = py.detach(|| {
            let file = self.0.open_entry(id)?;
            let mut data = vec![0; file.size as usize];
            file.read_exact_at(&mut data, 0)?;
            std::io::Result::Ok(data)
        });
        data.map(|data| PyBytes::new(py, &data))
            .map_err(|error| refuse(format!("entry '{}': {error}", name.escape_debug())))
    }
}

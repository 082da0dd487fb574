//! Media types by file name.
//!
//! The table is `mime_guess`'s; below are only types that it lacks or that standards have since
//! changed. Text is UTF-8: sites are.

use std::borrow::Cow;

/// Extension, media type, and where the type comes from.
const MORE: &[(&str, &str)] = &[
    ("arrow", "application/vnd.apache.arrow.file"), // IANA, 2021
    ("arrows", "application/vnd.apache.arrow.stream"), // IANA, 2021
    ("feather", "application/vnd.apache.arrow.file"), // Feather version 2 is the Arrow file format
    ("ipynb", "application/x-ipynb+json"),          // Jupyter
    ("map", "application/json"),                    // ECMA-426 source maps
    ("mjs", "text/javascript"),                     // RFC 9239
    ("pmtiles", "application/vnd.pmtiles"),         // PMTiles specification, version 3
    ("toml", "application/toml"),                   // IANA, 2024
    ("topojson", "application/json"),
    ("yaml", "application/yaml"), // RFC 9512
    ("yml", "application/yaml"),
    ("zst", "application/zstd"), // RFC 8878
];

/// The Content-Type for a file name, with a charset for text.
pub fn content_type(name: &str) -> Cow<'static, str> {
    let essence = essence(name);
    if is_text(essence) {
        Cow::Owned(format!("{essence}; charset=utf-8"))
    } else {
        Cow::Borrowed(essence)
    }
}

/// Whether files of this type shrink, and are read whole rather than by ranges.
pub fn is_compressible(name: &str) -> bool {
    let essence = essence(name);
    is_text(essence)
        || essence.ends_with("+xml")
        || essence.ends_with("+json")
        || matches!(
            essence,
            "application/geo+json"
                | "application/manifest+json"
                | "application/wasm"
                | "application/rtf"
                | "application/vnd.ms-fontobject"
                | "application/x-sh"
                | "font/otf"
                | "font/ttf"
                | "image/bmp"
                | "image/x-icon"
                | "image/vnd.microsoft.icon"
        )
}

fn essence(name: &str) -> &'static str {
    let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
    let Some((_, extension)) = file.rsplit_once('.') else { return "application/octet-stream" };
    let own = MORE.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
    own.map(|&(_, essence)| essence)
        .or_else(|| mime_guess::from_ext(extension).first_raw())
        .unwrap_or("application/octet-stream")
}

fn is_text(essence: &str) -> bool {
    essence.starts_with("text/")
        || matches!(
            essence,
            "application/json"
                | "application/javascript"
                | "application/xml"
                | "application/yaml"
                | "application/toml"
                | "application/x-ipynb+json"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_people_serve() {
        for (name, expected) in [
            ("a/index.html", "text/html; charset=utf-8"),
            ("x.JS", "text/javascript; charset=utf-8"),
            ("x.mjs", "text/javascript; charset=utf-8"),
            ("x.css", "text/css; charset=utf-8"),
            ("x.json", "application/json; charset=utf-8"),
            ("x.js.map", "application/json; charset=utf-8"),
            ("x.md", "text/markdown; charset=utf-8"),
            ("x.svg", "image/svg+xml"),
            ("x.woff2", "font/woff2"),
            ("x.webp", "image/webp"),
            ("x.avif", "image/avif"),
            ("x.wasm", "application/wasm"),
            ("x.mp4", "video/mp4"),
            ("x.webm", "video/webm"),
            ("x.parquet", "application/vnd.apache.parquet"),
            ("x.arrow", "application/vnd.apache.arrow.file"),
            ("x.tif", "image/tiff"),
            ("x.pmtiles", "application/vnd.pmtiles"),
            ("x.geojson", "application/geo+json"),
            ("x.webmanifest", "application/manifest+json"),
            ("c/0/0", "application/octet-stream"),
            ("dir.d/zarr", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), expected, "{name}");
        }
    }

    #[test]
    fn data_read_by_ranges_is_not_compressed() {
        for name in ["x.parquet", "x.tif", "x.pmtiles", "x.png", "x.zip", "c/0", "x.woff2"] {
            assert!(!is_compressible(name), "{name}");
        }
        for name in ["x.html", "x.svg", "x.json", "x.wasm", "x.geojson", "x.atom", "x.ttf", "x.map"]
        {
            assert!(is_compressible(name), "{name}");
        }
    }
}

//! Screenshots as they lie on this machine: bounded, read only, and never outside the folders that may be read.
//!
//! Invariant: nothing of a file outside those folders, not even whether it exists, reaches a text.

#![expect(clippy::disallowed_methods, reason = "reads screenshots")]

use crate::blobs::BYTES_MAX;
use flywheel_events::Digest;
use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    path::{Component, Path, PathBuf},
};

/// What an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its format, as people call it.
    pub format: &'static str,
    /// Its width in pixels.
    pub width: u64,
    /// Its height in pixels.
    pub height: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// Why there is no image to note; the text names no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Nothing of that name, or nowhere that may be read.
    #[error("not found in the session's folder")]
    NotFound,
    /// A link that leads out of the folders that may be read.
    #[error("it leads outside the session's folder")]
    Outside,
    /// A folder, a pipe, a device.
    #[error("it is not a file")]
    NotAFile,
    /// The machine refuses.
    #[error("the file cannot be read")]
    Unreadable,
    /// More than [`BYTES_MAX`].
    #[error("the file is larger than 64 MiB")]
    TooLarge,
    /// No bytes.
    #[error("the file is empty")]
    Empty,
    /// Its beginning is no known image's.
    #[error("the file is not an image of a known format")]
    NotAnImage,
}

/// Looks at an image. `path` is resolved from `folder` and must lie under it or under one of `roots`.
///
/// # Errors
/// Why there is none.
pub fn look(folder: &Path, roots: &[PathBuf], path: &str) -> Result<Image, Missing> {
    let file = resolve(folder, roots, path)?;
    let mut bytes = Vec::new();
    let opened = File::open(&file).map_err(|_| Missing::Unreadable)?;
    opened.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|_| Missing::Unreadable)?;
    of(&bytes)
}

/// The image that these bytes are.
///
/// # Errors
/// Why they are none.
pub fn of(bytes: &[u8]) -> Result<Image, Missing> {
    if bytes.is_empty() {
        return Err(Missing::Empty);
    }
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Missing::TooLarge);
    }
    let size = imagesize::blob_size(bytes).map_err(|_| Missing::NotAnImage)?;
    let format = imagesize::image_type(bytes).map_err(|_| Missing::NotAnImage)?;
    Ok(Image {
        format: name(&format),
        width: size.width as u64,
        height: size.height as u64,
        bytes: bytes.len() as u64,
        digest: Digest::of(bytes),
    })
}

fn resolve(folder: &Path, roots: &[PathBuf], path: &str) -> Result<PathBuf, Missing> {
    let folder = folder.canonicalize().map_err(|_| Missing::NotFound)?;
    // A session written on Windows says `screenshots\one.png`.
    let path = path.trim().replace('\\', "/");
    let relative = Path::new(&path);
    let stays = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let file = folder.join(relative).canonicalize().map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied if stays => Missing::Unreadable,
        _ => Missing::NotFound,
    })?;
    if !roots.iter().chain([&folder]).any(|root| file.starts_with(root)) {
        return Err(if stays { Missing::Outside } else { Missing::NotFound });
    }
    let metadata = file.metadata().map_err(|_| Missing::Unreadable)?;
    match (metadata.is_file(), metadata.len() > BYTES_MAX) {
        (false, _) => Err(Missing::NotAFile),
        (true, true) => Err(Missing::TooLarge),
        (true, false) => Ok(file),
    }
}

/// The media type of these bytes, where they are an image; of anything else, what any bytes are.
pub fn media_type(bytes: &[u8]) -> &'static str {
    use imagesize::ImageType;
    match imagesize::image_type(bytes) {
        Ok(ImageType::Png) => "image/png",
        Ok(ImageType::Jpeg) => "image/jpeg",
        Ok(ImageType::Gif) => "image/gif",
        Ok(ImageType::Webp) => "image/webp",
        Ok(ImageType::Bmp) => "image/bmp",
        Ok(ImageType::Tiff) => "image/tiff",
        Ok(ImageType::Heif(_)) => "image/heif",
        Ok(ImageType::Jxl) => "image/jxl",
        _ => "application/octet-stream",
    }
}

fn name(format: &imagesize::ImageType) -> &'static str {
    use imagesize::ImageType;
    match format {
        ImageType::Png => "PNG",
        ImageType::Jpeg => "JPEG",
        ImageType::Gif => "GIF",
        ImageType::Webp => "WebP",
        ImageType::Bmp => "BMP",
        ImageType::Tiff => "TIFF",
        ImageType::Heif(_) => "HEIF",
        ImageType::Jxl => "JPEG XL",
        _ => "image",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A PNG of this size: the signature and the header that says so.
    pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend(b"\x08\x02\0\0\0\0\0\0\0");
        bytes
    }

    #[test]
    fn only_images_under_the_folders_are_looked_at() {
        let place = tempfile::tempdir().unwrap();
        let (folder, root) = (place.path().join("session"), place.path().join("root"));
        for directory in [&folder, &root, &folder.join("deep")] {
            std::fs::create_dir_all(directory).unwrap();
        }
        let bytes = png(640, 480);
        std::fs::write(folder.join("deep/a.png"), &bytes).unwrap();
        std::fs::write(root.join("b.png"), &bytes).unwrap();
        std::fs::write(place.path().join("secret.png"), &bytes).unwrap();
        std::fs::write(folder.join("text.png"), "no image").unwrap();
        std::fs::write(folder.join("empty.png"), "").unwrap();
        std::os::unix::fs::symlink(place.path().join("secret.png"), folder.join("link.png")).unwrap();
        std::os::unix::fs::symlink(folder.join("loop.png"), folder.join("loop.png")).unwrap();
        File::create(folder.join("large.png")).unwrap().set_len(BYTES_MAX + 1).unwrap();
        let roots = [root.canonicalize().unwrap()];
        let look = |path: &str| look(&folder, &roots, path);

        let image = look("deep/a.png").unwrap();
        assert_eq!((image.format, image.width, image.height), ("PNG", 640, 480));
        assert_eq!((image.bytes, image.digest), (bytes.len() as u64, Digest::of(&bytes)));
        assert!(look("deep\\a.png").is_ok());
        assert!(look(root.join("b.png").to_str().unwrap()).is_ok());
        for (path, why) in [
            ("gone.png", Missing::NotFound),
            ("../secret.png", Missing::NotFound),
            ("../gone.png", Missing::NotFound),
            (place.path().join("secret.png").to_str().unwrap(), Missing::NotFound),
            ("link.png", Missing::Outside),
            ("loop.png", Missing::NotFound),
            ("deep", Missing::NotAFile),
            ("", Missing::NotAFile),
            ("text.png", Missing::NotAnImage),
            ("empty.png", Missing::Empty),
            ("large.png", Missing::TooLarge),
            ("a\0b", Missing::NotFound),
            ("D:/games/shot.png", Missing::NotFound),
        ] {
            assert_eq!(look(path), Err(why), "{path}");
        }
    }
}

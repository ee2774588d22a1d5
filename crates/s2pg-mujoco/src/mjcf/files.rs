//! The files of which a task is made.

use std::fs;
use std::path::{Path, PathBuf};

/// An MJCF file, and the files to which it and what it includes refer, as far as they are there.
pub(super) fn files_of(model: &Path) -> Vec<PathBuf> {
    let beside = model.parent().unwrap_or(Path::new(""));
    // The directories of assets are said once, and are beside the model whoever refers to them.
    let mut places = vec![beside.to_path_buf()];
    let (mut found, mut next) = (vec![model.to_path_buf()], 0);
    while let Some(file) = found.get(next) {
        next += 1;
        // Meshes and pictures refer to nothing; they are no text, or have no such attributes.
        let Ok(text) = fs::read_to_string(file) else { continue };
        places.extend(file.parent().map(Path::to_path_buf));
        let directories = ["meshdir", "texturedir", "assetdir"].into_iter().flat_map(|key| values(&text, key));
        places.extend(directories.map(|directory| beside.join(directory)));
        for name in values(&text, "file") {
            let there = places.iter().map(|place| place.join(name)).find(|file| file.is_file());
            found.extend(there.filter(|file| !found.contains(file)));
        }
    }
    found
}

/// The values of the attribute `key` in an XML text.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let value = |at: usize| {
        if !text[..at].ends_with(char::is_whitespace) {
            return None;
        }
        let rest = text[at + key.len()..].trim_start().strip_prefix('=')?.trim_start();
        let quote = rest.chars().next().filter(|c| "\"'".contains(*c))?;
        rest[1..].split(quote).next()
    };
    text.match_indices(key).filter_map(|(at, _)| value(at)).collect()
}

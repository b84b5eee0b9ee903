//! The state the host keeps for components, in SQLite files that Spin reads too.

pub(crate) mod key_value;
pub mod limits;
pub(crate) mod sqlite;
mod value;

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Makes a directory for the user alone, and those above it that are missing. One that is there keeps its mode.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes an empty file for the user alone, which is a database without tables to SQLite; SQLite itself would let
/// everybody read it. The files that it puts beside a database get the mode of that.
///
/// A file that is there is not even opened: closing it would release the locks of every connection to it. Where none
/// can be made, opening the database says why.
fn create_private_file(path: &Path) {
    let _ = File::options().write(true).create_new(true).mode(0o600).open(path);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_made_is_for_the_user_alone_and_what_is_there_is_left() {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let root = std::env::temp_dir().join(format!("lanterne-storage-{}", std::process::id()));
        let dir = root.join("a/b");
        create_private_dir(&dir).unwrap();
        let file = dir.join("x.db");
        create_private_file(&file);
        let made = [mode(&root), mode(&dir), mode(&file)];

        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&file, "kept").unwrap();
        create_private_dir(&dir).unwrap();
        create_private_file(&file);
        let left = (mode(&dir), mode(&file), fs::read_to_string(&file).unwrap());
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(made, [0o700, 0o700, 0o600]);
        assert_eq!(left, (0o755, 0o644, "kept".to_owned()));
    }
}

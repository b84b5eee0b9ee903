//! The folder `migrations/`: one folder per migration, `NNNN_words_of_its_name/`, with `up.sql` and `down.sql`.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::error::Error;

/// The longest name of a migration, in characters. The column in `schema_migrations` takes 255.
const NAME_MAX: usize = 100;
/// The files of a migration.
const FILES: [&str; 2] = ["up.sql", "down.sql"];

/// The folder `migrations/`.
pub struct Folder {
    pub(crate) path: PathBuf,
    /// The migrations in it, by number.
    pub migrations: Vec<Migration>,
}

/// A migration on disk.
pub struct Migration {
    /// Its number, from 1, without gaps.
    pub number: usize,
    /// Lower case words joined by `_`.
    pub name: String,
}

impl Migration {
    /// Returns the name of its folder: `0001_create_accounts`.
    pub fn folder(&self) -> String {
        format!("{:04}_{}", self.number, self.name)
    }

    /// Checks the folder that should hold migration `number`.
    fn read(path: &Path, number: usize) -> Result<Self, Error> {
        let fault = |rule: String| Error::Folder(format!("{} {rule}", path.display()));
        let folder = path.file_name().unwrap_or_default().to_string_lossy();
        let prefix = format!("{number:04}_");
        let Some(name) = folder.strip_prefix(&prefix) else {
            return Err(fault(format!("should begin with {prefix} (no gaps, no duplicates)")));
        };
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_word) {
            return Err(fault("should be a number and lower case words joined by _".to_owned()));
        }
        match FILES.iter().find(|file| !path.join(file).is_file()) {
            Some(file) => Err(fault(format!("has no {file}"))),
            None => Ok(Self { number, name: name.to_owned() }),
        }
    }
}

/// Derives the name of a migration from a message: its ASCII letters and digits in lower case, words joined by `_`.
///
/// # Errors
/// [`Error::Name`] if nothing is left, or more than 100 characters are.
pub fn name_of(message: &str) -> Result<String, Error> {
    let words = message.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_");
    if name.is_empty() {
        return Err(Error::Name(format!("the message {message:?} has no ASCII letters or digits for a name")));
    }
    if name.len() > NAME_MAX {
        return Err(Error::Name(format!("the message makes a name of {} characters, above {NAME_MAX}", name.len())));
    }
    Ok(name)
}

impl Folder {
    /// Lists the migrations in the folder `path`.
    ///
    /// # Errors
    /// The folder cannot be read, or a folder in it breaks a rule: numbers without gaps, names, both files.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let entries = fs::read_dir(path).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let entries = entries.map_err(|cause| Error::File { path: path.to_owned(), cause })?;
        let mut folders: Vec<_> = entries.iter().map(fs::DirEntry::path).filter(|path| path.is_dir()).collect();
        folders.sort();
        let migrations = folders.iter().zip(1..).map(|(folder, number)| Migration::read(folder, number));
        Ok(Self { path: path.to_owned(), migrations: migrations.collect::<Result<_, _>>()? })
    }

    /// Refuses the name of an existing migration.
    ///
    /// # Errors
    /// [`Error::Name`] if it is taken.
    pub fn check_name(&self, name: &str) -> Result<(), Error> {
        match self.migrations.iter().find(|migration| migration.name == name) {
            Some(taken) => Err(Error::Name(format!("there is a migration of that name: {}", taken.folder()))),
            None => Ok(()),
        }
    }

    /// Writes the next migration and returns its folder.
    ///
    /// # Errors
    /// The name is taken, or a file cannot be written.
    pub fn add(&self, name: &str, up: &str, down: &str) -> Result<PathBuf, Error> {
        self.check_name(name)?;
        let next = Migration { number: self.migrations.len() + 1, name: name.to_owned() };
        let folder = self.path.join(next.folder());
        fs::create_dir(&folder).map_err(|cause| Error::File { path: folder.clone(), cause })?;
        for (file, text) in FILES.into_iter().zip([up, down]) {
            let path = folder.join(file);
            fs::write(&path, text).map_err(|cause| Error::File { path, cause })?;
        }
        Ok(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_ascii_words() {
        assert_eq!(name_of("Add last-seen, to Users!").unwrap(), "add_last_seen_to_users");
        assert_eq!(name_of("  __x__ ").unwrap(), "x");
        assert_eq!(name_of("../../etc").unwrap(), "etc");
        assert_eq!(name_of(&"x".repeat(NAME_MAX)).unwrap().len(), NAME_MAX);
        for message in ["", " ", "_", "äöü", &"x".repeat(NAME_MAX + 1)] {
            assert!(matches!(name_of(message), Err(Error::Name(_))), "{message:?}");
        }
    }

    #[test]
    fn add_uses_the_next_number_and_refuses_a_taken_name() {
        let temporary = tempfile::tempdir().unwrap();
        let read = || Folder::read(temporary.path()).unwrap();
        assert!(read().add("first", "a", "b").unwrap().ends_with("0001_first"));
        fs::write(temporary.path().join("README.md"), "no folder").unwrap();
        let second = read().add("second", "c", "d").unwrap();
        assert_eq!(second, temporary.path().join("0002_second"));
        assert_eq!(fs::read_to_string(second.join("up.sql")).unwrap(), "c");
        assert_eq!(fs::read_to_string(second.join("down.sql")).unwrap(), "d");
        assert!(matches!(read().add("first", "", ""), Err(Error::Name(_))));
        assert_eq!(read().migrations.len(), 2);
    }

    #[test]
    fn folders_that_break_a_rule_are_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::read(temporary.path()).unwrap().add("first", "", "").unwrap();
        for (name, fault) in [
            ("0002_first", "0002_first should begin with 0001_ (no gaps, no duplicates)"),
            ("1_first", "1_first should begin with 0001_ (no gaps, no duplicates)"),
            ("0001_", "0001_ should be a number and lower case words joined by _"),
            ("0001_First", "0001_First should be a number and lower case words joined by _"),
        ] {
            let renamed = temporary.path().join(name);
            fs::rename(&folder, &renamed).unwrap();
            let error = Folder::read(temporary.path()).err().unwrap().to_string();
            assert!(error.ends_with(fault), "{error}");
            fs::rename(renamed, &folder).unwrap();
        }
        for file in FILES {
            fs::rename(folder.join(file), folder.join("other")).unwrap();
            let error = Folder::read(temporary.path()).err().unwrap().to_string();
            assert!(error.ends_with(&format!("0001_first has no {file}")), "{error}");
            fs::rename(folder.join("other"), folder.join(file)).unwrap();
        }
        assert!(Folder::read(temporary.path()).is_ok());
    }
}

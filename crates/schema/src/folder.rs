//! The folder `migrations/`: what is in it, and the next one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::compare::schema::Schema;
use crate::error::Error;

/// The file with the schema as it should be.
const WANTED: &str = "schema.sql";
/// The longest name of a migration, in characters. The table `schema_migrations` takes 255.
const NAME_MAX: usize = 100;

/// The folder `migrations/`.
pub struct Folder {
    path: PathBuf,
    /// What is in it, by number.
    pub migrations: Vec<Migration>,
}

/// A folder in `migrations/`.
pub struct Migration {
    /// Its number, from 1, without gaps.
    pub number: usize,
    /// The rest of its name.
    pub name: String,
}

impl Migration {
    /// `0001_create_accounts`
    pub fn folder(&self) -> String {
        format!("{:04}_{}", self.number, self.name)
    }
}

/// The name of a migration that does what `message` says: its letters and digits in lower case, joined by `_`.
///
/// # Errors
/// There are none, or too many.
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
    /// Reads the names in the folder `path`.
    ///
    /// # Errors
    /// It cannot be read, or a name breaks the rule that numbers have no gaps.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |cause| Error::File { path: path.to_owned(), cause };
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.path().is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        let mut migrations = Vec::new();
        for (folder, number) in names.into_iter().zip(1..) {
            let expected = format!("{number:04}_");
            let Some(name) = folder.strip_prefix(&expected).filter(|name| !name.is_empty()) else {
                let path = path.join(&folder);
                return Err(Error::Folder(format!(
                    "{} should begin with {expected} (no gaps, no doubles)",
                    path.display()
                )));
            };
            migrations.push(Migration { number, name: name.to_owned() });
        }
        Ok(Self { path: path.to_owned(), migrations })
    }

    /// What the migrations build.
    ///
    /// # Errors
    /// A file cannot be read, or SQLite refuses what is in it.
    pub fn built(&self) -> Result<Schema, Error> {
        self.built_by_first(self.migrations.len())
    }

    /// What the first `count` migrations build.
    ///
    /// # Errors
    /// As for [`Folder::built`].
    pub fn built_by_first(&self, count: usize) -> Result<Schema, Error> {
        let mut texts = Vec::new();
        for migration in self.migrations.iter().take(count) {
            texts.push(self.text(&format!("{}/up.sql", migration.folder()))?);
        }
        Schema::from_sql(texts.iter().map(|(origin, text)| (origin.as_str(), text.as_str())))
    }

    /// The schema as schema.sql says that it should be; `None` if there is no such file.
    ///
    /// # Errors
    /// The file cannot be read, or SQLite refuses what is in it.
    pub fn wanted(&self) -> Result<Option<Schema>, Error> {
        if !self.path.join(WANTED).exists() {
            return Ok(None);
        }
        let (origin, text) = self.text(WANTED)?;
        Schema::from_sql([(origin.as_str(), text.as_str())]).map(Some)
    }

    fn text(&self, file: &str) -> Result<(String, String), Error> {
        let path = self.path.join(file);
        let text = fs::read_to_string(&path).map_err(|cause| Error::File { path: path.clone(), cause })?;
        Ok((path.display().to_string(), text))
    }

    /// Refuses a name that a migration has.
    ///
    /// # Errors
    /// One has it.
    pub fn check_name(&self, name: &str) -> Result<(), Error> {
        match self.migrations.iter().find(|migration| migration.name == name) {
            Some(taken) => Err(Error::Name(format!("there is a migration of that name: {}", taken.folder()))),
            None => Ok(()),
        }
    }

    /// Makes the next migration with these two texts, and gives its folder.
    ///
    /// # Errors
    /// The name is taken, or a file cannot be written.
    pub fn add(&self, name: &str, up: &str, down: &str) -> Result<PathBuf, Error> {
        self.check_name(name)?;
        let next = Migration { number: self.migrations.len() + 1, name: name.to_owned() };
        let folder = self.path.join(next.folder());
        fs::create_dir(&folder).map_err(|cause| Error::File { path: folder.clone(), cause })?;
        for (file, text) in [("up.sql", up), ("down.sql", down)] {
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
    fn names_are_lower_case_words_of_ascii() {
        assert_eq!(name_of("Add last-seen, to Users!").unwrap(), "add_last_seen_to_users");
        assert_eq!(name_of("  __x__ ").unwrap(), "x");
        assert_eq!(name_of("../../etc").unwrap(), "etc");
        assert_eq!(name_of(&"x".repeat(NAME_MAX)).unwrap().len(), NAME_MAX);
        for message in ["", " ", "_", "äöü", &"x".repeat(NAME_MAX + 1)] {
            assert!(matches!(name_of(message), Err(Error::Name(_))), "{message:?}");
        }
    }

    #[test]
    fn the_next_folder_has_the_next_number_and_no_taken_name() {
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
        fs::rename(second, temporary.path().join("0003_second")).unwrap();
        let fault = Folder::read(temporary.path()).err().unwrap().to_string();
        assert!(fault.ends_with("0003_second should begin with 0002_ (no gaps, no doubles)"), "{fault}");
    }

    #[test]
    fn faults_in_sql_name_the_file_and_the_line() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::read(temporary.path()).unwrap();
        assert!(folder.wanted().unwrap().is_none());
        folder.add("first", "CREATE TABLE a (b);\n\nCREATE TABLE a (c);", "").unwrap();
        let fault = Folder::read(temporary.path()).unwrap().built().err().unwrap().to_string();
        assert!(fault.ends_with("0001_first/up.sql, line 3: table a already exists"), "{fault}");
    }
}

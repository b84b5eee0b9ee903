//! `lanterne migrate revision`, with and without `--autogenerate`. `crates/schema` tests the SQL of a difference.

use std::fs;

use crate::support::{Database, Finished, Host, Project};

const SCHEMA: &str = "\
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    email VARCHAR(255) NOT NULL
);
CREATE TABLE notes (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
";

fn revision(project: &Project, words: &[&str]) -> Finished {
    let mut command = project.command(Host::Lanterne);
    command.args(["migrate", "--state-dir"]).arg(project.path("state")).arg("revision").args(words);
    Finished::of(command)
}

/// A project with one migration and an equivalent schema.sql.
fn project() -> Project {
    let project = Project::new();
    fs::create_dir_all(project.path("migrations/0001_begin")).expect("the folder can be written");
    project
        .file("migrations/0001_begin/up.sql", SCHEMA)
        .file("migrations/0001_begin/down.sql", "DROP TABLE notes; DROP TABLE users;")
        .file("migrations/schema.sql", &SCHEMA.replace("    ", " ").to_uppercase())
}

fn read(project: &Project, file: &str) -> String {
    fs::read_to_string(project.path("migrations").join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
#[cfg_attr(spin_host, ignore = "a component cannot write the source tree")]
fn revision_creates_the_next_folder_and_no_database() {
    let project = project();
    let printed = revision(&project, &["-m", "Add last-seen, to users!"]).succeeded();
    assert!(printed.contains("0002_add_last_seen_to_users/up.sql"), "{printed}");
    assert!(printed.contains("0002_add_last_seen_to_users/down.sql"), "{printed}");
    for file in ["up.sql", "down.sql"] {
        let text = read(&project, &format!("0002_add_last_seen_to_users/{file}"));
        assert!(text.starts_with("-- Add last-seen, to users!\n"), "{text}");
        assert!(text.lines().all(|line| line.starts_with("--")), "{text}");
    }
    revision(&project, &["--message", "third"]).succeeded();
    assert!(project.path("migrations/0003_third/up.sql").exists());
    assert!(!project.path("state").exists());
}

#[test]
#[cfg_attr(spin_host, ignore = "a component cannot write the source tree")]
fn invalid_names_are_refused_and_nothing_is_written() {
    let project = project();
    for (words, fault) in [
        (&["-m", ""][..], "has no ASCII letters or digits"),
        (&["-m", "äöü"], "has no ASCII letters or digits"),
        (&["-m", "Begin"], "there is a migration of that name: 0001_begin"),
        (&["-m", &"x".repeat(101)], "above 100"),
        (&[], "--message"),
        (&["-m", "two", "words"], "'words'"),
    ] {
        revision(&project, words).failed(2, &[fault]);
    }
    assert_eq!(fs::read_dir(project.path("migrations")).expect("the folder is there").count(), 2);
    let printed = revision(&project, &["--help"]).succeeded();
    assert!(printed.contains("--autogenerate") && printed.contains("schema.sql"), "{printed}");
}

#[test]
#[cfg_attr(spin_host, ignore = "a component cannot write the source tree")]
fn autogenerate_writes_the_difference_and_then_has_nothing_to_do() {
    let project = project();
    let printed = revision(&project, &["--autogenerate", "-m", "nothing"]).succeeded();
    assert!(printed.contains("Nothing to do"), "{printed}");
    assert!(!project.path("migrations/0002_nothing").exists());

    let wanted =
        SCHEMA.replace("email VARCHAR(255) NOT NULL", "email VARCHAR(255) NOT NULL UNIQUE,\n    seen DATETIME");
    let project = project.file("migrations/schema.sql", &wanted);
    revision(&project, &["--autogenerate", "-m", "unique"]).succeeded();
    assert!(revision(&project, &["--autogenerate", "-m", "more"]).succeeded().contains("Nothing to do"));

    let db = Database::create(&project.path("test.db"));
    db.execute_all(SCHEMA);
    db.execute_all("INSERT INTO users VALUES (1, 'user@example.com'); INSERT INTO notes VALUES (1, 1)");
    db.execute_all(&format!("BEGIN; {} COMMIT", read(&project, "0002_unique/up.sql")));
    assert_eq!(db.rows("SELECT * FROM users", []), serde_json::json!([[1, "user@example.com", null]]));
    assert_eq!(db.rows("SELECT \"table\" FROM pragma_foreign_key_list('notes')", []), serde_json::json!([["users"]]));
    db.execute_all(&format!("BEGIN; {} COMMIT", read(&project, "0002_unique/down.sql")));
    assert_eq!(db.rows("SELECT * FROM users", []), serde_json::json!([[1, "user@example.com"]]));
}

#[test]
#[cfg_attr(spin_host, ignore = "a component cannot write the source tree")]
fn autogenerate_asks_for_values_it_cannot_derive() {
    let needing = SCHEMA.replace("email VARCHAR(255) NOT NULL", "email VARCHAR(255) NOT NULL,\n    name TEXT NOT NULL");
    let project = project().file("migrations/schema.sql", &needing);
    let printed = revision(&project, &["--autogenerate", "-m", "names"]).succeeded();
    assert!(printed.contains("up.sql must say what the rows get in users.name"), "{printed}");
    assert!(read(&project, "0002_names/up.sql").contains("-- NEEDED: users.name"));

    let renaming = SCHEMA.replace("email VARCHAR(255) NOT NULL", "mail VARCHAR(255)").replace("notes", "remarks");
    let project = project.file("migrations/schema.sql", &renaming.replace("name TEXT NOT NULL", ""));
    let printed = revision(&project, &["--autogenerate", "-m", "renamed"]).succeeded();
    for line in [
        "up.sql must say whether users.mail is the new name of users.email",
        "down.sql must say whether users.email is the new name of users.mail",
        "up.sql must say whether remarks is the new name of the table notes",
        "up.sql drops users.email, with what is in it",
        "up.sql drops the table notes, with what is in it",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }

    let project = project.file("migrations/schema.sql", "CREATE TABLE a (b INTEGER);\n\nCREATE TABEL c (d INTEGER);\n");
    revision(&project, &["--autogenerate", "-m", "more"]).failed(1, &["migrations/schema.sql, line 3: near \"TABEL\""]);
    fs::remove_file(project.path("migrations/schema.sql")).expect("it is there");
    revision(&project, &["--autogenerate", "-m", "more"]).failed(1, &["there is no ", "migrations/schema.sql"]);
    let finished = revision(&Project::new(), &["-m", "more"]);
    finished.failed(1, &["migrations: No such file or directory"]);
}

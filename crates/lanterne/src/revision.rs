//! `lanterne migrate revision`: the files of the next migration.

use std::path::Path;

use anyhow::{Context as _, Result};
use lanterne_schema::{Error, Folder, Script, autogenerate, name_of};

use crate::cli::{From, Revision};
use lanterne_host::console::{Console, Mistake};
use lanterne_host::project::Project;

/// Makes the folder; gives the exit status.
pub(crate) fn run(from: &From, revision: &Revision) -> Result<i32> {
    let console = Console::new(from.quiet);
    let path = Project::read(&from.from)?.dir.join("migrations");
    let name = name_of(&revision.message).map_err(explain)?;
    let folder = Folder::read(&path).map_err(explain)?;
    folder.check_name(&name).map_err(explain)?;

    let heading = heading(&revision.message);
    let (up, down) = if revision.autogenerate {
        let Some((up, down)) = generated(&folder, &path)? else {
            console.line("Nothing to do: the migrations build what migrations/schema.sql says.");
            return Ok(0);
        };
        for (file, script) in [("up.sql", &up), ("down.sql", &down)] {
            for column in &script.needs {
                console.done("Needed", format_args!("{file} must say what the rows get in {column}"));
            }
        }
        let note = "-- Written by comparing schema.sql with the migrations before: read it before you apply it.\n";
        (format!("{heading}{note}\n{}", up.sql), format!("{heading}{note}\n{}", down.sql))
    } else {
        empty(&heading)
    };
    let made = folder.add(&name, &up, &down).map_err(explain)?;
    for file in ["up.sql", "down.sql"] {
        console.done("Wrote", made.join(file).display());
    }
    Ok(0)
}

fn generated(folder: &Folder, path: &Path) -> Result<Option<(Script, Script)>> {
    let wanted = folder.wanted().map_err(explain)?;
    let wanted = wanted.with_context(|| {
        format!("there is no {}: it should hold the CREATE statements to be reached", path.join("schema.sql").display())
    })?;
    let built = folder.built().map_err(explain)?;
    let scripts = autogenerate(&built, &wanted).map_err(explain)?;
    Ok(scripts.map(|scripts| (scripts.up, scripts.down)))
}

/// Two files that do nothing yet.
fn empty(heading: &str) -> (String, String) {
    let up = "\
-- Write here what makes the change, and bring schema.sql up to date. The file runs whole or not at all; while it
-- runs, references are not enforced. README.md beside has the rules.
";
    let down =
        "-- Write here what takes the change back. It may lose the data of what up.sql added, and nothing else.\n";
    (format!("{heading}{up}"), format!("{heading}{down}"))
}

/// The message as a comment of one line, whatever is in it.
fn heading(message: &str) -> String {
    let words: Vec<_> =
        message.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    format!("-- {}\n", words.join(" "))
}

/// A bad message is the user's mistake; everything else has failed.
fn explain(error: Error) -> anyhow::Error {
    match error {
        Error::Name(fault) => Mistake::new(fault),
        error => error.into(),
    }
}

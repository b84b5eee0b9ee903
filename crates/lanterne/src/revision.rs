//! `lanterne migrate revision`: writes the files of the next migration.

use std::path::Path;

use anyhow::{Context as _, Result};
use lanterne_schema::{Error, Folder, Script, autogenerate, name_of};

use crate::cli::{From, Revision};
use crate::console::{Console, UsageError};

const EMPTY_UP: &str = "\
-- Write here what makes the change, and bring schema.sql up to date. The file runs whole or not at all; while it
-- runs, references are not enforced. README.md beside has the rules.
";
const EMPTY_DOWN: &str =
    "-- Write here what takes the change back. It may lose the data of what up.sql added, and nothing else.\n";
const GENERATED: &str =
    "-- Written by comparing schema.sql with the migrations before: read it before you apply it.\n\n";

/// Writes the files into a new folder of `migrations`.
pub(crate) fn run(from: &From, revision: &Revision) -> Result<()> {
    let console = Console::new(from.quiet);
    let path = from.app()?.dir.join("migrations");
    let name = name_of(&revision.message).map_err(explain)?;
    let folder = Folder::read(&path).map_err(explain)?;
    folder.check_name(&name).map_err(explain)?;

    let (mut up, mut down) = (EMPTY_UP.to_owned(), EMPTY_DOWN.to_owned());
    if revision.autogenerate {
        let Some(scripts) = generate(&folder, &path)? else {
            console.line("Nothing to do: the migrations build what migrations/schema.sql says.");
            return Ok(());
        };
        for (file, script) in ["up.sql", "down.sql"].iter().zip(&scripts) {
            for column in &script.needs {
                console.done("Needed", format_args!("{file} must say what the rows get in {column}"));
            }
        }
        [up, down] = scripts.map(|script| format!("{GENERATED}{}", script.sql));
    }
    let heading = heading(&revision.message);
    let made = folder.add(&name, &format!("{heading}{up}"), &format!("{heading}{down}")).map_err(explain)?;
    for file in ["up.sql", "down.sql"] {
        console.done("Wrote", made.join(file).display());
    }
    Ok(())
}

/// Compares `schema.sql` with what the migrations build. Returns what leads up to it and back down, or `None` if they are
/// the same.
fn generate(folder: &Folder, path: &Path) -> Result<Option<[Script; 2]>> {
    let wanted = folder.wanted().map_err(explain)?.with_context(|| {
        format!("there is no {}: it should hold the CREATE statements to be reached", path.join("schema.sql").display())
    })?;
    let built = folder.built().map_err(explain)?;
    let scripts = autogenerate(&built, &wanted).map_err(explain)?;
    Ok(scripts.map(|scripts| [scripts.up, scripts.down]))
}

/// Makes the message a comment of one line.
fn heading(message: &str) -> String {
    let words = message.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    format!("-- {}\n", Vec::from_iter(words).join(" "))
}

fn explain(error: Error) -> anyhow::Error {
    match error {
        Error::Name(fault) => UsageError(fault).into(),
        error => error.into(),
    }
}

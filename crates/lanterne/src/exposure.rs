//! Files with password hashes or keys that other users of the machine can reach.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::dotenv;
use crate::project::Project;

/// The permissions of the group and of all others.
const OTHERS: u32 = 0o077;
/// Variables that are secrets.
const SECRETS: [&str; 6] = [
    "secret_key",
    "secret_key_previous",
    "token_private_key",
    "token_private_key_previous",
    "mail_webhook_secret",
    "seed_admin_password",
];

/// Returns a warning for each file or directory that other users have access to, with the command that ends this. `lanterne`
/// creates them privately, but Spin, editors and the Python server leave the mode to the umask; changing it without
/// being asked could break a backup by another user.
pub(crate) fn warnings(project: &Project) -> Vec<String> {
    let directory = project.state_dir.path();
    let database = project.state_dir.default_database();
    let file = dotenv::path(&project.app.dir);
    let has_secret = SECRETS.iter().any(|name| project.variables.is_in_dotenv(name));
    [
        (true, directory, 0o700, "which holds the database with the password hashes"),
        (!database.starts_with(directory), database, 0o600, "the database with the password hashes"),
        (has_secret, file.as_path(), 0o600, "which holds secrets"),
    ]
    .into_iter()
    .filter(|(is_private, path, _, _)| *is_private && is_exposed(path))
    .map(|(_, path, mode, what)| {
        let shown = path.display();
        format!("other users of this machine have access to {shown}, {what}: run chmod {mode:o} {}", quoted(path))
    })
    .collect()
}

/// Whether others than the owner have any permission. A file that does not exist will be created privately.
fn is_exposed(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & OTHERS != 0)
}

/// Quotes a path for a shell, if it needs that.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn any_permission_of_others_exposes() {
        let folder = tempfile::TempDir::new().expect("a folder");
        for (mode, exposed) in
            [(0o700, false), (0o600, false), (0o701, true), (0o710, true), (0o755, true), (0o602, true)]
        {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).expect("it is ours");
            assert_eq!(is_exposed(folder.path()), exposed, "{mode:o}");
        }
        assert!(!is_exposed(Path::new("/nowhere")));
    }

    #[test]
    fn a_shell_reads_a_quoted_path_as_one_word() {
        assert_eq!(quoted(Path::new("/srv/app-1/.spin")), "/srv/app-1/.spin");
        assert_eq!(quoted(Path::new("/it's here")), r"'/it'\''s here'");
    }
}

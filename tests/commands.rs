//! Common behaviour of the command components: exit statuses, and waiting for locks.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{Host, Project};

/// How long the lock is held: longer than a request waits for it, and much shorter than a command does.
const HELD: Duration = Duration::from_millis(5500);

#[test]
fn usage_errors_and_failures_have_different_exit_statuses() {
    let project = Project::new();
    let usage = Host::under_test().usage_status();
    for (name, words, status, complaint) in [
        ("migrate", &["nonsense"][..], usage, "unknown command \"nonsense\""),
        ("migrate", &["upgrade"], usage, "upgrade needs a target"),
        ("migrate", &["upgrade", "head", "now"], usage, "unexpected argument \"now\""),
        ("migrate", &["stamp", "nowhere"], usage, "unknown revision \"nowhere\""),
        ("migrate", &["upgrad", "head"], usage, "did you mean upgrade?"),
        ("migrate", &["upgrade", "haed"], usage, "did you mean head?"),
        ("seed", &["--admin-emial", "a@b.org"], usage, "did you mean --admin-email?"),
        ("prune", &["--sesion-days", "3"], usage, "did you mean --sessions-days?"),
        ("seed", &["nonsense"], usage, "\"nonsense\" is not understood"),
        ("seed", &["--admin-email"], usage, "--admin-email needs an address"),
        ("seed", &["--admin-email", "root@"], usage, "\"root@\": There must be something after the @-sign."),
        ("prune", &["nonsense"], usage, "\"nonsense\" is not understood"),
        ("prune", &["--dry-run"], usage, "nothing to delete"),
        ("prune", &["--audit-days", "0"], usage, "--audit-days is \"0\""),
        ("users", &["nonsense"], usage, "\"nonsense\" is not understood"),
        ("users", &["show", "root@"], usage, "\"root@\": There must be something after the @-sign."),
        // Correct arguments that cannot be carried out without tables.
        ("migrate", &["downgrade", "-1"], 1, "cannot go -1"),
        ("seed", &[], 1, "the database has no table users"),
        ("prune", &["--audit-days", "1"], 1, "the database has no table users"),
        ("users", &["list"], 1, "the database has no table users"),
    ] {
        let finished = project.run(name, words);
        finished.failed(status, &[&format!("{name}: "), complaint]);
        assert_eq!(finished.stdout, "", "{name} {words:?}");
    }
    assert!(project.run("migrate", &["help"]).succeeded().contains("revision -m WORDS"));
    for name in ["migrate", "seed", "prune", "users"] {
        assert!(project.run(name, &["help"]).succeeded().contains("Exit status: 0 on success, 1 on failure, 2 "));
    }
}

#[test]
fn commands_wait_for_another_writer() {
    let project = Project::migrated();
    // Compiles the components, which would otherwise take up the time to wait.
    for name in ["seed", "prune"] {
        project.run(name, &["help"]).succeeded();
    }
    let db = project.db();
    let old = "INSERT INTO audit_logs (action, resource, created_at) VALUES ('a', 'b', '2020-01-01 00:00:00.000000')";
    db.execute(old, []);
    db.execute_all("BEGIN IMMEDIATE");
    thread::scope(|scope| {
        let commands = [
            ("migrate", &["upgrade", "head"][..], "Nothing to do"),
            ("seed", &[], "tester@lanterne-rouge.com: created"),
            ("prune", &["--audit-days", "1"], "Deleted 1 audit rows"),
        ];
        let commands = commands.map(|(name, words, said)| (scope.spawn(|| project.run(name, words)), said));
        thread::sleep(HELD);
        let is_waiting = commands.each_ref().map(|(command, _)| !command.is_finished());
        db.execute_all("COMMIT");
        for (command, said) in commands {
            let printed = command.join().expect("no panic").succeeded();
            assert!(printed.contains(said), "{printed}");
        }
        assert_eq!(is_waiting, [true; 3], "they should have waited for the lock");
    });
    assert_eq!(db.rows("SELECT count(*) FROM users", []), json!([[2]]));
}

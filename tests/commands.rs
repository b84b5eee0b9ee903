//! What the command components have in common: how they fail.

use crate::support::{Host, Project};

#[test]
fn what_is_not_understood_has_an_exit_status_of_its_own() {
    let project = Project::new();
    let usage = Host::under_test().usage_status();
    for (name, words, status, complaint) in [
        ("migrate", &["nonsense"][..], usage, "\"nonsense\" is no command"),
        ("migrate", &["upgrade"], usage, "upgrade needs a target"),
        ("migrate", &["upgrade", "head", "now"], usage, "\"now\" is one word too many"),
        ("migrate", &["stamp", "nowhere"], usage, "\"nowhere\" is no revision"),
        ("seed", &["nonsense"], usage, "\"nonsense\" is not understood"),
        ("seed", &["--admin-email"], usage, "--admin-email needs an address"),
        ("seed", &["--admin-email", "root@"], usage, "\"root@\": There must be something after the @-sign."),
        ("prune", &["nonsense"], usage, "\"nonsense\" is not understood"),
        ("prune", &["--dry-run"], usage, "it was not said what to delete"),
        ("prune", &["--audit-days", "0"], usage, "--audit-days is \"0\""),
        // These are understood, and cannot be done: there are no tables yet.
        ("migrate", &["downgrade", "-1"], 1, "cannot go -1"),
        ("seed", &[], 1, "the database has no table users"),
        ("prune", &["--audit-days", "1"], 1, "the database has no table users"),
    ] {
        let finished = project.run(name, words);
        finished.failed(status, &[&format!("{name}: "), complaint]);
        assert_eq!(finished.stdout, "", "{name} {words:?}");
    }
    for name in ["migrate", "seed", "prune"] {
        assert!(project.run(name, &["help"]).succeeded().contains("Exit status: 0; 1 if it failed; 2 "));
    }
}

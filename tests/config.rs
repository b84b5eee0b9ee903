//! Sources of the configuration, and refused values, in `lanterne`. Spin reads variables in its own way.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::{Value, json};

use crate::support::{Finished, Host, Project, SECRET, TestApp, claims, header, mint};

/// The output of a server that refuses to start.
#[track_caller]
fn refused(project: Project) -> Finished {
    match TestApp::try_of(project) {
        Ok(_) => panic!("the server started"),
        Err(finished) => finished,
    }
}

/// The lifetime of the server's access tokens in minutes, which shows the effective configuration.
fn access_minutes(project: Project) -> i64 {
    let app = TestApp::of(project);
    let (_, tokens) = app.logged_in("user@example.com");
    let created = app.db().value("SELECT CAST(strftime('%s', created_at) AS INTEGER) FROM sessions", []);
    let expires = claims(&tokens.access)["exp"].as_i64().expect("a number");
    (expires - created.as_i64().expect("a number")) / 60
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn a_weak_or_missing_secret_is_refused() {
    for (secret, fault) in [
        ("your-secret-key-here", "placeholder"),
        ("09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", "placeholder"),
        ("thirty-one bytes are not enough", "31 bytes"),
        ("", "not set"),
    ] {
        let finished = refused(Project::migrated().variable("secret_key", secret));
        finished.failed(2, &["secret_key", fault, "32 bytes"]);
        assert!(secret.is_empty() || !finished.stderr.contains(secret), "a secret is never repeated: {finished:#?}");
    }
    let finished = refused(Project::migrated().variable("secret_key_previous", "short"));
    finished.failed(2, &["secret_key_previous", "5 bytes"]);
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn a_missing_secret_is_generated_once() {
    let app = TestApp::of(Project::empty().variable("bcrypt_cost", "10"));
    let (account, tokens) = app.logged_in("user@example.com");
    let path = app.project().path(".env");
    let written = fs::read_to_string(&path).expect("it is written");
    assert!(written.starts_with("SPIN_VARIABLE_SECRET_KEY=") && written.trim().len() >= 25 + 32, "{written}");
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let app = app.restart_with(&[]);
    app.refresh(&tokens.refresh);
    app.login(&account);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), written);
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn a_missing_private_key_is_generated_once() {
    let project = Project::empty().variable("bcrypt_cost", "10").variable("token_algorithm", "EdDSA");
    let app = TestApp::of(project);
    let (account, tokens) = app.logged_in("user@example.com");
    let path = app.project().path(".env");
    let written = fs::read_to_string(&path).expect("it is written");
    let lines: Vec<&str> = written.lines().collect();
    assert!(lines[0].starts_with("SPIN_VARIABLE_SECRET_KEY=") && lines.len() == 2, "{written}");
    assert!(lines[1].starts_with("SPIN_VARIABLE_TOKEN_PRIVATE_KEY="), "{written}");
    let kid = header(&tokens.access)["kid"].clone();
    let published = app.get("/.well-known/jwks.json").send().expect_status(200).json();
    assert_eq!((&published["keys"][0]["kid"], &published["keys"][1]), (&kid, &Value::Null));
    let app = app.restart_with(&[]);
    assert_eq!(header(&app.refresh(&tokens.refresh).access)["kid"], kid);
    app.login(&account);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), written);
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn a_generated_private_key_tells_what_becomes_of_former_tokens() {
    let warning = "set SECRET_KEY_PREVIOUS to the value of SECRET_KEY";
    for (previous, is_told) in [("", true), (SECRET, false)] {
        let project = Project::migrated().variable("token_algorithm", "EdDSA");
        let project = if previous.is_empty() { project } else { project.variable("secret_key_previous", previous) };
        // A value that is refused ends the program after the keys have been written.
        let finished = refused(project.variable("docs", "perhaps"));
        assert!(finished.stdout.contains("no token_private_key was set"), "{finished:#?}");
        assert_eq!(finished.stdout.contains(warning), is_told, "{finished:#?}");
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn an_invalid_value_is_refused_with_the_allowed_range() {
    for (name, value, allowed) in [
        ("access_token_expire_minutes", "0", "1 to 1440"),
        ("refresh_token_expire_days", "seven", "1 to 365"),
        ("bcrypt_cost", "9", "10 to 15"),
        ("cors_origins", "*", "https://"),
        ("debug", "maybe", "on or off"),
        ("client_ip_header", "x y", "header"),
        ("token_algorithm", "none", "HS256 or EdDSA"),
    ] {
        refused(Project::migrated().variable(name, value)).failed(2, &[name, value, allowed]);
    }
    let several = refused(Project::migrated().variable("debug", "maybe").variable("docs", "perhaps"));
    several.failed(2, &["debug", "docs"]);
    refused(Project::migrated().variable("no_such_variable", "1")).failed(2, &["no_such_variable"]);
}

#[test]
fn the_default_lifetime_is_thirty_minutes() {
    assert_eq!(access_minutes(Project::migrated()), 30);
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn flags_win_over_the_environment_over_dotenv() {
    let dotenv = || Project::migrated().file(".env", "ACCESS_TOKEN_EXPIRE_MINUTES=1\n");
    let plain = || dotenv().environment("ACCESS_TOKEN_EXPIRE_MINUTES", "2");
    let prefixed = || plain().environment("SPIN_VARIABLE_ACCESS_TOKEN_EXPIRE_MINUTES", "3");
    let flag = || prefixed().variable("access_token_expire_minutes", "4");
    for (project, minutes) in [(dotenv(), 1), (plain(), 2), (prefixed(), 3), (flag(), 4)] {
        assert_eq!(access_minutes(project), minutes);
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn dotenv_is_read_as_by_the_python_server() {
    let key = "pa$sw0rd-0123456789-0123456789-\\n'";
    let dotenv = "\u{FEFF}secret_key=\"pa$sw0rd-0123456789-0123456789-\\\\n'\" # the key\n\
        GREETING=it's for another program\n- no statement\n\
        export MINUTES=3\nAccess_Token_Expire_Minutes=${MINUTES}\n\
        CORS_ORIGINS=[\"http://a.example\", \"http://b.example\"]\n";
    let app = TestApp::of(Project::empty().variable("bcrypt_cost", "10").file(".env", dotenv));
    let account = app.register("user@example.com");
    let tokens = app.login(&account);
    let valid = mint(key, &json!({"alg": "HS256", "typ": "JWT"}), claims(&tokens.access));
    app.get("/users/me").bearer(&valid).send().expect_status(200);
    let claims = claims(&tokens.access);
    let lifetime = claims["exp"].as_i64().expect("a number") - claims["iat"].as_i64().expect("a number");
    assert_eq!(lifetime, 3 * 60);
    for origin in ["http://a.example", "http://b.example"] {
        let reply = app.get("/healthz").header("origin", origin).send();
        assert_eq!(reply.header("access-control-allow-origin"), Some(origin));
    }
    assert_eq!(fs::read_to_string(app.project().path(".env")).expect("it is there"), dotenv, "no secret was missing");
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn an_empty_secret_is_filled_in() {
    for empty in ["SPIN_VARIABLE_SECRET_KEY=", "SPIN_VARIABLE_SECRET_KEY=\"\"\n", "secret_key= # none yet"] {
        let app = TestApp::of(Project::empty().file(".env", empty));
        let written = fs::read_to_string(app.project().path(".env")).expect("it is there");
        let secret = written.rsplit_once("SPIN_VARIABLE_SECRET_KEY=").expect("a secret").1;
        assert_eq!(secret.trim().len(), 64, "{written}");
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn no_value_is_lost_without_notice() {
    let dotenv = |text: &str| Project::empty().file(".env", text);
    for (project, words) in [
        (dotenv("A=1\nSECRET_KEY=\"a-secret"), [".env: SECRET_KEY: line 2", "quote"]),
        (dotenv("DATABASE_URL='a-secret' x"), [".env: DATABASE_URL: line 1", "follows"]),
        (
            dotenv("SPIN_VARIABLE_SECRET_KEY=a-secret with blanks"),
            ["SPIN_VARIABLE_SECRET_KEY: line 1", "single quotes"],
        ),
        (dotenv("spin_variable_secret_key=a-secret"), ["spin_variable_secret_key", "SPIN_VARIABLE_SECRET_KEY"]),
        (dotenv("SECRET_KEY=a-secret\nsecret_key=b"), ["SECRET_KEY and secret_key", "different values"]),
        (
            Project::empty().environment("SECRET_KEY", "a-secret").environment("secret_key", "b"),
            ["the environment", "and"],
        ),
        (
            Project::new().variable("lanterne_env", "produciton"),
            ["lanterne_env is \"produciton\"", "production or prod"],
        ),
    ] {
        let finished = refused(project);
        finished.failed(2, &words);
        assert!(!finished.stderr.contains("a-secret"), "{finished:#?}");
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn what_is_not_utf8_is_refused() {
    let bad = || OsStr::from_bytes(b"a-secret\xFF-0123456789-0123456789-0123456789");
    for (project, variable, words) in [
        (Project::empty(), "SECRET_KEY", ["SECRET_KEY in the environment", "not UTF-8"]),
        (Project::empty(), "SPIN_VARIABLE_SECRET_KEY", ["SPIN_VARIABLE_SECRET_KEY in the environment", "not UTF-8"]),
        (Project::empty().file(".env", "SECRET_KEY=${OTHER}"), "OTHER", [".env: SECRET_KEY: ", "not UTF-8"]),
        (
            Project::empty().file(".env", "SPIN_VARIABLE_SECRET_KEY=\"x${OTHER}\""),
            "OTHER",
            [".env: SPIN_VARIABLE_SECRET_KEY: ", "not UTF-8"],
        ),
    ] {
        let mut command = project.serve(Host::Lanterne, "127.0.0.1:0");
        command.env(variable, bad());
        let finished = Finished::of(command);
        finished.failed(2, &words);
        assert!(!finished.stderr.contains("a-secret"), "{finished:#?}");
    }
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn misspelt_names_are_reported() {
    let dotenv = "BCRYPT_COSTS=11\nSERCET_KEY=a-secret\nGREETING=x\nEMAIL=x\nDOCS=off\n";
    let app = TestApp::of(
        Project::migrated().file(".env", dotenv).environment("SPIN_VARIABLE_DEBUGS", "1").environment("DEBUGS", "1"),
    );
    let log = app.into_log();
    for (name, meant) in
        [("BCRYPT_COSTS", "BCRYPT_COST"), ("SERCET_KEY", "SECRET_KEY"), ("SPIN_VARIABLE_DEBUGS", "SPIN_VARIABLE_DEBUG")]
    {
        let warning = format!("sets {name}, which is not read: did you mean {meant}?");
        assert_eq!(log.matches(&warning).count(), 1, "{log}");
    }
    assert_eq!(log.matches("did you mean").count(), 3, "{log}");
    assert!(!log.contains("a-secret"), "{log}");
    // Commands as well.
    let finished = Finished::of(Project::migrated().file(".env", "SEED_ADMIN_PASWORD=x").component("users", &["list"]));
    assert!(finished.stderr.contains("did you mean SEED_ADMIN_PASSWORD?"), "{finished:#?}");
    finished.succeeded();
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn files_that_others_can_read_are_reported() {
    let others = "other users of this machine have access to ";
    let set = |project: &Project, name: &str, mode| {
        fs::set_permissions(project.path(name), Permissions::from_mode(mode)).expect("it is ours");
    };
    let log = TestApp::of(Project::empty()).into_log();
    assert!(!log.contains(others), "what is new is private: {log}");

    let project = Project::migrated();
    set(&project, "state", 0o755);
    let command = format!("run chmod 700 {}", project.path("state").display());
    let log = TestApp::of(project).into_log();
    assert!(log.contains(&command) && log.matches(others).count() == 1, "{log}");

    let project = Project::empty().file(".env", &format!("SECRET_KEY={SECRET}\nDATABASE_URL=sqlite:///it's.db"));
    let project = project.file("it's.db", "");
    set(&project, ".env", 0o640);
    set(&project, "it's.db", 0o604);
    let log = TestApp::of(project).into_log();
    assert!(log.contains(r"it'\''s.db'") && log.contains("run chmod 600 "), "{log}");
    assert!(log.contains("/.env, which holds secrets"), "{log}");
    assert_eq!(log.matches(others).count(), 2, "{log}");

    let project = Project::migrated().file(".env", "DOCS=off");
    set(&project, "state", 0o700);
    let log = TestApp::of(project).into_log();
    assert!(!log.contains(others), "{log}");
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn secret_key_is_read_under_the_python_servers_name() {
    let app = TestApp::with(&[]);
    let (_, tokens) = app.logged_in("user@example.com");
    // Another server on the same file, with the same key under the Python server's name.
    let url = format!("sqlite:///{}", app.project().path("state/sqlite_db.db").display());
    let other = Project::empty().environment("SECRET_KEY", SECRET).environment("DATABASE_URL", &url);
    TestApp::of(other).refresh(&tokens.refresh);
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn database_url_sets_the_database_file() {
    let project = Project::new().environment("DATABASE_URL", "sqlite:///./memory/lanterne.db");
    fs::create_dir(project.path("memory")).expect("the folder can be written");
    let app = TestApp::of(project);
    app.register("user@example.com");
    let db = crate::support::Database::open(&app.project().path("memory/lanterne.db"));
    assert_eq!(db.value("SELECT count(*) FROM users", []), 1);
    assert!(!app.project().path("state/sqlite_db.db").exists());
    // The state directory has been in use, but not with this database.
    let project = app.into_project().environment("DATABASE_URL", "sqlite:///./memory/other.db");
    let log = TestApp::of(project).into_log();
    assert!(!log.contains("there is no database"), "{log}");
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn database_url_creates_no_directory() {
    let at = |url: &str| Project::new().environment("DATABASE_URL", url);
    for words in [&["upgrade", "head"] as &[&str], &["current"]] {
        let project = at("sqlite:///memmory/lanterne.db");
        project.run("migrate", words).failed(2, &["DATABASE_URL: there is no directory", "memmory"]);
        assert!(!project.path("memmory").exists());
    }
    refused(at("sqlite:///memmory/lanterne.db")).failed(2, &["DATABASE_URL: there is no directory", "memmory"]);
    refused(at("sqlite:////tmp")).failed(2, &["DATABASE_URL: /tmp is a directory"]);
    let project = at("sqlite:///state/lanterne.db");
    project.run("migrate", &["upgrade", "head"]).succeeded();
    assert!(project.path("state/lanterne.db").exists(), "the state directory is created");
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
#[cfg_attr(not(target_os = "linux"), ignore = "needs a directory in which not even root can create files")]
fn a_state_directory_that_cannot_be_written_names_the_flag() {
    for dir in ["/proc/lanterne", "/dev/null/lanterne"] {
        let project = Project::new();
        let mut command = project.command(Host::Lanterne);
        command.args(["up", "--no-build", "--state-dir", dir, "--listen", "127.0.0.1:0"]);
        Finished::of(command).failed(1, &[dir, "choose another directory with --state-dir"]);
    }
    let project = Project::new();
    symlink("/proc", project.path("state")).expect("the folder can be written");
    refused(project).failed(1, &["cannot write to", "choose another directory with --state-dir"]);
    let project = Project::new().environment("DATABASE_URL", "sqlite:////proc/lanterne.db");
    refused(project).failed(1, &["DATABASE_URL", "cannot write to /proc"]);
}

#[test]
#[cfg_attr(spin_host, ignore = "how a server is configured differs between the hosts")]
fn other_databases_are_refused_without_repeating_the_url() {
    let project = Project::migrated().environment("DATABASE_URL", "postgresql://user:a-password@localhost/db");
    let finished = refused(project);
    finished.failed(2, &["DATABASE_URL", "sqlite:///"]);
    assert!(!finished.stderr.contains("a-password"), "{finished:#?}");
}

#[test]
fn debug_logs_every_request_and_changes_no_reply() {
    let log_of = |debug: &str| {
        let app = TestApp::with(&[("debug", debug)]);
        let reply = app.try_login("user@example.com", "a password that nobody has").expect_status(401);
        app.get("/users/me?token=secret").header("x-request-id", "seen-in-the-log").send().expect_status(401);
        (app.into_log(), reply.json())
    };
    let ((quiet, reply), (loud, same)) = (log_of("off"), log_of("on"));
    assert_eq!(reply, same);
    assert!(!quiet.contains(": GET /users/me"), "{quiet}");
    assert!(loud.contains("request seen-in-the-log: GET /users/me 401"), "{loud}");
    for secret in ["password", "user@example.com", "secret"] {
        assert!(!loud.contains(secret), "{loud}");
    }
}

//! Messages whose delivery fails: what is attempted again, by whom, and what is never lost or sent twice.

use std::collections::HashSet;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::recovery::{forgot, make_due};
use crate::support::{Authority, Host, Message, Project, Receiver, TestApp};

/// What `deliver` prints.
const DELIVERED: &str = "Delivered 1 messages; 0 attempts failed\n";

/// A project that posts to the receiver and has this many accounts, `user1@example.com` and so on.
fn project_with_accounts(receiver: &Receiver, count: u32) -> Project {
    let project = Project::migrated().posting_to(receiver);
    for id in 1..=count {
        let time = "2026-01-01 00:00:00.000000";
        project.db().execute(
            "INSERT INTO users (id, email, hashed_password, is_active, is_admin, created_at, updated_at)
             VALUES (?1, 'user' || ?1 || '@example.com', 'x', 1, 0, ?2, ?2)",
            (id, time),
        );
    }
    project
}

/// Asks for a message for each of the accounts.
fn forgot_all(app: &TestApp, count: u32) {
    for id in 1..=count {
        forgot(app, &format!("user{id}@example.com")).expect_status(202);
    }
}

/// For each message its attempts, and whether it still has its token and was delivered.
fn outbox(project: &Project) -> Value {
    project.db().rows("SELECT attempts, token IS NOT NULL, delivered_at IS NOT NULL FROM outbox ORDER BY id", [])
}

/// Waits until nothing in the outbox has to be sent.
#[track_caller]
fn wait_for_delivery(project: &Project) {
    let open = "SELECT count(*) FROM outbox WHERE delivered_at IS NULL";
    for _ in 0..10_000 {
        if project.db().value(open, []) == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("not delivered: {}", outbox(project));
}

/// Asserts that these are two attempts to send the same message.
#[track_caller]
fn expect_repeated(first: &Message, second: &Message) {
    assert_eq!((&first.id, &first.body), (&second.id, &second.body));
    // The signatures are verified: each is of its own time.
    assert!(first.timestamp <= second.timestamp);
}

/// Lets an attempt fail with this answer of the receiver and the next one, of `deliver`, succeed.
fn attempts_again(answer: &str, reason: &str, deliver: impl Fn(&TestApp)) {
    let receiver = Receiver::start();
    receiver.hook_answers(answer);
    let app = TestApp::of(project_with_accounts(&receiver, 1));
    forgot_all(&app, 1);
    app.wait_for_log(&format!("(password.reset) was not delivered: {reason}"));
    assert_eq!(outbox(app.project()), json!([[1, 1, 0]]), "{answer}");
    receiver.hook_answers("/status?204");
    make_due(app.project());
    deliver(&app);
    let messages = receiver.wait_for(2);
    expect_repeated(&messages[0], &messages[1]);
    wait_for_delivery(app.project());
    assert_eq!(outbox(app.project()), json!([[2, 0, 1]]), "{answer}");
    let log = app.into_log();
    assert!(!log.contains(&messages[0].token()), "{log}");
}

#[test]
fn each_failure_of_the_receiver_is_attempted_again_with_the_same_id_and_body() {
    let deliver = |app: &TestApp| drop(app.project().run("deliver", &[]).succeeded());
    thread::scope(|scope| {
        for (answer, reason) in
            [("/status?500", "status 500"), ("/status?404", "status 404"), ("/redirect?/elsewhere", "status 301")]
        {
            scope.spawn(move || attempts_again(answer, reason, deliver));
        }
        // The names of errors are the host's own.
        if let Host::Lanterne = Host::under_test() {
            // It does not answer within the time of an attempt. The running server delivers the message later by itself.
            scope.spawn(|| attempts_again("/silent", "ErrorCode::HttpResponseTimeout", |_| ()));
            for (answer, reason) in
                [("/garbage", "ErrorCode::HttpProtocolError"), ("/close", "ErrorCode::ConnectionTerminated")]
            {
                scope.spawn(move || attempts_again(answer, reason, deliver));
            }
        }
    });
}

#[test]
fn deliver_says_why_messages_could_not_be_sent() {
    // Several, because Spin fails before, while or after the body is written.
    const COUNT: u32 = 8;
    let receiver = Receiver::start();
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let project = project_with_accounts(&receiver, COUNT).variable("mail_webhook_url", &format!("http://{closed}"));
    let app = TestApp::of(project);
    forgot_all(&app, COUNT);
    app.wait_for_log("(password.reset) was not delivered: ErrorCode::ConnectionRefused");
    let expect = |project: &Project, reason: &str| {
        make_due(project);
        let finished = project.run("deliver", &[]);
        let line = format!("(password.reset) was not delivered: {reason}; ");
        assert_eq!(finished.stderr.matches(&line).count(), COUNT as usize, "{finished:#?}");
        assert_eq!(finished.succeeded(), format!("Delivered 0 messages; {COUNT} attempts failed\n"));
    };
    let project = app.into_project();
    expect(&project, "ErrorCode::ConnectionRefused");
    let granted = r#"allowed_outbound_hosts = ["{{ mail_webhook_url }}"]"#;
    let project = project.edit("spin.commands.toml", granted, "allowed_outbound_hosts = []");
    expect(&project, "ErrorCode::HttpRequestDenied");
}

#[test]
#[cfg_attr(spin_host, ignore = "on Spin nobody runs `deliver`")]
fn a_receiver_that_starts_later_gets_all_messages_from_a_server_that_starts_later() {
    const COUNT: u32 = 12;
    let receiver = Receiver::start();
    let address = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let project = project_with_accounts(&receiver, COUNT).variable("mail_webhook_url", &format!("http://{address}"));
    let app = TestApp::of(project);
    forgot_all(&app, COUNT);
    app.wait_for_log("(password.reset) was not delivered: ");
    let project = app.into_project();
    // As after an outage of hours: only one of them is due.
    let sql = "UPDATE outbox SET attempts = 10, next_attempt_at = '2099-01-01 00:00:00.000000' WHERE id <> 5";
    project.db().execute(sql, []);
    make_due_one(&project, 5);
    let receiver = Receiver::start_on(address);
    let app = TestApp::of(project);
    let messages = receiver.wait_for(COUNT as usize);
    let recipients: HashSet<_> = messages.iter().map(Message::recipient).collect();
    assert_eq!(recipients.len(), COUNT as usize);
    wait_for_delivery(app.project());
}

fn make_due_one(project: &Project, id: u32) {
    let sql = "UPDATE outbox SET attempts = 2, next_attempt_at = '2020-01-01 00:00:00.000000' WHERE id = ?1";
    project.db().execute(sql, [id]);
}

#[test]
#[cfg_attr(spin_host, ignore = "tests the host lanterne")]
fn a_receiver_whose_certificate_is_not_trusted_gets_nothing_until_it_is() {
    let authority = Authority::new();
    let receiver = Receiver::start_tls(authority.server("127.0.0.1", 2200));
    let other = Authority::new();
    let app = TestApp::of(other.trusted_by(project_with_accounts(&receiver, 1)));
    forgot_all(&app, 1);
    app.wait_for_log("(password.reset) was not delivered: ErrorCode::TlsCertificateError");
    let project = app.into_project();
    assert!(receiver.messages().is_empty());
    make_due(&project);
    let project = authority.trusted_by(project);
    assert_eq!(project.run("deliver", &[]).succeeded(), DELIVERED);
    assert_eq!(receiver.wait_for(1)[0].recipient(), "user1@example.com");
}

#[test]
#[cfg_attr(spin_host, ignore = "`spin up` runs components in a child of its own, which a kill does not reach")]
fn a_server_that_is_killed_before_the_delivery_loses_no_message() {
    const COUNT: u32 = 5;
    let receiver = Receiver::start();
    receiver.hook_answers("/silent");
    let app = TestApp::of(project_with_accounts(&receiver, COUNT));
    forgot_all(&app, COUNT);
    // The replies are there, and no message has been taken.
    app.signal(Signal::KILL);
    let project = app.into_project();
    assert_eq!(project.db().value("SELECT count(*) FROM outbox WHERE delivered_at IS NULL", []), COUNT);
    receiver.hook_answers("/status?204");
    // The time of the claims has passed.
    make_due(&project);
    let app = TestApp::of(project);
    wait_for_delivery(app.project());
    let recipients: HashSet<_> = receiver.messages().iter().map(Message::recipient).collect();
    assert_eq!(recipients.len(), COUNT as usize);
}

#[test]
fn two_deliverers_at_once_share_the_messages() {
    const COUNT: u32 = 8;
    let receiver = Receiver::start();
    receiver.hook_answers("/status?503");
    let app = TestApp::of(project_with_accounts(&receiver, COUNT));
    forgot_all(&app, COUNT);
    app.wait_for_log("(password.reset) was not delivered: status 503");
    let project = app.into_project();
    let before = receiver.messages().len();
    make_due(&project);
    // Both wait for each other, so each has a message of its own.
    receiver.hook_answers("/gather?2");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| project.run("deliver", &[]).succeeded());
        }
    });
    assert_eq!(receiver.peak(), 2);
    let ids: Vec<_> = receiver.messages().into_iter().skip(before).map(|message| message.id).collect();
    assert_eq!((ids.len(), ids.iter().collect::<HashSet<_>>().len()), (COUNT as usize, COUNT as usize), "{ids:?}");
    wait_for_delivery(&project);
}

#[test]
fn without_mail_nothing_is_sent_that_was_written_before() {
    let receiver = Receiver::start();
    receiver.hook_answers("/status?503");
    let app = TestApp::of(project_with_accounts(&receiver, 1));
    forgot_all(&app, 1);
    app.wait_for_log("was not delivered: status 503");
    let app = app.restart_with(&[("mail", "off")]);
    let before = receiver.messages().len();
    receiver.hook_answers("/status?204");
    make_due(app.project());
    assert_eq!(app.project().run("deliver", &[]).succeeded(), "Mail is off: no messages are delivered\n");
    forgot(&app, "user1@example.com").expect_status(404);
    let project = app.into_project();
    assert_eq!(receiver.messages().len(), before);
    assert_eq!(project.db().value("SELECT delivered_at IS NULL FROM outbox", []), 1);
    let project = project.variable("mail", "webhook");
    assert_eq!(project.run("deliver", &[]).succeeded(), DELIVERED);
    receiver.wait_for(before + 1);
}

#[test]
#[cfg_attr(spin_host, ignore = "Spin delivers after the reply")]
fn a_receiver_that_does_not_answer_keeps_no_request_waiting() {
    let receiver = Receiver::start();
    receiver.hook_answers("/silent");
    let app = TestApp::of(project_with_accounts(&receiver, 16));
    forgot_all(&app, 16);
    app.wait_for_log("was not delivered");
    // The runs of `deliver`. A delivery by the instance of each request would occupy as many.
    assert!((1..=4).contains(&receiver.peak()), "{}", receiver.peak());
}

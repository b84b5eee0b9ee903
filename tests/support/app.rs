//! A server for one test, with its folder, database and client.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::database::Database;
use super::http::{Client, Request};
use super::project::{Finished, Project};
use super::server::Server;

/// A running server that one test owns. Dropping it stops the server and removes the folder.
pub(crate) struct TestApp {
    // Declared first, so that the server stops before its folder is removed.
    server: Server,
    project: Project,
    client: Client,
}

impl TestApp {
    /// Starts a server on a migrated, empty database.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with these variables.
    #[track_caller]
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        let set = |project: Project, (name, value): &(&str, &str)| project.variable(name, value);
        Self::of(variables.iter().fold(Project::migrated(), set))
    }

    /// Starts a server in `project`.
    #[track_caller]
    pub(crate) fn of(project: Project) -> Self {
        Self::try_of(project).unwrap_or_else(|finished| panic!("the server did not start: {finished:#?}"))
    }

    /// Starts a server in `project`.
    ///
    /// # Errors
    /// The server exited instead; its output.
    pub(crate) fn try_of(project: Project) -> Result<Self, Finished> {
        Self::try_logging_to(project, Stdio::piped())
    }

    /// Starts a server in `project` with its standard error redirected to `log`.
    #[track_caller]
    pub(crate) fn logging_to(project: Project, log: impl Into<Stdio>) -> Self {
        Self::try_logging_to(project, log.into()).unwrap_or_else(|finished| panic!("it did not start: {finished:#?}"))
    }

    fn try_logging_to(project: Project, log: Stdio) -> Result<Self, Finished> {
        let server = Server::start(&project, log)?;
        Ok(Self { server, project, client: Client::new() })
    }

    /// Restarts the server in the same folder with these variables changed.
    #[track_caller]
    pub(crate) fn restart_with(self, variables: &[(&str, &str)]) -> Self {
        let Self { mut server, mut project, .. } = self;
        server.stop();
        for (name, value) in variables {
            project = project.variable(name, value);
        }
        Self::of(project)
    }

    /// Kills the server.
    pub(crate) fn kill(self) {
        self.server.kill();
    }

    /// Stops the server and returns its project, in which another can be started.
    pub(crate) fn into_project(self) -> Project {
        let Self { mut server, project, .. } = self;
        server.stop();
        project
    }

    /// `GET path`
    pub(crate) fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    /// `POST path`
    pub(crate) fn post(&self, path: &str) -> Request<'_> {
        self.request("POST", path)
    }

    /// `METHOD path`
    pub(crate) fn request(&self, method: &str, path: &str) -> Request<'_> {
        self.client.request(method, &format!("{}{path}", self.server.url))
    }

    /// `GET` of the metrics; `None` if the server has announced none.
    pub(crate) fn metrics(&self) -> Option<Request<'_>> {
        Some(self.client.request("GET", &self.server.metrics_url()?))
    }

    /// `127.0.0.1:PORT` of the metrics.
    #[track_caller]
    pub(crate) fn metrics_address(&self) -> String {
        let url = self.server.metrics_url().expect("metrics are announced");
        url.trim_start_matches("http://").trim_end_matches("/metrics").to_owned()
    }

    /// Returns the processor time of each thread called `name`.
    #[cfg(target_os = "linux")]
    pub(crate) fn threads(&self, name: &str) -> Vec<Duration> {
        self.server.threads(name)
    }

    /// The server's database.
    pub(crate) fn db(&self) -> Database {
        self.project.db()
    }

    /// The server's project.
    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    /// Waits until the server's standard error contains `text`.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        for _ in 0..10_000 {
            if self.server.log().contains(text) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{text:?} is not in {}", self.server.log());
    }

    /// Stops the server and returns its standard error: a line may arrive after the reply that it is about.
    pub(crate) fn into_log(self) -> String {
        self.into_project_and_log().1
    }

    /// Stops the server and returns its project, in which another can be started, and its standard error.
    pub(crate) fn into_project_and_log(self) -> (Project, String) {
        let Self { server, project, .. } = self;
        (project, server.finish().stderr)
    }

    /// Stops the server and returns its status and its whole output.
    pub(crate) fn finish(self) -> Finished {
        self.server.finish()
    }

    /// Sends a signal to the server.
    pub(crate) fn signal(&self, signal: Signal) {
        self.server.signal(signal);
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn address(&self) -> &str {
        self.server.url.strip_prefix("http://").expect("it serves plain HTTP")
    }

    /// Stops the server and returns its exit status.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.server.stop()
    }
}

//! The server of one test, with its folder, its database and a client for it.

use super::database::Database;
use super::http::{Client, Request};
use super::project::{Finished, Project};
use super::server::Server;

/// A server that this test alone talks to. Dropping it stops it and removes its folder.
pub(crate) struct TestApp {
    // The server first: it is dropped before the folder that it writes to.
    server: Server,
    project: Project,
    client: Client,
}

impl TestApp {
    /// With a migrated, empty database.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With these variables set.
    #[track_caller]
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        let set = |project: Project, (name, value): &(&str, &str)| project.variable(name, value);
        Self::of(variables.iter().fold(Project::new(), set))
    }

    /// In this project.
    #[track_caller]
    pub(crate) fn of(project: Project) -> Self {
        Self::try_of(project).unwrap_or_else(|finished| panic!("the server did not start: {finished:#?}"))
    }

    /// In this project, or what the server said instead of starting.
    pub(crate) fn try_of(project: Project) -> Result<Self, Finished> {
        let server = Server::start(&project)?;
        Ok(Self { server, project, client: Client::new() })
    }

    /// Stops the server and starts it again on the same folder, with these variables changed.
    #[track_caller]
    pub(crate) fn restart_with(self, variables: &[(&str, &str)]) -> Self {
        let Self { mut server, mut project, .. } = self;
        server.stop();
        for (name, value) in variables {
            project = project.variable(name, value);
        }
        Self::of(project)
    }

    /// Stops the server and returns its project, in which it can be started again.
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

    /// The server's database.
    pub(crate) fn db(&self) -> Database {
        self.project.db()
    }

    /// The folder and what the server was started with.
    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    /// What the server has said on its standard error so far.
    pub(crate) fn log(&self) -> String {
        self.server.log()
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn address(&self) -> &str {
        self.server.url.strip_prefix("http://").expect("it serves plain HTTP")
    }

    /// Asks the server to stop, and returns its exit status.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.server.stop()
    }
}

//! The application, and the services of the host that it runs on.

use std::sync::atomic::AtomicBool;

use lanterne_client_address::ClientHeader;
use lanterne_core::config::Config;
use lanterne_core::mail::Post;
use lanterne_core::throttle::Cache;
use lanterne_database::{self as db, BoxFuture, Connection, Timestamp};

use crate::docs::Pages;

/// The version of the server.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The configuration, and what is made from it once.
pub struct App {
    pub(crate) config: Config,
    /// The header of a trusted proxy, if there is one.
    pub(crate) client_header: Option<ClientHeader>,
    /// Whether the log says that the host passes no addresses.
    pub(crate) is_unknown_client_reported: AtomicBool,
    pub(crate) pages: Pages,
}

impl App {
    /// Creates the application with a valid configuration.
    #[must_use]
    pub fn new(config: Config) -> Self {
        // The configuration accepts only names of headers.
        let client_header = config.client_ip_header.as_deref().and_then(|name| ClientHeader::new(name).ok());
        Self { config, client_header, is_unknown_client_reported: AtomicBool::new(false), pages: Pages::default() }
    }
}

/// The services of a host.
pub trait Host {
    /// Returns the application.
    ///
    /// # Errors
    /// The configuration is invalid; the text is for the log.
    fn app(&self) -> BoxFuture<'_, Result<&App, String>>;

    /// Reads the clock.
    fn now(&self) -> Timestamp;

    /// Returns a database connection for exclusive use until it is dropped.
    ///
    /// # Errors
    /// The database cannot be opened.
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Connection>, db::Error>>;

    /// Returns the key-value store as the cache of the throttle.
    fn cache(&self) -> &dyn Cache;

    /// Checks that the key-value store can be read.
    ///
    /// # Errors
    /// It cannot, for this reason.
    fn check_key_value(&self) -> BoxFuture<'_, Result<(), String>>;

    /// Sends an HTTP request within [`Post::TIMEOUT`]; returns the status of the response.
    ///
    /// # Errors
    /// There was no response, for this reason.
    fn send<'a>(&'a self, post: &'a Post) -> BoxFuture<'a, Result<u16, String>>;

    /// Writes a line about a fault to the log.
    fn log(&self, line: &str);

    /// Writes a line to the log that the configuration asks for: about a request (`debug`), or a message (`mail`).
    fn log_info(&self, line: &str);
}

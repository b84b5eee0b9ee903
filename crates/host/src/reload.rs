//! Replaces components of a running server.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use anyhow::{Context as _, Result};

use crate::Host;
use crate::schedule::Job;
use crate::serve::Pool;

/// A shared value that can be replaced. Clones of the former value stay valid.
pub(crate) struct Replaceable<T>(RwLock<Arc<T>>);

impl<T> Replaceable<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        Self(RwLock::new(value))
    }

    pub(crate) fn get(&self) -> Arc<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, value: Arc<T>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

/// The role of a component in a server.
#[derive(Clone)]
pub(crate) enum Role {
    /// It answers requests.
    Http(Arc<Replaceable<Pool>>),
    /// It runs periodically.
    Command(Arc<Job>),
}

impl Role {
    /// Returns the instances of a component that answers requests.
    pub(crate) fn pool(&self) -> Option<Arc<Replaceable<Pool>>> {
        match self {
            Self::Http(pool) => Some(pool.clone()),
            Self::Command(_) => None,
        }
    }
}

/// Replaces the components of a server while that runs.
pub struct Reloader {
    /// Weak, so that it does not keep a stopped server alive.
    pub(crate) host: Weak<Host>,
    /// By name.
    pub(crate) components: BTreeMap<String, Role>,
    pub(crate) instances_max: usize,
}

impl Reloader {
    /// Returns whether the server uses the component `name`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.components.contains_key(name)
    }

    /// Loads the component `name` again, with the grants of the manifest as it was at the start. Later requests, and later runs
    /// of a command, use it; earlier ones end in the former component.
    ///
    /// # Errors
    /// The server does not use the component, or it cannot be loaded. The former one then stays.
    pub fn reload(&self, name: &str) -> Result<()> {
        let Some(host) = self.host.upgrade() else { return Ok(()) };
        match self.components.get(name).with_context(|| format!("the server does not use the component {name:?}"))? {
            Role::Http(pool) => pool.set(Pool::of(&host, name, self.instances_max)?),
            Role::Command(job) => job.command.set(Arc::new(host.load_command(name)?)),
        }
        Ok(())
    }
}

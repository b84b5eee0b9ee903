//! Loads components: reads their grants from the manifest, compiles and links them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::runtime::Runtime;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime_wasi::WasiCtx;

use crate::cache::ComponentCache;
use crate::engine::Engine;
use crate::instance::{Grants, InstanceState};
use crate::manifest::{self, App, Manifest};
use crate::metrics::{Metrics, Outcomes};
use crate::outgoing::{AllowedHosts, Client};
use crate::storage::{Database, Limits, StateDir, Store, create_private_dir};
use crate::variables::Variables;
use crate::{Server, cause, command, interfaces, threads};

/// Runs the components of one app.
pub struct Host {
    app: App,
    pub(crate) config: HostConfig,
    pub(crate) engine: Arc<Engine>,
    pub(crate) threads: Runtime,
    pub(crate) heavy_threads: Runtime,
    /// `None` if nothing is measured.
    pub(crate) metrics: Option<Arc<Metrics>>,
    cache: ComponentCache,
    linker: Linker<InstanceState>,
    /// By name, so that all components share the write lock of a database.
    pub(crate) databases: HashMap<String, Database>,
    client: Arc<Client>,
}

/// What a host provides to components.
pub struct HostConfig {
    /// The values of the app's variables; missing ones have their default.
    pub variables: BTreeMap<String, String>,
    /// The directory of databases and key-value stores.
    pub state_dir: StateDir,
    /// Whether commands write to the host's stdout and stderr.
    pub inherit_output: bool,
    /// The header in which a trusted proxy names the client. Components get it with one address, the one in the log.
    pub client_ip_header: Option<String>,
    /// The origins whose scripts may read the responses that a server makes without a component, such as
    /// `https://app.example.org`. Components decide on their own.
    pub cors_origins: Vec<String>,
    /// What is counted, if the host measures what it does: requests, and these outcomes of some of them. `None` measures
    /// nothing.
    pub metrics: Option<Vec<Outcomes>>,
}

/// A component that is ready to be instantiated.
pub(crate) struct LoadedComponent {
    pub(crate) name: String,
    pub(crate) pre: InstancePre<InstanceState>,
    pub(crate) grants: Arc<Grants>,
}

impl Host {
    /// Creates a host for `app`, and the directory for its state.
    ///
    /// # Errors
    /// The directory cannot be created, a database has a name that Spin would refuse, a route for metrics is malformed, or
    /// wasmtime does not start.
    pub fn new(app: App, mut config: HostConfig) -> Result<Self> {
        create_private_dir(&config.state_dir.path)?;
        let mut databases = HashMap::new();
        let components = app.manifests().flat_map(|manifest| manifest.component.values());
        for name in components.flat_map(|component| &component.sqlite_databases) {
            databases.insert(name.clone(), Database::new(&config.state_dir.database(name)?));
        }
        let engine = Engine::new()?;
        let mut linker = Linker::new(engine.wasmtime());
        interfaces::add_to_linker(&mut linker)?;
        let cache = ComponentCache::new(&config.state_dir.path);
        let threads = threads::light_threads()?;
        let heavy_threads = threads::heavy_threads(threads.handle().clone())?;
        let client = Arc::new(Client::new());
        let routes = app.main.component.values().flat_map(manifest::Component::routes);
        let metrics = config.metrics.take().map(|outcomes| Metrics::new(routes, outcomes)).transpose()?.map(Arc::new);
        let engine = Arc::new(engine);
        Ok(Self { app, config, engine, threads, heavy_threads, metrics, cache, linker, databases, client })
    }

    /// Returns the app.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Runs the command component `name` to completion and returns its exit status. It inherits stdin and, of the
    /// environment, NO_COLOR.
    ///
    /// A component that exports `lanterne:backend/exit-status` chooses its status, as one that calls `exit-with-code`
    /// does; any other failure of `wasi:cli/run` is 1.
    ///
    /// # Errors
    /// There is no such command, it imports what it is not granted, or it traps.
    pub fn run_command<S: AsRef<str>>(&self, name: &str, arguments: &[S]) -> Result<i32> {
        let component = self.load_command(name)?;
        let arguments = command::arguments(name, arguments);
        let mut wasi = WasiCtx::builder();
        wasi.inherit_stdin();
        if self.config.inherit_output {
            wasi.inherit_stdout().inherit_stderr();
        }
        // Any value but an empty one counts, also one that is not UTF-8.
        if let Some(value) = std::env::var_os("NO_COLOR") {
            wasi.env("NO_COLOR", value.to_string_lossy());
        }
        self.threads.block_on(command::run(&self.engine, &component, &arguments, &mut wasi))
    }

    /// Loads the command component `name`.
    pub(crate) fn load_command(&self, name: &str) -> Result<LoadedComponent> {
        self.load(self.app.command(name)?, name, Limits::COMMAND)
    }

    /// Loads the components that the HTTP triggers of the app's main manifest name.
    ///
    /// # Errors
    /// One cannot be loaded, imports what it is not granted, or exports no `wasi:http/handler@0.3`.
    pub fn into_server(self) -> Result<Server> {
        // Creates missing files now: one that is missing later is a fault.
        for (name, database) in &self.databases {
            if let Err(error) = database.open(Limits::REQUEST) {
                log::error!("the database {name:?} is not available: {error}");
            }
        }
        Server::new(self)
    }

    /// Loads the component `name` of `manifest`, whose statements have `limits`.
    pub(crate) fn load(&self, manifest: &Manifest, name: &str, limits: Limits) -> Result<LoadedComponent> {
        let section = manifest.component.get(name);
        let section = section.with_context(|| format!("{} has no [component.{name}]", manifest.path.display()))?;
        let grants = Arc::new(self.grants(manifest, name, section, limits)?);
        let binary = self.app.binary(section)?;
        let component = self.cache.load(&self.engine, &binary, name).with_context(|| {
            format!("{} is no component that this host can run", self.app.source(section).display())
        })?;
        self.check_imports(&component, name, manifest, section)?;
        let pre = self.linker.instantiate_pre(&component);
        let pre = pre.map_err(|error| anyhow!("the component {name:?} does not fit this host: {}", cause(&error)))?;
        Ok(LoadedComponent { name: name.to_owned(), pre, grants })
    }

    fn grants(&self, manifest: &Manifest, name: &str, section: &manifest::Component, limits: Limits) -> Result<Grants> {
        let variables = Variables { manifest, values: &self.config.variables };
        let allowed_hosts = AllowedHosts::of(section, &variables)?;
        if allowed_hosts.allow_https() {
            self.client.prepare_tls()?;
        }
        let sends = !section.allowed_outbound_hosts.is_empty();
        let mut stores = HashMap::new();
        if !section.key_value_stores.is_empty() {
            let path = self.config.state_dir.key_value_file();
            let operations = self.metrics.as_ref().map(|metrics| metrics.operations(name));
            stores = Store::open_all(&path, &section.key_value_stores, limits.store_wait, operations)
                .with_context(|| format!("cannot open {}", path.display()))?;
        }
        let database = |database: &String| {
            let statements = self.metrics.as_ref().map(|metrics| metrics.statements(name, database));
            (database.clone(), self.databases[database].measured(statements))
        };
        Ok(Grants {
            component: name.to_owned(),
            allowed_hosts,
            client: self.client.clone(),
            databases: section.sqlite_databases.iter().map(database).collect(),
            limits,
            outgoing: sends.then(|| self.metrics.as_ref().map(|metrics| metrics.outgoing(name))).flatten(),
            stores,
            variables: variables.of(section)?,
        })
    }

    /// Refuses a component that imports what it is not granted, or what this host does not have.
    fn check_imports(
        &self,
        component: &Component,
        name: &str,
        manifest: &Manifest,
        section: &manifest::Component,
    ) -> Result<()> {
        for (interface, _) in component.component_type().imports(self.engine.wasmtime()) {
            let (key, granted) = match interface.split('/').next().unwrap_or_default() {
                "spin:sqlite" => ("sqlite_databases", &section.sqlite_databases),
                "spin:key-value" => ("key_value_stores", &section.key_value_stores),
                // Always granted: these expose no files, sockets or environment of the host, and each request that a
                // component sends is checked.
                "spin:variables" | "wasi:cli" | "wasi:clocks" | "wasi:config" | "wasi:filesystem" | "wasi:http"
                | "wasi:io" | "wasi:random" | "wasi:sockets" => continue,
                _ => bail!("the component {name:?} imports {interface}, which this host does not have"),
            };
            if granted.is_empty() {
                bail!(
                    "the component {name:?} imports {interface}, which is not granted: add `{key} = [\"default\"]` to [component.{name}] in {}",
                    manifest.path.display()
                );
            }
        }
        Ok(())
    }
}

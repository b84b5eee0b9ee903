//! Puts the parts together: a component from its manifest, granted, compiled and linked.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use wasmtime::component::{InstancePre, Linker};

use crate::component_cache::ComponentCache;
use crate::console::Console;
use crate::databases;
use crate::engine::Engine;
use crate::imports;
use crate::interfaces;
use crate::manifest::{self, Manifest};
use crate::project::Project;
use crate::state::{Grants, State};
use crate::storage::key_value::KeyValueFile;
use crate::storage::limits::Limits;
use crate::storage::sqlite::Database;
use crate::variables::{self, Sources};

/// Everything that the components of one app share.
pub struct Host {
    /// The engine they run in.
    pub engine: Engine,
    /// Where their variables come from.
    pub sources: Sources,
    project: Arc<Project>,
    state_dir: PathBuf,
    console: Console,
    cache: ComponentCache,
    linker: Linker<State>,
    /// Set when instances end because the host does.
    pub is_stopping: AtomicBool,
    /// By file, so that two components with the same database share the turn to write.
    databases: Mutex<HashMap<PathBuf, Database>>,
}

/// A component that is ready to be instantiated.
pub struct Loaded {
    /// Its name in the manifest.
    pub name: String,
    /// Compiled and linked.
    pub(crate) pre: InstancePre<State>,
    /// What it may use.
    pub(crate) grants: Arc<Grants>,
}

impl Host {
    /// Makes the host for `project`, whose state is kept in `state_dir`.
    pub fn new(project: Arc<Project>, sources: Sources, state_dir: PathBuf, console: Console) -> Result<Self> {
        let engine = Engine::new()?;
        let mut linker = Linker::new(engine.wasmtime());
        interfaces::add_to_linker(&mut linker)?;
        Ok(Self {
            cache: ComponentCache::new(&state_dir),
            engine,
            sources,
            project,
            state_dir,
            console,
            linker,
            is_stopping: AtomicBool::new(false),
            databases: Mutex::default(),
        })
    }

    /// Loads the component `name` of `manifest`, whose statements may take as long as `limits` say.
    pub fn load(&self, manifest: &Manifest, name: &str, limits: Limits) -> Result<Loaded> {
        let section = manifest
            .component
            .get(name)
            .with_context(|| format!("{} has no [component.{name}]", manifest.path.display()))?;
        let grants = Arc::new(self.grants(manifest, section, limits)?);
        let start = Instant::now();
        let mut is_compiled = false;
        let source = self.project.source(section);
        let component = self.cache.load(&self.engine, &source, || is_compiled = true)?;
        if is_compiled && start.elapsed() > Duration::from_secs(1) {
            let seconds = start.elapsed().as_secs_f32();
            self.console
                .done("Compiled", format_args!("{name} in {seconds:.1} s; the next start takes it from the cache"));
        }
        imports::check(&self.engine, &component, name, manifest, section)?;
        let pre = self.linker.instantiate_pre(&component).map_err(|error| {
            let reason = error.root_cause().to_string();
            anyhow!("the component {name:?} does not fit this host: {}", first_line(&reason))
        })?;
        Ok(Loaded { name: name.to_owned(), pre, grants })
    }

    fn grants(&self, manifest: &Manifest, section: &manifest::Component, limits: Limits) -> Result<Grants> {
        let database = |name: &String| Ok((name.clone(), self.database(name)?));
        let databases: Result<_> = section.sqlite_databases.iter().map(database).collect();
        let mut stores = HashMap::new();
        if !section.key_value_stores.is_empty() {
            let path = self.state_dir.join("sqlite_key_value.db");
            let file = KeyValueFile::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
            let names = section.key_value_stores.iter();
            stores.extend(names.map(|name| (name.clone(), file.store(name))));
        }
        Ok(Grants {
            databases: Arc::new(databases?),
            limits,
            stores,
            variables: variables::granted(manifest, &self.sources, section)?,
            output: self.console.shows_components(),
        })
    }

    fn database(&self, name: &str) -> Result<Database> {
        let url = self.sources.environment(databases::URL_VARIABLE);
        let path = databases::file(name, url.as_deref(), &self.project.dir, &self.state_dir)?;
        let mut databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
        let database = databases.entry(path).or_insert_with_key(|path| Database::new(path));
        Ok(database.clone())
    }
}

/// The first line of what may be a backtrace.
pub(crate) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

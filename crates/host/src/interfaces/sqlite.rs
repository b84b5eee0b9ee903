//! `spin:sqlite`: the databases a component is granted.

use std::collections::HashMap;
use std::sync::Arc;

use wasmtime::component::{Accessor, FutureReader, HasData, Linker, Resource, ResourceTable, StreamReader};

use crate::bindings::spin::sqlite::sqlite::{
    self, Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value,
};
use crate::state::State;
use crate::storage::limits::Limits;
use crate::storage::sqlite::{Connection, Database};

/// As many connections as Spin gives one instance.
const CONNECTIONS_MAX: usize = 256;

/// What one instance may open, and has open.
pub(crate) struct SqliteCtx {
    granted: Arc<HashMap<String, Database>>,
    limits: Limits,
    open_count: usize,
}

impl SqliteCtx {
    /// For an instance that may open the databases in `granted`.
    pub(crate) fn new(granted: Arc<HashMap<String, Database>>, limits: Limits) -> Self {
        Self { granted, limits, open_count: 0 }
    }
}

/// The parts of a store's data that this interface works on.
pub(crate) struct SqliteView<'a> {
    ctx: &'a mut SqliteCtx,
    table: &'a mut ResourceTable,
}

struct Sqlite;

impl HasData for Sqlite {
    type Data<'a> = SqliteView<'a>;
}

/// Gives `linker` this interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    sqlite::add_to_linker::<State, Sqlite>(linker, |state| SqliteView {
        ctx: &mut state.sqlite,
        table: &mut state.table,
    })
}

impl SqliteView<'_> {
    fn open_connection(&mut self, name: &str) -> Result<Resource<Connection>, Error> {
        let database = self.ctx.granted.get(name).ok_or(Error::AccessDenied)?;
        if self.ctx.open_count >= CONNECTIONS_MAX {
            return Err(Error::Io("too many connections opened".into()));
        }
        let connection = database.open(self.ctx.limits).map_err(|error| Error::Io(error.to_string()))?;
        let handle = self.table.push(connection).map_err(|error| Error::Io(error.to_string()))?;
        self.ctx.open_count += 1;
        Ok(handle)
    }

    fn connection(&self, handle: &Resource<Connection>) -> Result<Connection, Error> {
        self.table.get(handle).cloned().map_err(|_| Error::InvalidConnection)
    }
}

impl Host for SqliteView<'_> {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<Error> {
        Ok(error)
    }
}

impl HostConnection for SqliteView<'_> {
    async fn open(&mut self, database: String) -> Result<Resource<Connection>, Error> {
        self.open_connection(&database)
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> Result<QueryResult, Error> {
        let outcome = self.connection(&connection)?.execute(statement, parameters).await;
        outcome.result?;
        Ok(QueryResult { columns: outcome.columns, rows: outcome.rows })
    }

    async fn last_insert_rowid(&mut self, connection: Resource<Connection>) -> wasmtime::Result<i64> {
        Ok(self.connection(&connection)?.last_insert_rowid().await)
    }

    async fn changes(&mut self, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        Ok(self.connection(&connection)?.changes().await)
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        self.ctx.open_count -= 1;
        Ok(())
    }
}

/// The columns, the rows, and whether the statement ran to its end.
type AsyncRows = (Vec<String>, StreamReader<RowResult>, FutureReader<Result<(), Error>>);

impl HostConnectionWithStore<State> for Sqlite {
    async fn open_async(accessor: &Accessor<State, Self>, database: String) -> Result<Resource<Connection>, Error> {
        accessor.with(|mut access| access.get().open_connection(&database))
    }

    async fn execute_async(
        accessor: &Accessor<State, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> Result<AsyncRows, Error> {
        let connection = accessor.with(|mut access| access.get().connection(&connection))?;
        let outcome = connection.execute(statement, parameters).await;
        // A statement's failure comes after its rows, as in Spin.
        let result = outcome.result;
        accessor
            .with(|mut access| {
                let rows = StreamReader::new(&mut access, outcome.rows)?;
                let end = FutureReader::new(&mut access, async move { wasmtime::error::Ok(result) })?;
                wasmtime::error::Ok((outcome.columns, rows, end))
            })
            .map_err(|error| Error::Io(error.to_string()))
    }

    async fn last_insert_rowid_async(
        accessor: &Accessor<State, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<i64> {
        let connection = accessor.with(|mut access| access.get().connection(&connection))?;
        Ok(connection.last_insert_rowid().await)
    }

    async fn changes_async(
        accessor: &Accessor<State, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<u64> {
        let connection = accessor.with(|mut access| access.get().connection(&connection))?;
        Ok(connection.changes().await)
    }
}

//! `spin:sqlite`: the databases that a component is granted.

use wasmtime::component::{Accessor, FutureReader, HasSelf, Resource, StreamReader};

use crate::instance::InstanceState;
use crate::interfaces::bindings::spin::sqlite::sqlite::{
    self, Error, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value,
};
use crate::storage::Connection;

/// The most open connections of one instance, as in Spin.
const CONNECTIONS_MAX: usize = 256;

impl InstanceState {
    fn open_connection(&mut self, name: &str) -> Result<Resource<Connection>, Error> {
        let database = self.grants.databases.get(name).ok_or(Error::AccessDenied)?;
        if self.open_connections >= CONNECTIONS_MAX {
            return Err(Error::Io("too many connections opened".into()));
        }
        let connection = database.open(self.grants.limits).map_err(io_error)?;
        let handle = self.table.push(connection).map_err(io_error)?;
        self.open_connections += 1;
        Ok(handle)
    }

    fn connection(&self, handle: &Resource<Connection>) -> Result<Connection, Error> {
        self.table.get(handle).cloned().map_err(|_| Error::InvalidConnection)
    }
}

fn io_error(error: impl ToString) -> Error {
    Error::Io(error.to_string())
}

impl sqlite::Host for InstanceState {}

impl HostConnection for InstanceState {
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
        match outcome.error {
            None => Ok(QueryResult { columns: outcome.columns, rows: outcome.rows }),
            Some(error) => Err(io_error(error)),
        }
    }

    async fn last_insert_rowid(&mut self, connection: Resource<Connection>) -> wasmtime::Result<i64> {
        Ok(self.connection(&connection)?.last_insert_rowid().await)
    }

    async fn changes(&mut self, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        Ok(self.connection(&connection)?.changes().await)
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        self.open_connections -= 1;
        Ok(())
    }
}

type Caller = Accessor<InstanceState, HasSelf<InstanceState>>;
/// The columns, the rows, and the outcome of the statement.
type AsyncRows = (Vec<String>, StreamReader<RowResult>, FutureReader<Result<(), Error>>);

fn connection_of(caller: &Caller, handle: &Resource<Connection>) -> Result<Connection, Error> {
    caller.with(|mut access| access.get().connection(handle))
}

impl HostConnectionWithStore<InstanceState> for HasSelf<InstanceState> {
    async fn open_async(caller: &Caller, database: String) -> Result<Resource<Connection>, Error> {
        caller.with(|mut access| access.get().open_connection(&database))
    }

    async fn execute_async(
        caller: &Caller,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> Result<AsyncRows, Error> {
        let outcome = connection_of(caller, &connection)?.execute(statement, parameters).await;
        // A statement's failure comes after its rows, as in Spin.
        let result = outcome.error.map_or(Ok(()), |error| Err(io_error(error)));
        let rows = caller.with(|mut access| {
            let rows = StreamReader::new(&mut access, outcome.rows)?;
            let end = FutureReader::new(&mut access, async move { wasmtime::error::Ok(result) })?;
            wasmtime::error::Ok((outcome.columns, rows, end))
        });
        rows.map_err(io_error)
    }

    async fn last_insert_rowid_async(caller: &Caller, connection: Resource<Connection>) -> wasmtime::Result<i64> {
        Ok(connection_of(caller, &connection)?.last_insert_rowid().await)
    }

    async fn changes_async(caller: &Caller, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        Ok(connection_of(caller, &connection)?.changes().await)
    }
}

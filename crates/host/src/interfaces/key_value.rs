//! `spin:key-value`: the stores a component is granted.

use std::collections::HashMap;

use wasmtime::component::{Accessor, FutureReader, HasData, Linker, Resource, ResourceTable, StreamReader};

use crate::bindings::spin::key_value::key_value::{self, Error, Host, HostStore, HostStoreWithStore};
use crate::state::State;
use crate::storage::key_value::Store;

/// The parts of a store's data that the key-value interfaces work on.
pub(crate) struct KeyValueView<'a> {
    /// The stores that the component is granted.
    pub(crate) granted: &'a HashMap<String, Store>,
    /// The handles of the instance.
    pub(crate) table: &'a mut ResourceTable,
}

/// Selects [`KeyValueView`] from the data of a store.
pub(crate) struct KeyValue;

impl HasData for KeyValue {
    type Data<'a> = KeyValueView<'a>;
}

/// Gives `linker` this interface.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    key_value::add_to_linker::<State, KeyValue>(linker, State::key_value)
}

impl Host for KeyValueView<'_> {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<Error> {
        Ok(error)
    }
}

impl HostStore for KeyValueView<'_> {
    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

fn store_behind(accessor: &Accessor<State, KeyValue>, handle: &Resource<Store>) -> Result<Store, Error> {
    accessor.with(|mut access| access.get().table.get(handle).cloned().map_err(|_| Error::NoSuchStore))
}

impl HostStoreWithStore<State> for KeyValue {
    async fn open(accessor: &Accessor<State, Self>, label: String) -> Result<Resource<Store>, Error> {
        accessor.with(|mut access| {
            let view = access.get();
            let store = view.granted.get(&label).cloned().ok_or(Error::AccessDenied)?;
            view.table.push(store).map_err(|_| Error::StoreTableFull)
        })
    }

    async fn get(
        accessor: &Accessor<State, Self>,
        store: Resource<Store>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        store_behind(accessor, &store)?.get(key).await.map_err(Error::Other)
    }

    async fn set(
        accessor: &Accessor<State, Self>,
        store: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        store_behind(accessor, &store)?.set(key, value).await.map_err(Error::Other)
    }

    async fn delete(accessor: &Accessor<State, Self>, store: Resource<Store>, key: String) -> Result<(), Error> {
        store_behind(accessor, &store)?.delete(key).await.map_err(Error::Other)
    }

    async fn exists(accessor: &Accessor<State, Self>, store: Resource<Store>, key: String) -> Result<bool, Error> {
        let value = store_behind(accessor, &store)?.get(key).await;
        value.map(|value| value.is_some()).map_err(Error::Other)
    }

    async fn get_keys(
        accessor: &Accessor<State, Self>,
        store: Resource<Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let (keys, end) = match store_behind(accessor, &store)?.keys().await {
            Ok(keys) => (keys, Ok(())),
            Err(reason) => (Vec::new(), Err(Error::Other(reason))),
        };
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys)?;
            let end = FutureReader::new(&mut access, async move { wasmtime::error::Ok(end) })?;
            Ok((keys, end))
        })
    }
}

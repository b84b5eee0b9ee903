//! `spin:key-value`: the stores that a component is granted.

use wasmtime::component::{Accessor, FutureReader, HasSelf, Resource, StreamReader};

use crate::instance::InstanceState;
use crate::interfaces::bindings::spin::key_value::key_value::{self, Error, HostStore, HostStoreWithStore};
use crate::storage::Store;

impl key_value::Host for InstanceState {}

impl HostStore for InstanceState {
    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

type Caller = Accessor<InstanceState, HasSelf<InstanceState>>;
/// The keys, and the outcome of reading them.
type Keys = (StreamReader<String>, FutureReader<Result<(), Error>>);

fn store_of(caller: &Caller, handle: &Resource<Store>) -> Result<Store, Error> {
    caller.with(|mut access| access.get().table.get(handle).cloned().map_err(|_| Error::NoSuchStore))
}

impl HostStoreWithStore<InstanceState> for HasSelf<InstanceState> {
    async fn open(caller: &Caller, label: String) -> Result<Resource<Store>, Error> {
        caller.with(|mut access| {
            let state = access.get();
            let store = state.grants.stores.get(&label).cloned().ok_or(Error::AccessDenied)?;
            state.table.push(store).map_err(|error| Error::Other(error.to_string()))
        })
    }

    async fn get(caller: &Caller, store: Resource<Store>, key: String) -> Result<Option<Vec<u8>>, Error> {
        store_of(caller, &store)?.get(key).await.map_err(Error::Other)
    }

    async fn set(caller: &Caller, store: Resource<Store>, key: String, value: Vec<u8>) -> Result<(), Error> {
        store_of(caller, &store)?.set(key, value).await.map_err(Error::Other)
    }

    async fn delete(caller: &Caller, store: Resource<Store>, key: String) -> Result<(), Error> {
        store_of(caller, &store)?.delete(key).await.map_err(Error::Other)
    }

    async fn exists(caller: &Caller, store: Resource<Store>, key: String) -> Result<bool, Error> {
        let value = store_of(caller, &store)?.get(key).await;
        value.map(|value| value.is_some()).map_err(Error::Other)
    }

    async fn get_keys(caller: &Caller, store: Resource<Store>) -> wasmtime::Result<Keys> {
        let (keys, outcome) = match store_of(caller, &store) {
            Ok(store) => match store.keys().await {
                Ok(keys) => (keys, Ok(())),
                Err(reason) => (Vec::new(), Err(Error::Other(reason))),
            },
            Err(error) => (Vec::new(), Err(error)),
        };
        caller.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys)?;
            let end = FutureReader::new(&mut access, async move { wasmtime::error::Ok(outcome) })?;
            Ok((keys, end))
        })
    }
}

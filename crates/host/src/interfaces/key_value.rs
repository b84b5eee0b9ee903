//! `wasi:keyvalue`: the stores a component is granted.

use std::collections::HashMap;

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use crate::bindings::wasi::keyvalue::atomics::{self, CasError, HostCas};
use crate::bindings::wasi::keyvalue::store::{self, Error, HostBucket, KeyResponse};
use crate::state::State;
use crate::storage::key_value::{CompareAndSwap, Store};

/// The parts of a store's data that the key-value interfaces work on.
pub(crate) struct KeyValueView<'a> {
    /// The stores that the component is granted.
    pub(crate) granted: &'a HashMap<String, Store>,
    /// The handles of the instance.
    pub(crate) table: &'a mut ResourceTable,
}

/// Selects [`KeyValueView`] from the data of a store.
struct KeyValue;

impl HasData for KeyValue {
    type Data<'a> = KeyValueView<'a>;
}

/// Gives `linker` these interfaces.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    store::add_to_linker::<State, KeyValue>(linker, State::key_value)?;
    atomics::add_to_linker::<State, KeyValue>(linker, State::key_value)
}

impl KeyValueView<'_> {
    fn bucket(&self, handle: &Resource<Store>) -> Result<Store, Error> {
        self.table.get(handle).cloned().map_err(|_| Error::NoSuchStore)
    }
}

impl store::Host for KeyValueView<'_> {
    async fn open(&mut self, identifier: String) -> Result<Resource<Store>, Error> {
        let store = self.granted.get(&identifier).cloned().ok_or(Error::AccessDenied)?;
        self.table.push(store).map_err(|error| Error::Other(error.to_string()))
    }

    fn convert_error(&mut self, error: Error) -> wasmtime::Result<Error> {
        Ok(error)
    }
}

impl HostBucket for KeyValueView<'_> {
    async fn get(&mut self, bucket: Resource<Store>, key: String) -> Result<Option<Vec<u8>>, Error> {
        self.bucket(&bucket)?.get(key).await.map_err(Error::Other)
    }

    async fn set(&mut self, bucket: Resource<Store>, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.bucket(&bucket)?.set(key, value).await.map_err(Error::Other)
    }

    async fn delete(&mut self, bucket: Resource<Store>, key: String) -> Result<(), Error> {
        self.bucket(&bucket)?.delete(key).await.map_err(Error::Other)
    }

    async fn exists(&mut self, bucket: Resource<Store>, key: String) -> Result<bool, Error> {
        let value = self.bucket(&bucket)?.get(key).await.map_err(Error::Other)?;
        Ok(value.is_some())
    }

    async fn list_keys(&mut self, bucket: Resource<Store>, cursor: Option<String>) -> Result<KeyResponse, Error> {
        // All keys come at once, so there is never a cursor to go on from.
        if cursor.is_some() {
            return Err(Error::Other("list_keys: cursor not supported".into()));
        }
        let keys = self.bucket(&bucket)?.keys().await.map_err(Error::Other)?;
        Ok(KeyResponse { keys, cursor: None })
    }

    async fn drop(&mut self, bucket: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl HostCas for KeyValueView<'_> {
    async fn new(&mut self, bucket: Resource<Store>, key: String) -> Result<Resource<CompareAndSwap>, Error> {
        let cas = CompareAndSwap::new(self.bucket(&bucket)?, key).await.map_err(Error::Other)?;
        self.table.push(cas).map_err(|error| Error::Other(error.to_string()))
    }

    async fn current(&mut self, cas: Resource<CompareAndSwap>) -> Result<Option<Vec<u8>>, Error> {
        let stale = |_| Error::Other("compare and swap not found".into());
        let (store, key) = self.table.get(&cas).map_err(stale)?.target();
        let value = store.get(key).await.map_err(Error::Other)?;
        self.table.get_mut(&cas).map_err(stale)?.update(value.clone());
        Ok(value)
    }

    async fn drop(&mut self, cas: Resource<CompareAndSwap>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl atomics::Host for KeyValueView<'_> {
    async fn increment(&mut self, bucket: Resource<Store>, key: String, delta: i64) -> Result<i64, Error> {
        self.bucket(&bucket)?.increment(key, delta).await.map_err(Error::Other)
    }

    async fn swap(&mut self, cas: Resource<CompareAndSwap>, value: Vec<u8>) -> Result<(), CasError> {
        let other = |reason: String| CasError::StoreError(Error::Other(reason));
        let cas = self.table.delete(cas).map_err(|error| other(error.to_string()))?;
        match cas.swap(value).await.map_err(other)? {
            Ok(()) => Ok(()),
            Err(fresh) => {
                let handle = self.table.push(fresh).map_err(|error| other(error.to_string()))?;
                Err(CasError::CasFailed(handle))
            }
        }
    }

    fn convert_cas_error(&mut self, error: CasError) -> wasmtime::Result<CasError> {
        Ok(error)
    }
}

//! `wasi:keyvalue`: the stores that a component is granted.

use wasmtime::component::Resource;

use crate::instance::InstanceState;
use crate::interfaces::bindings::wasi::keyvalue::atomics::{self, CasError, HostCas};
use crate::interfaces::bindings::wasi::keyvalue::store::{self, Error, HostBucket, KeyResponse};
use crate::storage::{CompareAndSwap, Store};

impl InstanceState {
    fn bucket(&self, handle: &Resource<Store>) -> Result<Store, Error> {
        self.table.get(handle).cloned().map_err(|_| Error::NoSuchStore)
    }

    fn push<T: Send + 'static>(&mut self, resource: T) -> Result<Resource<T>, Error> {
        self.table.push(resource).map_err(table_error)
    }
}

fn table_error(error: wasmtime::component::ResourceTableError) -> Error {
    Error::Other(error.to_string())
}

impl store::Host for InstanceState {
    async fn open(&mut self, identifier: String) -> Result<Resource<Store>, Error> {
        let store = self.grants.stores.get(&identifier).cloned().ok_or(Error::AccessDenied)?;
        self.push(store)
    }
}

impl HostBucket for InstanceState {
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
        let value = self.bucket(&bucket)?.get(key).await;
        value.map(|value| value.is_some()).map_err(Error::Other)
    }

    /// Returns all keys at once and never a cursor.
    async fn list_keys(&mut self, bucket: Resource<Store>, cursor: Option<String>) -> Result<KeyResponse, Error> {
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

impl HostCas for InstanceState {
    async fn new(&mut self, bucket: Resource<Store>, key: String) -> Result<Resource<CompareAndSwap>, Error> {
        let cas = CompareAndSwap::new(self.bucket(&bucket)?, key).await.map_err(Error::Other)?;
        self.push(cas)
    }

    async fn current(&mut self, cas: Resource<CompareAndSwap>) -> Result<Option<Vec<u8>>, Error> {
        self.table.get_mut(&cas).map_err(table_error)?.read().await.map_err(Error::Other)
    }

    async fn drop(&mut self, cas: Resource<CompareAndSwap>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl atomics::Host for InstanceState {
    async fn increment(&mut self, bucket: Resource<Store>, key: String, delta: i64) -> Result<i64, Error> {
        self.bucket(&bucket)?.increment(key, delta).await.map_err(Error::Other)
    }

    async fn swap(&mut self, cas: Resource<CompareAndSwap>, value: Vec<u8>) -> Result<(), CasError> {
        let cas = self.table.delete(cas).map_err(|error| CasError::StoreError(table_error(error)))?;
        let swapped = cas.swap(value).await.map_err(|reason| CasError::StoreError(Error::Other(reason)))?;
        match swapped {
            Ok(()) => Ok(()),
            Err(fresh) => Err(CasError::CasFailed(self.push(fresh).map_err(CasError::StoreError)?)),
        }
    }
}

//! `spin:variables` and `wasi:config`: the variables that a component is granted.

use wasmtime::component::{Accessor, HasSelf};

use crate::instance::InstanceState;
use crate::interfaces::bindings::spin::variables::variables::{self, HostWithStore};
use crate::interfaces::bindings::wasi::config::store;

impl variables::Host for InstanceState {}

impl HostWithStore<InstanceState> for HasSelf<InstanceState> {
    async fn get(accessor: &Accessor<InstanceState, Self>, name: String) -> Result<String, variables::Error> {
        let value = accessor.with(|mut access| access.get().grants.variables.get(&name).cloned());
        value.ok_or_else(|| variables::Error::Undefined(format!("no variable {name:?}")))
    }
}

impl store::Host for InstanceState {
    async fn get(&mut self, key: String) -> Result<Option<String>, store::Error> {
        Ok(self.grants.variables.get(&key).cloned())
    }

    async fn get_all(&mut self) -> Result<Vec<(String, String)>, store::Error> {
        Ok(self.grants.variables.clone().into_iter().collect())
    }
}

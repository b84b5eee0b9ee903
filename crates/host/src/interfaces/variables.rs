//! `spin:variables` and `wasi:config`: the variables a component is granted.

use std::collections::BTreeMap;

use wasmtime::component::{Accessor, HasData, Linker};

use crate::bindings::spin::variables::variables::{self, Error, Host, HostWithStore};
use crate::bindings::wasi::config::store;
use crate::state::State;

/// The variables of a component, their templates resolved.
pub(crate) type GrantedVariables = BTreeMap<String, String>;

struct Variables;

impl HasData for Variables {
    type Data<'a> = &'a GrantedVariables;
}

/// Gives `linker` these interfaces.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    variables::add_to_linker::<State, Variables>(linker, |state| &state.grants.variables)?;
    store::add_to_linker::<State, Variables>(linker, |state| &state.grants.variables)
}

impl Host for &GrantedVariables {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<Error> {
        Ok(error)
    }
}

impl HostWithStore<State> for Variables {
    async fn get(accessor: &Accessor<State, Self>, name: String) -> Result<String, Error> {
        accessor.with(|mut access| {
            let value = access.get().get(&name).cloned();
            value.ok_or_else(|| Error::Undefined(format!("no variable {name:?}")))
        })
    }
}

impl store::Host for &GrantedVariables {
    async fn get(&mut self, key: String) -> Result<Option<String>, store::Error> {
        Ok(GrantedVariables::get(self, &key).cloned())
    }

    async fn get_all(&mut self) -> Result<Vec<(String, String)>, store::Error> {
        Ok(self.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    fn convert_error(&mut self, error: store::Error) -> wasmtime::Result<store::Error> {
        Ok(error)
    }
}

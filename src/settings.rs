//! The app's variables, read from the host once in the life of an instance.

use std::sync::OnceLock;

use lanterne_core::config::{self, Config};
use spin_sdk::variables;

/// The checked configuration, or one line a fault. Faults are not kept: a provider that failed may answer next time.
pub(crate) async fn config() -> Result<&'static Config, String> {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config);
    }
    let mut values = Vec::new();
    for name in config::VARIABLES {
        match variables::get(name).await {
            Ok(value) => values.push((name, value)),
            // A required variable without a value; the check below says what that means.
            Err(variables::Error::Undefined(_)) => {}
            Err(error) => return Err(format!("{name}: {error}")),
        }
    }
    let lookup = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let config = Config::from_lookup(lookup).map_err(|errors| errors.to_string().replace('\n', "; "))?;
    Ok(CONFIG.get_or_init(|| config))
}

//! `lanterne health`: asks a running server whether it is ready, for containers without another HTTP client.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ureq::Agent;

use crate::cli::Health;
use crate::console::Console;

/// How long the server may take: longer than it waits for a locked database.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Prints the reply.
///
/// # Errors
/// The reply has another status than 200, or there is none.
pub(crate) fn run(health: &Health) -> Result<()> {
    let agent = Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).proxy(None);
    let agent: Agent = agent.max_redirects(0).build().into();
    let url = &health.url;
    let mut reply = agent.get(url).call().with_context(|| format!("{url} does not answer"))?;
    let text = reply.body_mut().read_to_string().with_context(|| format!("{url} does not answer"))?;
    if reply.status().as_u16() != 200 {
        bail!("{url} answers with {}: {text}", reply.status().as_u16());
    }
    Console::new(health.quiet).line(text);
    Ok(())
}

//! x
use crate::report::Results;
use anyhow::Result;
use std::path::Path;
pub(crate) fn write(_: &Results, _: &Path) -> Result<()> {
    Ok(())
}

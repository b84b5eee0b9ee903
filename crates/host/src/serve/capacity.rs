//! The number of instances and connections that the resource limits of the process allow (`ulimit -n`, `ulimit -v`).

use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::engine::{INSTANCE_ADDRESS_SPACE, INSTANCES_MAX};
use crate::outgoing::REQUESTS_MAX;

/// The maximum number of concurrent connections.
pub(crate) const CONNECTIONS_MAX: usize = 1024;
/// Files that are open whatever the load: the standard streams, the listeners, connections for metrics, tokio's, the
/// key-value store, and the compiled code of each component.
const FILES_RESERVED: usize = 32;
/// Files of an instance: its database, the write-ahead log, and as many until a former instance has closed its own.
const FILES_PER_INSTANCE: usize = 4;
/// The fewest open files with which a server starts: they suffice for two instances and six connections.
const FILES_MIN: usize = 48;
/// Address space of the program without instances: code, heap, stacks, the compiler.
const ADDRESS_SPACE_RESERVED: usize = 2 << 30;

/// The maximum number of concurrent instances and connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) instances: usize,
    pub(crate) connections: usize,
}

impl Capacity {
    /// Returns the capacity of this process. Raises a low soft limit of open files.
    ///
    /// # Errors
    /// A limit is too low to serve at all.
    pub(crate) fn of_process() -> Result<Self> {
        let wanted = FILES_RESERVED + INSTANCES_MAX * FILES_PER_INSTANCE + CONNECTIONS_MAX + REQUESTS_MAX;
        let files = getrlimit(Resource::Nofile);
        if files.current.is_some_and(|current| current < wanted as u64) {
            let current = Some(files.maximum.map_or(wanted as u64, |maximum| maximum.min(wanted as u64)));
            let _ = setrlimit(Resource::Nofile, Rlimit { current, ..files });
        }
        let current = |resource| getrlimit(resource).current.and_then(|limit| usize::try_from(limit).ok());
        Self::of(current(Resource::Nofile).unwrap_or(wanted), current(Resource::As).unwrap_or(usize::MAX))
    }

    /// Returns the capacity of a process with this many open files and bytes of address space.
    fn of(files: usize, address_space: usize) -> Result<Self> {
        if files < FILES_MIN {
            bail!("the limit of open files is {files}, must be at least {FILES_MIN}: see `ulimit -n`");
        }
        let by_space = address_space.saturating_sub(ADDRESS_SPACE_RESERVED) / INSTANCE_ADDRESS_SPACE;
        if by_space == 0 {
            let min = (ADDRESS_SPACE_RESERVED + INSTANCE_ADDRESS_SPACE) >> 10;
            bail!(
                "the limit of address space is {} KiB, must be at least {min} KiB: see `ulimit -v`",
                address_space >> 10
            );
        }
        let files = files - FILES_RESERVED;
        let instances = (files / 2 / FILES_PER_INSTANCE).min(by_space).min(INSTANCES_MAX);
        // A low limit does not suffice for as many requests of components, which then fail.
        let requests = REQUESTS_MAX.min(files / 8);
        let connections = (files - instances * FILES_PER_INSTANCE - requests).min(CONNECTIONS_MAX);
        Ok(Self { instances, connections })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capacity_follows_the_limits() {
        let of = |files, address_space| Capacity::of(files, address_space).unwrap();
        assert_eq!(of(4096, usize::MAX), Capacity { instances: INSTANCES_MAX, connections: CONNECTIONS_MAX });
        assert_eq!(of(1024, usize::MAX), Capacity { instances: INSTANCES_MAX, connections: 704 });
        assert_eq!(of(64, usize::MAX), Capacity { instances: 4, connections: 12 });
        assert_eq!(of(4096, 3 << 30).instances, 16);
    }

    #[test]
    fn limits_that_are_too_low_are_refused() {
        let refused = |files, address_space| Capacity::of(files, address_space).unwrap_err().to_string();
        assert!(refused(47, usize::MAX).contains("ulimit -n"));
        assert_eq!(Capacity::of(48, usize::MAX).unwrap(), Capacity { instances: 2, connections: 6 });
        assert!(refused(4096, 2 << 30).contains("ulimit -v"));
    }
}

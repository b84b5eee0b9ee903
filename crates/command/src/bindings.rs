//! Generated from `wit/world.wit`, world `command`: the host's functions as Rust sees them.
#![allow(missing_docs, unreachable_pub, unsafe_code, reason = "generated code, used only inside this crate")]
#![allow(clippy::all, clippy::pedantic, reason = "generated code")]
#![allow(dead_code, unused_imports, reason = "the interface has more than the commands use")]

use crate::exit_status::ExitStatus;

wit_bindgen::generate!({ world: "command", path: "../../wit", generate_all });

export!(ExitStatus);

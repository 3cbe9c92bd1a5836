//! The table of attempts. `{out}` is a folder outside that everybody may write to, `{ws}` the
//! workspace, `{tmp}` the private temporary folder, `{pid}` a process outside, `{me}` the test.

use polaris_sandbox::Limit;

use crate::{Case, Line};

mod configuration;
mod connections;
mod files;
mod kernel;
mod network;
mod resources;

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let network = [network::cases(), connections::cases()].concat();
    [files::cases(), kernel::cases(), network, resources::cases(), configuration::cases()]
        .into_iter()
        .flatten()
        .collect()
}

const PLAIN: Case = Case {
    class: "",
    name: "",
    attempt: ("attempt", &[]),
    twin: ("attempt", &[]),
    limit: None,
    small: false,
    only_full: false,
    connects: false,
    files: &[],
};

/// An attempt by system calls, and its twin.
const fn calls(
    class: &'static str,
    name: &'static str,
    attempt: &'static [&'static str],
    twin: &'static [&'static str],
) -> Case {
    Case { class, name, attempt: ("attempt", attempt), twin: ("attempt", twin), ..PLAIN }
}

/// An attempt by any program.
const fn programs(class: &'static str, name: &'static str, attempt: Line, twin: Line) -> Case {
    Case { class, name, attempt, twin, ..PLAIN }
}

impl Case {
    const fn stopped_by(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    const fn small(self) -> Self {
        Self { small: true, ..self }
    }

    /// Below `full` this is visible, and said to be.
    const fn only_full(self) -> Self {
        Self { only_full: true, ..self }
    }

    /// With connections to one server, as an installation of packages has.
    const fn connecting(self) -> Self {
        Self { connects: true, ..self }
    }

    const fn twin_is(self, twin: Line) -> Self {
        Self { twin, ..self }
    }

    const fn with(self, files: &'static [(&'static str, &'static str)]) -> Self {
        Self { files, ..self }
    }
}

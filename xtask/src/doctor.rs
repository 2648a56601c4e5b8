//! The bed of broken servers for `madang doctor`, with real proxies and foreign servers.

use crate::process::{Log, command, run};
use crate::project::Project;
use crate::steps::Outcome;
use crate::tools::{need_file, npm_package, outcome};
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(20);

/// Installs proxies and `RabbitMQ`, which the ordinary tests do without, and runs all of it.
pub(crate) fn bed(project: &Project, log: &Log) -> Result<Outcome, String> {
    outcome((|| {
        // Their own `--version` answers are of three kinds, so that the files are looked for.
        need_file("/usr/sbin/nginx", &["nginx"], log)?;
        need_file("/usr/sbin/haproxy", &["haproxy"], log)?;
        need_file("/usr/sbin/apache2", &["apache2"], log)?;
        need_file("/usr/sbin/rabbitmq-server", &["rabbitmq-server"], log)?;
        let packages = npm_package(project, "conformance/doctor", log)?;
        let args = ["test", "--package", "madang-cli", "--test", "doctor"];
        let mut cargo = command("cargo", &args, &project.root);
        cargo.env("MADANG_BED", "all").env("MADANG_BED_NODE", packages);
        run(cargo, log, LIMIT)?;
        let text = log.text();
        let passed = text.lines().rev().find_map(|line| {
            let rest = line.strip_prefix("test result: ok. ")?;
            rest.split(' ').next().map(str::to_owned)
        });
        Ok(format!("{} tests", passed.unwrap_or_default()))
    })())
}

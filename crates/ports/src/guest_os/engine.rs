//! The container engine: a look at containers, and apart from it what starts them.

use std::path::Path;
use std::time::Duration;

use crate::error::Result;

/// The container engine and its compose program.
pub trait Engine {
    /// Pulls one image; an error of the kind [`std::io::ErrorKind::TimedOut`] where it is not there after `timeout`.
    fn pull(
        &self,
        image: &str,
        credentials: &Path,
        authorities: Option<&Path>,
        timeout: Duration,
    ) -> Result<()>;
    /// Starts a compose project whose images are present; nothing is pulled or built. The compose program is started with
    /// this environment and nothing else; an error of the kind [`std::io::ErrorKind::TimedOut`] where it has not ended
    /// after `timeout`.
    fn compose_up(
        &self,
        project: &str,
        folder: &Path,
        file: &Path,
        environment: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<()>;
}

/// A look at the containers that the engine has.
pub trait Containers {
    /// The project's containers, running or not, as the engine's interface lists them: JSON, at most 1 MiB.
    fn containers(&self, project: &str) -> Result<Vec<u8>>;
}

//! The container engine: a look at containers, and apart from it what starts them.

use std::path::Path;
use std::time::Duration;

use countersign_crypto::secret::SecretBytes;

use crate::error::Result;

/// A compose project, as its program is told of it.
#[derive(Debug, Clone, Copy)]
pub struct ComposeProject<'p> {
    /// Its name.
    pub name: &'p str,
    /// The folder in which relative paths begin.
    pub folder: &'p Path,
    /// The compose file.
    pub file: &'p Path,
}

/// What the engine's interface answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineAnswer {
    /// Status of HTTP.
    pub status: u16,
    /// JSON, at most 1 MiB.
    pub body: Vec<u8>,
}

/// The container engine and its compose program.
pub trait Engine {
    /// Pulls one image, with the credentials of this file (`auth.json`). A registry that is not reached, or that is in
    /// trouble, is asked again. Every line that the engine says goes to the journal and to `said`, who may read it and not
    /// pass it on: it holds names of the contract. An error of the kind [`std::io::ErrorKind::TimedOut`] where the image is
    /// not there after `timeout`.
    fn pull(
        &self,
        image: &str,
        credentials: &Path,
        timeout: Duration,
        said: &mut dyn FnMut(&str),
    ) -> Result<()>;
    /// What the engine has under this name.
    fn image(&self, image: &str) -> Result<EngineAnswer>;
    /// What the compose program makes of a project: its canonical model, JSON of at most `bound` bytes. The program is
    /// started with this environment and the `.env` of the folder, and fetches nothing. An error of the kind
    /// [`std::io::ErrorKind::TimedOut`] where it has not ended after `timeout`.
    fn compose_model(
        &self,
        project: &ComposeProject<'_>,
        environment: &[(String, String)],
        bound: usize,
        timeout: Duration,
    ) -> Result<SecretBytes>;
    /// Starts a compose project whose images are present; nothing is pulled or built, and the folder's
    /// variables are not read. An error of the kind [`std::io::ErrorKind::TimedOut`] where it has not
    /// ended after `timeout`.
    fn compose_up(&self, project: &ComposeProject<'_>, timeout: Duration) -> Result<()>;
    /// Starts pods whose images are present, from JSON documents of Kubernetes objects; nothing is pulled or built, and
    /// every line of theirs goes to the journal. Returns when every container runs and every init container has ended
    /// well. An error of the kind [`std::io::ErrorKind::TimedOut`] where that takes longer than `timeout`.
    fn kube_play(&self, documents: &SecretBytes, timeout: Duration) -> Result<()>;
}

/// Whose containers are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'p> {
    /// Those of a compose project.
    Project(&'p str),
    /// All: of pods, the engine knows no project. Those that only hold a pod's network are among them.
    Everyone,
}

/// A look at the containers that the engine has.
pub trait Containers {
    /// Containers, running or not, as the engine's interface lists them: JSON, at most 1 MiB.
    fn containers(&self, whose: Whose<'_>) -> Result<Vec<u8>>;
}

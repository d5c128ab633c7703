//! What becomes of the containers of the workload and what their health checks say: one line for each change, none for
//! what stays.
//!
//! The list is the engine's, in the JSON of its libpod interface (`GET /libpod/containers/json`), which is also what
//! `podman ps --format json` prints. Only what is needed is read.

use std::collections::BTreeMap;

use countersign_contract::code::Code;
use serde::Deserialize;

/// Most containers that are looked at; a compose project has a handful.
pub const LIMIT: usize = 256;

/// A container as the engine lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    names: Vec<String>,
    state: String,
    #[serde(default)]
    exit_code: i32,
    /// Whether it only holds the network of a pod.
    #[serde(default)]
    is_infra: bool,
    #[serde(default)]
    restarts: u64,
    /// Seconds since 1970; another value means another start.
    #[serde(default)]
    started_at: i64,
    /// What its health check says: `starting`, `healthy`, `unhealthy`; nothing where it has none.
    #[serde(default)]
    status: String,
}

/// What is remembered of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    running: bool,
    exit_code: i32,
    started_at: i64,
    /// From a check that failed to the next one that did not.
    unhealthy: bool,
}

/// The containers at the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Containers(BTreeMap<String, Seen>);

/// Something to say about a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Message code.
    pub code: Code,
    /// The container's name and what became of it.
    pub text: String,
}

impl Containers {
    /// How many there are and how many of them run.
    pub fn count(&self) -> (usize, usize) {
        (self.0.len(), self.0.values().filter(|seen| seen.running).count())
    }

    /// Takes the engine's list; the changes since the last one, by name.
    ///
    /// # Errors
    /// The expectation, where the text is no list of containers.
    pub fn update(&mut self, list: &[u8]) -> Result<Vec<Change>, &'static str> {
        let listed: Vec<Listed> =
            serde_json::from_slice(list).map_err(|_| "expected the engine's list of containers")?;
        let mut now = BTreeMap::new();
        let mut changes = Vec::new();
        for container in listed.into_iter().filter(|container| !container.is_infra).take(LIMIT) {
            let Listed { names, state, exit_code, restarts, started_at, status, .. } = container;
            let Some(name) = names.into_iter().next() else { continue };
            // One that is only created, as a compose dependency waits to be started, has nothing to tell yet.
            if state == "created" || state == "initialized" {
                continue;
            }
            let before = self.0.get(&name);
            let running = state == "running" || state == "paused";
            // One that was started again has not recovered before its check says so.
            let unhealthy = match status.as_str() {
                "unhealthy" => running,
                "starting" => before.is_some_and(|before| before.unhealthy),
                _ => false,
            };
            let seen = Seen { running, exit_code, started_at, unhealthy };
            changes.extend(change(&name, before, &seen, restarts));
            changes.extend(health(&name, before, &seen, &status));
            now.insert(name, seen);
        }
        let gone = self.0.iter().filter(|(name, seen)| seen.running && !now.contains_key(*name));
        changes.extend(gone.map(|(name, _)| Change {
            code: Code::ContainerExited,
            text: format!("container {name}: is gone"),
        }));
        self.0 = now;
        Ok(changes)
    }
}

fn change(name: &str, before: Option<&Seen>, now: &Seen, restarts: u64) -> Option<Change> {
    let again = before.is_some_and(|before| before.started_at != now.started_at);
    let said = |code, what: String| Some(Change { code, text: format!("container {name}: {what}") });
    match (before.map(|before| before.running), now.running) {
        // An exit between two looks shows by the new start alone.
        (Some(_), true) if again => {
            said(Code::ContainerRestarted, format!("runs again, {restarts} restarts by its policy"))
        }
        (_, true) => None,
        (Some(false), false) if !again => None,
        (_, false) => said(Code::ContainerExited, format!("ended with exit status {}", now.exit_code)),
    }
}

/// What its health check says, where that is news; of one that has ended the end is.
fn health(name: &str, before: Option<&Seen>, now: &Seen, status: &str) -> Option<Change> {
    let was = before.is_some_and(|before| before.unhealthy);
    let said = |code, what: &str| Some(Change { code, text: format!("container {name}: {what}") });
    match (was, now.unhealthy) {
        (false, true) => said(Code::ContainerUnhealthy, "its health check fails"),
        (true, false) if status == "healthy" && now.running => {
            said(Code::ContainerHealthy, "its health check succeeds again")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As podman 5.4 prints it, shortened by fields that are not read.
    fn list(state: &str, exit_code: i32, restarts: u64, started_at: i64) -> String {
        format!(
            r#"[{{"AutoRemove":false,"Command":["x"],"Exited":false,"ExitedAt":-62135596800,"ExitCode":{exit_code},
            "Id":"0123","Names":["compose-hello-1"],"Restarts":{restarts},"StartedAt":{started_at},
            "State":"{state}","Status":""}}]"#
        )
    }

    #[test]
    fn every_change_is_told_once() {
        let mut containers = Containers::default();
        let mut tell = |list: &str| -> Vec<String> {
            let changes = containers.update(list.as_bytes()).unwrap();
            changes.into_iter().map(|change| format!("{} {}", change.code, change.text)).collect()
        };
        let nothing = Vec::<String>::new();
        assert_eq!(tell(&list("created", 0, 0, 0)), nothing);
        assert_eq!(tell(&list("running", 0, 0, 10)), nothing);
        assert_eq!(tell(&list("running", 0, 0, 10)), nothing);
        assert_eq!(
            tell(&list("exited", 7, 0, 10)),
            ["HPL08110W container compose-hello-1: ended with exit status 7"]
        );
        assert_eq!(tell(&list("exited", 7, 0, 10)), nothing);
        let again = ["HPL08111W container compose-hello-1: runs again, 1 restarts by its policy"];
        assert_eq!(tell(&list("running", 0, 1, 20)), again);
        // It ended and was started between two looks.
        assert_eq!(tell(&list("running", 0, 2, 30)).len(), 1);
        // It was started and ended between two looks.
        assert_eq!(tell(&list("exited", 0, 3, 40)).len(), 1);
        assert_eq!(tell(&list("exited", 1, 4, 50)).len(), 1);
        assert_eq!(tell("[]"), nothing, "what had ended may go");
        assert_eq!(tell(&list("exited", 1, 4, 50)).len(), 1);
        assert_eq!(tell(&list("running", 0, 5, 60)).len(), 1);
        assert_eq!(tell("[]"), ["HPL08110W container compose-hello-1: is gone"]);
    }

    #[test]
    fn what_a_health_check_says_is_told_when_it_changes() {
        let mut containers = Containers::default();
        let mut tell = |state: &str, started_at: i64, health: &str| -> Vec<String> {
            let list =
                list(state, 0, 0, started_at).replace(r#""Status":"""#, &format!(r#""Status":"{health}""#));
            let changes = containers.update(list.as_bytes()).unwrap();
            changes.into_iter().map(|change| format!("{} {}", change.code, change.text)).collect()
        };
        let nothing = Vec::<String>::new();
        let fails = ["HPL08113W container compose-hello-1: its health check fails"];
        let succeeds = ["HPL08113I container compose-hello-1: its health check succeeds again"];
        assert_eq!(tell("running", 10, "starting"), nothing);
        assert_eq!(tell("running", 10, "healthy"), nothing);
        assert_eq!(tell("running", 10, "unhealthy"), fails);
        assert_eq!(tell("running", 10, "unhealthy"), nothing);
        assert_eq!(tell("running", 10, "healthy"), succeeds);
        assert_eq!(tell("running", 10, "unhealthy"), fails);
        // It was started again by its check, and recovers only then.
        assert_eq!(
            tell("running", 20, "starting"),
            ["HPL08111W container compose-hello-1: runs again, 0 restarts by its policy"]
        );
        assert_eq!(tell("running", 20, "healthy"), succeeds);
        // An end is told as one.
        assert_eq!(tell("running", 20, "unhealthy"), fails);
        assert_eq!(
            tell("exited", 20, "unhealthy"),
            ["HPL08110W container compose-hello-1: ended with exit status 0"]
        );
    }

    #[test]
    fn what_holds_the_network_of_a_pod_is_no_container_of_the_workload() {
        let pod = list("running", 0, 0, 10).replace("compose-hello-1", "web-hello");
        let infra = pod.replace("web-hello", "0123-infra").replace("\"Id\"", "\"IsInfra\":true,\"Id\"");
        let both = format!("{},{}", &pod[..pod.len() - 1], &infra[1..]);
        let mut containers = Containers::default();
        assert_eq!(containers.update(both.as_bytes()), Ok(Vec::new()));
        assert_eq!(containers.count(), (1, 1));
        let ended = both.replace("running", "exited");
        let changes = containers.update(ended.as_bytes()).unwrap();
        let texts: Vec<&str> = changes.iter().map(|change| change.text.as_str()).collect();
        assert_eq!(texts, ["container web-hello: ended with exit status 0"]);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_another_text_is_refused() {
        let one = list("running", 0, 0, 1);
        let one = &one[1..one.len() - 1];
        let many: Vec<String> = (0..2 * LIMIT).map(|n| one.replace("hello", &format!("hello{n}"))).collect();
        let mut containers = Containers::default();
        assert_eq!(containers.update(format!("[{}]", many.join(",")).as_bytes()), Ok(Vec::new()));
        assert_eq!(containers.count(), (LIMIT, LIMIT));
        for text in ["", "{}", "[{}]", "[1]"] {
            assert!(containers.update(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(containers.count(), (LIMIT, LIMIT));
    }
}

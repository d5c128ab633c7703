//! The ports of the guest OS, answered from the facts of the rehearsal.
//!
//! The files of the handover are those of [`countersign_ports::Files`]: what the initramfs wrote is what the guest
//! OS reads, as long as nobody calls [`Rehearsal::reboot`].

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use countersign_crypto::secret::SecretBytes;
use serde_json::Value;

use super::Rehearsal;
use countersign_ports::error::{Result, SystemError};
use countersign_ports::guest_os::{
    Answer, ClientFiles, ComposeProject, ConnectionError, Containers, Engine, EngineAnswer, GuestFiles,
    HANDOVER, Https, LogServer, LogTarget, Network, Notes, PUBLISHED, PacketFilter, Post, Whose,
};

/// Of every image.
const ID: &str = "1111111111111111111111111111111111111111111111111111111111111111";

/// Mode of what other programs of the guest OS read.
const READABLE: u32 = 0o644;

impl Notes for Rehearsal {
    fn note(&self, name: &str) -> Result<Vec<u8>> {
        self.read_file(&Path::new(HANDOVER).join(name))
    }

    fn keep_note(&self, name: &str, content: &[u8]) -> Result<()> {
        self.replace_file(&Path::new(HANDOVER).join(name), content)
    }

    fn erase_note(&self, name: &str) -> Result<()> {
        self.erase_file(&Path::new(HANDOVER).join(name))
    }

    fn publish(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = Path::new(PUBLISHED).join(name);
        self.ask(format!("publish {name}"))?.files.insert(path, (0o400, content.to_vec()));
        Ok(())
    }
}

impl GuestFiles for Rehearsal {
    fn read_file(&self, path: &Path) -> Result<Vec<u8>> {
        let state = self.look(format!("read {}", path.display()))?;
        let file = state.files.get(path).map(|(_, content)| content.clone());
        file.ok_or_else(|| SystemError::io("read file", path.display().to_string(), io::ErrorKind::NotFound))
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> Result<()> {
        let mut state = self.ask(format!("replace {}", path.display()))?;
        state.files.insert(path.to_owned(), (READABLE, content.to_vec()));
        state.replaced.push((path.to_owned(), content.to_vec()));
        Ok(())
    }

    fn erase_file(&self, path: &Path) -> Result<()> {
        self.ask(format!("erase {}", path.display()))?.files.remove(path);
        Ok(())
    }
}

impl PacketFilter for Rehearsal {
    fn load_filter(&self, rules: &str) -> Result<()> {
        self.ask(format!("load {} lines of packet filter", rules.lines().count())).map(drop)
    }
}

impl Network for Rehearsal {
    /// Where there is no address the whole time-out passes.
    fn wait_for_address(&self, timeout: Duration) -> Result<Vec<IpAddr>> {
        let mut state = self.ask("wait for an address")?;
        if state.facts.addresses.is_empty() {
            state.facts.uptime += timeout;
        }
        Ok(state.facts.addresses.clone())
    }

    fn name_servers(&self) -> Result<Vec<IpAddr>> {
        Ok(self.look("name servers")?.facts.name_servers.clone())
    }

    fn search_domains(&self) -> Result<Vec<String>> {
        Ok(self.look("search domains")?.facts.search_domains.clone())
    }

    /// Nothing changes: the whole time-out passes.
    fn wait_for_change(&self, timeout: Duration) -> Result<()> {
        self.look("wait for a change")?.facts.uptime += timeout;
        Ok(())
    }

    /// Every name resolves, to an address that is for documentation.
    fn resolve(&self, hostname: &str) -> Result<Vec<IpAddr>> {
        drop(self.ask(format!("resolve {hostname}"))?);
        Ok(vec![IpAddr::from([192, 0, 2, 1])])
    }
}

impl LogServer for Rehearsal {
    fn send(
        &self,
        target: &LogTarget,
        frames: &[Vec<u8>],
        _: Duration,
    ) -> std::result::Result<(), ConnectionError> {
        let LogTarget { hostname, port, ca, client } = target;
        let client = match client {
            Some(ClientFiles { certificate, key }) => format!("certificate={certificate} key={key}"),
            None => "without certificate".to_owned(),
        };
        let request = format!("send {} records to {hostname}:{port} ca={ca} {client}", frames.len());
        let mut state = self.ask(request).map_err(|_| ConnectionError::Unreachable)?;
        let now = state.facts.uptime;
        if let Some((_, answer)) = state.later_log_server.take_if(|(from, _)| *from <= now) {
            state.facts.log_server = answer;
        }
        if state.facts.log_server.is_ok() {
            let text = |frame: &Vec<u8>| String::from_utf8_lossy(frame).into_owned();
            state.records.extend(frames.iter().map(text));
        }
        state.facts.log_server.clone()
    }
}

impl Https for Rehearsal {
    /// What the test said that comes next from this path, else a token, or thanks. Bodies are kept; who asks is in none of
    /// the requests.
    fn post(&self, post: &Post<'_>, _: Duration) -> std::result::Result<Answer, ConnectionError> {
        let Post { hostname, port, ca, path, content_type, .. } = post;
        let request = format!("post {path} to {hostname}:{port} ca={ca} type={content_type}");
        let mut state = self.ask(request).map_err(|_| ConnectionError::Unreachable)?;
        let bearer = post.bearer.map(|bearer| bearer.expose().to_owned());
        state.posts.push((path.to_string(), bearer, post.body.to_vec()));
        let next = state.answers.iter().position(|(of, _)| of == path);
        if let Some((_, answer)) = next.and_then(|next| state.answers.remove(next)) {
            return answer.map(|(status, retry_after, body)| Answer {
                status,
                retry_after: retry_after.map(Duration::from_secs),
                body: SecretBytes::copy_from(body.as_bytes()),
            });
        }
        let number = state.posts.iter().filter(|(of, ..)| of == path).count();
        let token = format!(r#"{{"access_token":"token-{number}","expires_in":3600}}"#);
        let body = if post.bearer.is_some() { "" } else { token.as_str() };
        Ok(Answer { status: 200, retry_after: None, body: SecretBytes::copy_from(body.as_bytes()) })
    }
}

impl Engine for Rehearsal {
    fn pull(
        &self,
        image: &str,
        credentials: &Path,
        timeout: Duration,
        said: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let pulled =
            self.ask_within(format!("pull {image} credentials={}", credentials.display()), timeout).map(drop);
        for (_, line) in self.state().engine_words.iter().filter(|(of, _)| image.contains(of)) {
            said(line);
        }
        pulled
    }

    /// An index, of which the engine has the manifest of its own platform.
    fn image(&self, image: &str) -> Result<EngineAnswer> {
        drop(self.look(format!("image {image}"))?);
        let names = if image.contains('@') { "RepoDigests" } else { "RepoTags" };
        let body = serde_json::json!({"Id": ID, "Digest": format!("sha256:{ID}"), "RepoDigests": [], (names): [image]});
        Ok(EngineAnswer { status: 200, body: body.to_string().into_bytes() })
    }

    /// What the test said, or one service for each image of the plan.
    fn compose_model(
        &self,
        project: &ComposeProject<'_>,
        _: &[(String, String)],
        _: usize,
        timeout: Duration,
    ) -> Result<SecretBytes> {
        let request = format!("model of {}", describe(project));
        let state = self.ask_within(request, timeout)?;
        let images = || {
            let plan = state.files.get(Path::new("/run/countersign/plan.json"));
            let plan: Value =
                plan.and_then(|(_, plan)| serde_json::from_slice(plan).ok()).unwrap_or_default();
            let services = plan["images"].as_array().into_iter().flatten().enumerate();
            let services: serde_json::Map<String, Value> = services
                .map(|(number, image)| (format!("service{number}"), serde_json::json!({"image": image})))
                .collect();
            serde_json::json!({"name": project.name, "services": services}).to_string()
        };
        let model = state.model.clone().unwrap_or_else(images);
        Ok(SecretBytes::copy_from(model.as_bytes()))
    }

    fn compose_up(&self, project: &ComposeProject<'_>, timeout: Duration) -> Result<()> {
        let request = format!("start {}", describe(project));
        self.ask_within(request, timeout)?.running = Some(project.name.to_owned());
        Ok(())
    }

    /// What the engine got is kept.
    fn kube_play(&self, documents: &SecretBytes, timeout: Duration) -> Result<()> {
        let mut state = self.ask_within("start pods".to_owned(), timeout)?;
        state.pods = Some(String::from_utf8_lossy(documents.expose()).into_owned());
        Ok(())
    }
}

fn describe(project: &ComposeProject<'_>) -> String {
    format!("project {} in {} from {}", project.name, project.folder.display(), project.file.display())
}

impl Containers for Rehearsal {
    /// What the test said, or one container that runs for a project, or for pods, that were started.
    fn containers(&self, whose: Whose<'_>) -> Result<Vec<u8>> {
        let (name, what) = match whose {
            Whose::Project(project) => (project, project),
            Whose::Everyone => ("pod", "everyone"),
        };
        let state = self.look(format!("containers of {what}"))?;
        let runs = match whose {
            Whose::Project(project) => state.running.as_deref() == Some(project),
            Whose::Everyone => state.pods.is_some(),
        };
        let one = || match runs {
            true => format!(
                r#"[{{"Names":["{name}-1"],"State":"running","ExitCode":0,"Restarts":0,"StartedAt":1}}]"#
            ),
            false => "[]".to_owned(),
        };
        Ok(state.containers.clone().unwrap_or_else(one).into_bytes())
    }
}

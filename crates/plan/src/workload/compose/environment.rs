//! The variables of a compose project: which value `${NAME}` has in the compose file.
//!
//! Four things set variables, in this order: what is fixed so that no variable steers the compose program, the contract,
//! what a shell in the folder would have set, and the archive's own `.env`. The second and the fourth reach the program
//! in one `.env` whose values are already complete ([`dotenv::render`]), so that what was judged is what is read.

use countersign_crypto::secret::{EnvironmentValue, SecretBytes};
use zeroize::Zeroizing;

use crate::workload::dotenv::{self, DotenvRefusal, Variables};

/// Where HPCR puts the compose folder; relative bind mounts of the workload resolve there.
pub const COMPOSE_FOLDER: &str = "/data1/compose";
/// The compose project, as HPCR names it: containers are called `compose-<service>-1`.
pub const COMPOSE_PROJECT: &str = "compose";
/// The variable whose profiles the compose program makes active, separated by commas.
pub const PROFILES: &str = "COMPOSE_PROFILES";

/// Variables by which the compose program would fetch other files, or fail; whatever the contract says, these are their
/// values. All others of its own have no effect on the model (docker-compose 2.26.1; the test `compose_program` holds it).
const FIXED: [(&str, &str); 3] = [
    ("COMPOSE_EXPERIMENTAL_GIT_REMOTE", "false"),
    ("COMPOSE_EXPERIMENTAL_OCI_REMOTE", "false"),
    ("COMPOSE_PARALLEL_LIMIT", "-1"),
];

/// What a shell of root in the folder would have set.
const SHELL: [(&str, &str); 4] = [
    ("HOME", "/root"),
    ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    ("PWD", COMPOSE_FOLDER),
    // Encrypted scratch space, not memory.
    ("TMPDIR", "/var/tmp"),
];

/// Who sets a variable of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setter {
    /// The guest, whatever else says.
    Guest,
    /// The contract.
    Contract,
    /// The archive's own `.env`.
    Archive,
    /// Nobody.
    Nobody,
}

/// The variables of a project.
pub struct Environment {
    contract: Variables,
    own: Variables,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Environment({} variables)", self.variables().len())
    }
}

impl Environment {
    /// Joins the contract's variables to `own`, the archive's `.env`.
    ///
    /// # Errors
    /// [`DotenvRefusal`] for the archive's file.
    pub fn read<'a>(
        own: Option<&[u8]>,
        contract: impl Iterator<Item = (&'a str, &'a EnvironmentValue)>,
    ) -> Result<Environment, DotenvRefusal> {
        let copied = |(name, value): (&str, &EnvironmentValue)| {
            (name.to_owned(), Zeroizing::new(value.expose().to_owned()))
        };
        let contract: Variables = contract.map(copied).collect();
        let outer = |name: &str| above(&contract, name);
        let own = match own {
            Some(own) => dotenv::parse(own, &outer)?,
            None => Variables::new(),
        };
        Ok(Environment { contract, own })
    }

    /// The value of a variable in the compose file.
    pub fn get(&self, name: &str) -> Option<&str> {
        match name {
            // The program sets it itself, whatever else says.
            "COMPOSE_PROJECT_NAME" => Some(COMPOSE_PROJECT),
            name => above(&self.contract, name).or_else(|| self.own.get(name).map(|value| value.as_str())),
        }
    }

    /// Who sets a variable: whose value [`Environment::get`] has.
    pub fn setter(&self, name: &str) -> Setter {
        let fixed = name == "COMPOSE_PROJECT_NAME" || FIXED.iter().any(|(fixed, _)| *fixed == name);
        if !fixed && self.contract.contains_key(name) {
            Setter::Contract
        } else if self.get(name).is_none() {
            Setter::Nobody
        } else if fixed || SHELL.iter().any(|(known, _)| *known == name) {
            Setter::Guest
        } else {
            Setter::Archive
        }
    }

    /// The profiles that are active.
    pub fn profiles(&self) -> Vec<String> {
        self.get(PROFILES).unwrap_or_default().split(',').map(|profile| profile.trim().to_owned()).collect()
    }

    /// What the compose program is started with beside the file; no value of the contract.
    pub fn process(&self) -> Vec<(String, String)> {
        let shell = SHELL.iter().filter(|(name, _)| !self.contract.contains_key(*name));
        FIXED.iter().chain(shell).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// The `.env` of the project.
    pub fn file(&self) -> SecretBytes {
        dotenv::render(&self.variables())
    }

    fn variables(&self) -> Variables {
        let mut all = self.own.clone();
        all.extend(self.contract.clone());
        all
    }
}

/// What comes before the archive's own file.
fn above<'v>(contract: &'v Variables, name: &str) -> Option<&'v str> {
    let known = |list: &[(&str, &'static str)]| {
        list.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    };
    known(&FIXED).or_else(|| contract.get(name).map(|value| value.as_str())).or_else(|| known(&SHELL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_comes_before_the_shell_and_the_shell_before_the_archive() {
        let set = |value| EnvironmentValue::copy_from(value);
        let (a, home, project, limit) = (set("contract's $A"), set("/contract"), set("other"), set("canary"));
        let contract = [
            ("A", &a),
            ("HOME", &home),
            ("COMPOSE_PROJECT_NAME", &project),
            ("COMPOSE_PARALLEL_LIMIT", &limit),
        ];
        let own = &b"A=own\nB=\"$A, $HOME\"\nC=$PWD\nPATH=own\nCOMPOSE_PROFILES=x, y\n"[..];
        let environment = Environment::read(Some(own), contract.into_iter()).unwrap();
        for (name, value, setter) in [
            ("A", Some("contract's $A"), Setter::Contract),
            ("B", Some("contract's $A, /contract"), Setter::Archive),
            ("C", Some("/data1/compose"), Setter::Archive),
            ("HOME", Some("/contract"), Setter::Contract),
            ("PATH", Some("/usr/sbin:/usr/bin:/sbin:/bin"), Setter::Guest),
            ("TMPDIR", Some("/var/tmp"), Setter::Guest),
            ("COMPOSE_PROJECT_NAME", Some("compose"), Setter::Guest),
            ("COMPOSE_PARALLEL_LIMIT", Some("-1"), Setter::Guest),
            ("DOCKER_HOST", None, Setter::Nobody),
            ("D", None, Setter::Nobody),
        ] {
            assert_eq!(environment.get(name), value, "{name}");
            assert_eq!(environment.setter(name), setter, "{name}");
        }
        let process = environment.process();
        let names: Vec<&str> = process.iter().map(|(name, _)| name.as_str()).collect();
        // What the contract sets stands in the file, and the program prefers its process's.
        let fixed = FIXED.iter().map(|(name, _)| *name);
        assert_eq!(names, fixed.chain(["PATH", "PWD", "TMPDIR"]).collect::<Vec<_>>());
        assert_eq!(environment.profiles(), ["x", "y"]);
        assert_eq!(
            String::from_utf8(environment.file().expose().to_vec()).unwrap(),
            "A=\"contract's \\$A\"\nB=\"contract's \\$A, /contract\"\nC=\"/data1/compose\"\n\
             COMPOSE_PARALLEL_LIMIT=\"canary\"\nCOMPOSE_PROFILES=\"x, y\"\nCOMPOSE_PROJECT_NAME=\"other\"\n\
             HOME=\"/contract\"\nPATH=\"own\"\n"
        );
        assert_eq!(format!("{environment:?}"), "Environment(8 variables)");
    }
}

//! The variables of a compose project: which value `${NAME}` has in the compose file.
//!
//! Three things set variables, in this order: what the compose program is started with, the contract, and the
//! archive's own `.env`. The last two reach the program in one `.env` whose values are already complete
//! ([`dotenv::render`]), so that what was judged is what is read.

use countersign_crypto::secret::{EnvironmentValue, SecretBytes};
use zeroize::Zeroizing;

use crate::workload::dotenv::{self, DotenvRefusal, Variables};

/// Where HPCR puts the compose folder; relative bind mounts of the workload resolve there.
pub const COMPOSE_FOLDER: &str = "/data1/compose";
/// The compose project, as HPCR names it: containers are called `compose-<service>-1`.
pub const COMPOSE_PROJECT: &str = "compose";

/// What the compose program is started with, and nothing else. These names reach the compose file before those of the
/// contract; `PWD` is what a shell in the folder would say.
pub const PROGRAM: [(&str, &str); 5] = [
    ("DOCKER_HOST", "unix:///run/podman/podman.sock"),
    ("HOME", "/root"),
    ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    ("PWD", COMPOSE_FOLDER),
    // Encrypted scratch space, not memory.
    ("TMPDIR", "/var/tmp"),
];

/// The variables of a project.
pub struct Environment {
    variables: Variables,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Environment({} variables)", self.variables.len())
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
        let outer = |name: &str| of_program(name).or_else(|| contract.get(name).map(|value| value.as_str()));
        let mut variables = match own {
            Some(own) => dotenv::parse(own, &outer)?,
            None => Variables::new(),
        };
        variables.extend(contract);
        Ok(Environment { variables })
    }

    /// The value of a variable in the compose file.
    pub fn get(&self, name: &str) -> Option<&str> {
        match name {
            // The program sets it itself, whatever else says.
            "COMPOSE_PROJECT_NAME" => Some(COMPOSE_PROJECT),
            name => of_program(name).or_else(|| self.variables.get(name).map(|value| value.as_str())),
        }
    }

    /// The `.env` of the project.
    pub fn file(&self) -> SecretBytes {
        dotenv::render(&self.variables)
    }
}

fn of_program(name: &str) -> Option<&'static str> {
    PROGRAM.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_comes_before_the_contract_and_the_contract_before_the_archive() {
        let set = |value| EnvironmentValue::copy_from(value);
        let (a, home, project) = (set("contract's $A"), set("/contract"), set("other"));
        let contract = [("A", &a), ("HOME", &home), ("COMPOSE_PROJECT_NAME", &project)];
        let own = &b"A=own\nB=\"$A, $HOME\"\nC=$PWD\n"[..];
        let environment = Environment::read(Some(own), contract.into_iter()).unwrap();
        for (name, value) in [
            ("A", Some("contract's $A")),
            ("B", Some("contract's $A, /root")),
            ("C", Some("/data1/compose")),
            ("HOME", Some("/root")),
            ("COMPOSE_PROJECT_NAME", Some("compose")),
            ("D", None),
        ] {
            assert_eq!(environment.get(name), value, "{name}");
        }
        assert_eq!(
            String::from_utf8(environment.file().expose().to_vec()).unwrap(),
            "A=\"contract's \\$A\"\nB=\"contract's \\$A, /root\"\nC=\"/data1/compose\"\n\
             COMPOSE_PROJECT_NAME=\"other\"\nHOME=\"/contract\"\n"
        );
        assert_eq!(format!("{environment:?}"), "Environment(5 variables)");
    }
}

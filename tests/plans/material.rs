//! Certificates and keys that the openssl program makes at run time, and their names in the cases.

use std::process::Command;

/// PEM text by name, and its base64.
pub(crate) struct Material(Vec<(&'static str, String, String)>);

impl Material {
    pub(crate) fn new() -> Material {
        let folder = tempfile::tempdir().unwrap();
        let mut made = Vec::new();
        for (name, key_name) in [("ca", "ca-key"), ("client", "client-key"), ("registry", "registry-key")] {
            let arguments =
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test";
            let mut command = Command::new("openssl");
            command.args(arguments.split(' ')).args(["-keyout", key_name, "-out", name]);
            let output = command.current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
            for name in [name, key_name] {
                let base64 = Command::new("base64").args(["-w0", name]).current_dir(folder.path()).output();
                made.push((name, read(name), String::from_utf8(base64.unwrap().stdout).unwrap()));
            }
        }
        Material(made)
    }

    /// Puts the material in: `@ca@` is PEM text with its line breaks escaped, `@ca:base64@` its base64.
    pub(crate) fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, pem, base64)| {
            text.replace(&format!("@{name}@"), &format!("\"{}\"", pem.replace('\n', "\\n")))
                .replace(&format!("@{name}:base64@"), base64)
        })
    }

    /// Takes the material out again.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, pem, _)| text.replace(pem, &format!("@{name}@\n")))
    }
}

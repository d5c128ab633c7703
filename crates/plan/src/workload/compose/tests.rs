mod images;
mod rules;

use super::*;

const DIGEST: &str = "9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

fn judged(text: &str) -> Result<Judged, Vec<ComposeRefusal>> {
    let files = |path: &str| match path {
        "known.env" => Some(Found::File(b"A=1\n")),
        "bad.env" => Some(Found::File(b"A=1\n\nB='\n")),
        "other.yaml" => Some(Found::File(b"")),
        "folder" => Some(Found::Folder),
        _ => None,
    };
    let lookup = |name: &str| match name {
        "REGISTRY" => Some("registry.example.org:5000"),
        "IMITATION" => Some("kernel"),
        _ => None,
    };
    judge(
        &text.replace("DIGEST", DIGEST),
        &Surroundings {
            lookup: &lookup,
            files: &files,
            profiles: &["active".to_owned()],
            reach: &ReachRule { volumes: vec!["/mnt/data".to_owned()], ..ReachRule::default() },
            signed: &SignatureRules::default(),
        },
    )
}

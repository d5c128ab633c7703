//! `schema`: the JSON Schemas of contracts, and those of what this command reads and prints.

use std::io::Write;

use anyhow::{Context, Result, bail};
use countersign_contract::place::SectionName;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::arguments::{Schema, Subject};

mod editor;

pub(crate) fn run(options: &Schema, out: &mut dyn Write) -> Result<Answer> {
    if options.editor {
        let schema = match options.subject {
            Subject::Contract => contract()?,
            Subject::Workload => embedded(SectionName::Workload)?,
            Subject::Env => embedded(SectionName::Env)?,
            _ => bail!("--editor: expected contract, workload or env"),
        };
        writeln!(out, "{}", serde_json::to_string_pretty(&editor::schema(schema))?)?;
        return Ok(Answer::Yes);
    }
    let text = match options.subject {
        Subject::Contract => serde_json::to_string_pretty(&contract()?)?,
        Subject::Workload => countersign_contract::schema::text(SectionName::Workload).to_owned(),
        Subject::Env => countersign_contract::schema::text(SectionName::Env).to_owned(),
        Subject::Check => include_str!("../schema/check.schema.json").to_owned(),
        Subject::Attest => include_str!("../schema/attest.schema.json").to_owned(),
        Subject::Expectation => include_str!("../schema/expectation.schema.json").to_owned(),
        Subject::Explain => include_str!("../schema/explain.schema.json").to_owned(),
        Subject::Facts => include_str!("../schema/facts.schema.json").to_owned(),
        Subject::Transcript => include_str!("../schema/transcript.schema.json").to_owned(),
        Subject::BuildManifest => include_str!("../schema/build-manifest.schema.json").to_owned(),
        Subject::SealingManifest => include_str!("../schema/sealing-manifest.schema.json").to_owned(),
        Subject::Timeline => include_str!("../schema/timeline.schema.json").to_owned(),
    };
    writeln!(out, "{}", text.trim_end())?;
    Ok(Answer::Yes)
}

/// The whole contract: the schemas of both sections inside one.
fn contract() -> Result<Value> {
    let workload = embedded(SectionName::Workload)?;
    let env = embedded(SectionName::Env)?;
    Ok(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:countersign:contract",
        "title": "Contract",
        "description": "What a Countersign guest is told: two sections, each as text, as token, or as a map.",
        "type": "object",
        "required": ["workload", "env"],
        "properties": {
            "workload": {
                "title": "Workload",
                "description": "What runs; written by the workload provider.",
                "anyOf": [{"type": "string"}, {"$ref": workload["$id"]}]
            },
            "env": {
                "title": "Env",
                "description": "Where it runs and where its log goes; written by the deployer.",
                "anyOf": [{"type": "string"}, {"$ref": env["$id"]}]
            },
            "envWorkloadSignature": {
                "title": "Signature",
                "description": "Base64 of the signature over the strings of both sections.",
                "type": "string"
            },
            "attestationPublicKey": {
                "title": "Auditor's key",
                "description": "Public key to which the attestation record is encrypted, as text or token.",
                "type": "string"
            }
        },
        "$defs": {"workload": workload, "env": env}
    }))
}

fn embedded(name: SectionName) -> Result<Value> {
    serde_json::from_str(countersign_contract::schema::text(name)).context("the built-in schema is not JSON")
}

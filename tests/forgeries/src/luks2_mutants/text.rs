//! The JSON text itself: members missing, unknown, twice, of another type, in other words.

use serde_json::{Value, json};

use super::forge::{BINARY, COPY, Forge, json_text, put};

pub(super) fn changed(forge: &mut Forge) {
    shape(forge);
    text(forge);
}

/// Members missing, unknown, or of another JSON type.
fn shape(forge: &mut Forge) {
    let objects = [
        "",
        "/keyslots/0",
        "/keyslots/0/af",
        "/keyslots/0/area",
        "/keyslots/0/kdf",
        "/segments/0",
        "/digests/0",
        "/config",
    ];
    let good: Value = serde_json::from_str(&json_text(&forge.good)).expect("good metadata");
    for place in objects {
        forge.json(&format!("unknown member in '{place}'"), &[("json-unknown", place)], |metadata| {
            put(metadata, &format!("{place}/extra"), json!(0));
        });
        let members = good.pointer(place).and_then(Value::as_object).expect("an object of the good header");
        for name in members.keys() {
            let pointer = format!("{place}/{name}");
            forge.remove(&pointer);
            forge.set(&pointer, "json-kind", &[json!(true)]);
        }
    }
    for collection in ["keyslots", "segments", "digests", "tokens"] {
        forge.set(&format!("/{collection}"), "json-kind", &[json!([]), json!(""), json!(null)]);
    }
}

/// The same metadata in other words.
fn text(forge: &mut Forge) {
    let good = json_text(&forge.good);
    let json = |id| [(id, "")];
    for member in
        ["\"type\":\"luks2\"", "\"stripes\":4000", "\"iv_tweak\":\"0\"", "\"tokens\":{}", "\"key_size\":64"]
    {
        assert!(good.contains(member), "the good header holds {member}");
        let twice = good.replacen(member, &format!("{member},{member}"), 1);
        forge.text(&format!("{member} twice"), &json("json-duplicate"), &twice);
    }
    let null = "\"encryption\":\"cipher_null-ecb\"";
    let aes = "\"encryption\":\"aes-xts-plain64\"";
    forge.text(
        "null cipher, then aes",
        &json("json-duplicate"),
        &good.replacen(aes, &format!("{null},{aes}"), 1),
    );
    forge.text(
        "aes, then null cipher",
        &json("json-duplicate"),
        &good.replace(aes, &format!("{aes},{null}")),
    );
    let escaped = good.replacen("\"stripes\":4000", "\"stripes\":4000,\"\\u0073tripes\":1", 1);
    forge.text("escaped name twice", &json("json-duplicate"), &escaped);
    forge.text(
        "zero byte in a name",
        &json("json-text"),
        &good.replacen("\"tokens\"", "\"tokens\\u0000\"", 1),
    );
    forge.text("zero byte in a value", &json("json-text"), &good.replacen("plain64", "plain64\\u0000x", 1));
    forge.text("newline in a value", &json("json-text"), &good.replacen("plain64", "plain64\\n", 1));
    forge.text("letter outside ASCII", &json("json-text"), &good.replacen("plain64", "plain64\u{e9}", 1));
    forge.text("minus zero", &json("json-number"), &good.replacen("\"stripes\":4000", "\"stripes\":-0", 1));
    forge.text("exponent", &json("json-number"), &good.replacen("\"stripes\":4000", "\"stripes\":4e3", 1));
    for (name, text) in [
        ("comment", format!("{good}/* */")),
        ("trailing bracket", format!("{good}}}")),
        ("second object", format!("{good}{good}")),
        ("cut short", good[..good.len() - 1].to_owned()),
        ("single quotes", good.replace('"', "'")),
        ("leading zero", good.replacen("4000", "04000", 1)),
        ("hexadecimal", good.replacen("4000", "0xfa0", 1)),
        ("trailing comma", good.replacen("\"tokens\":{}", "\"tokens\":{},", 1)),
        ("empty", String::new()),
    ] {
        // A doubled comma and an empty text are syntax errors like the rest.
        let text = if name == "trailing comma" { text.replacen(",,", ",\n,", 1) } else { text };
        forge.text(name, &json("json-syntax"), &text);
    }
    // cryptsetup wants the brace in the first byte.
    for blank in [" ", "\t", "\n", "\r", " \r\n\t"] {
        forge.text(&format!("begins with {blank:?}"), &json("json-syntax"), &format!("{blank}{good}"));
    }
    for (name, text) in [("array", "[]"), ("number", "0"), ("string", "\"LUKS\""), ("null", "null")] {
        forge.text(&format!("{name} at the top"), &json("json-syntax"), text);
    }
    let nested =
        good.replacen("\"tokens\":{}", &format!("\"tokens\":{}{}", "[".repeat(4000), "]".repeat(4000)), 1);
    forge.text("nested 4000 deep", &json("json-depth"), &nested);
    let many = good.replacen("\"tokens\":{}", &format!("\"tokens\":[{}0]", "0,".repeat(4500)), 1);
    forge.text("4501 values", &json("json-nodes"), &many);
    let mut broken = good.clone().into_bytes();
    broken[10] = 0xff;
    forge.raw_text("not UTF-8", &json("json-syntax"), &broken);
    let mut behind = good.clone().into_bytes();
    behind.extend_from_slice(b"\0x");
    forge.raw_text("byte behind the end", &json("json-end"), &behind);
    let mut twice = good.clone().into_bytes();
    twice.push(0);
    twice.extend_from_slice(good.as_bytes());
    forge.raw_text("second text behind the end", &json("json-end"), &twice);
    let mut full = good.into_bytes();
    full.resize(COPY - BINARY, b' ');
    forge.raw_text("no end", &json("json-end"), &full);
}

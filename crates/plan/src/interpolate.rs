//! Variable interpolation as compose documents it: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`,
//! `${NAME:?message}`, `${NAME?message}`, `${NAME:+other}`, `${NAME+other}` and `$$` for a dollar sign.
//!
//! Used for image references only: they have to be known, and judged, before the engine runs.

/// Replaces the variables in `text`; `None` where the text is malformed or a demanded variable is missing.
pub fn interpolate<'a>(text: &str, lookup: &dyn Fn(&str) -> Option<&'a str>) -> Option<String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('{') {
            let end = closing_brace(inner)?;
            result.push_str(&substitute(&inner[..end], lookup)?);
            rest = &inner[end + 1..];
        } else {
            let end = name_end(rest);
            if end == 0 {
                return None;
            }
            result.push_str(lookup(&rest[..end]).unwrap_or_default());
            rest = &rest[end..];
        }
    }
    result.push_str(rest);
    Some(result)
}

/// The content of `${…}`.
fn substitute<'a>(inner: &str, lookup: &dyn Fn(&str) -> Option<&'a str>) -> Option<String> {
    let end = name_end(inner);
    if end == 0 {
        return None;
    }
    let (name, operator) = inner.split_at(end);
    let value = lookup(name);
    let set_and_filled = value.filter(|value| !value.is_empty());
    if operator.is_empty() {
        return Some(value.unwrap_or_default().to_owned());
    }
    for (symbol, present) in [(":-", set_and_filled), ("-", value)] {
        if let Some(default) = operator.strip_prefix(symbol) {
            return present.map_or_else(|| interpolate(default, lookup), |value| Some(value.to_owned()));
        }
    }
    for (symbol, present) in [(":?", set_and_filled), ("?", value)] {
        if operator.starts_with(symbol) {
            return present.map(ToOwned::to_owned);
        }
    }
    for (symbol, present) in [(":+", set_and_filled), ("+", value)] {
        if let Some(other) = operator.strip_prefix(symbol) {
            return if present.is_some() { interpolate(other, lookup) } else { Some(String::new()) };
        }
    }
    None
}

/// Where the name at the start of `text` ends.
fn name_end(text: &str) -> usize {
    let mut bytes = text.bytes();
    match bytes.next() {
        Some(first) if first.is_ascii_alphabetic() || first == b'_' => {
            1 + bytes.take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
        }
        _ => 0,
    }
}

/// Where the brace that closes `inner` stands; defaults may hold variables of their own.
fn closing_brace(inner: &str) -> Option<usize> {
    let mut depth = 0;
    let bytes = inner.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if at > 0 && bytes[at - 1] == b'$' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Option<String> {
        interpolate(text, &|name| match name {
            "REGISTRY" => Some("registry.example.org"),
            "EMPTY" => Some(""),
            _ => None,
        })
    }

    #[test]
    fn the_documented_forms() {
        for (text, expected) in [
            ("plain", "plain"),
            ("${REGISTRY}/app", "registry.example.org/app"),
            ("$REGISTRY/app", "registry.example.org/app"),
            ("a$$b", "a$b"),
            ("${MISSING}/app", "/app"),
            ("${MISSING:-x}", "x"),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY-x}", ""),
            ("${MISSING:-${REGISTRY}}", "registry.example.org"),
            ("${REGISTRY:+y}", "y"),
            ("${EMPTY:+y}", ""),
            ("${EMPTY+y}", "y"),
            ("${REGISTRY:?needed}", "registry.example.org"),
        ] {
            assert_eq!(with(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn malformed_text_and_missing_demands_give_nothing() {
        for text in ["${MISSING:?needed}", "${EMPTY:?needed}", "${REGISTRY", "${}", "$1", "$"] {
            assert_eq!(with(text), None, "{text}");
        }
        assert_eq!(with("${REGISTRY!x}"), None);
    }
}

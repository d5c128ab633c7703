//! The line `Machine Type/Plant/Serial`, from the kernel's `/proc/sysinfo`: what the hypervisor says of the machine below.

/// `TYPE/PLANT/SERIAL`, as HPCR's record has it; the serial number without the zeros before it. None where one of the
/// three is missing.
pub fn machine(sysinfo: &str) -> Option<String> {
    let value = |name: &str| {
        let line = sysinfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let word = line.split_whitespace().next()?;
        word.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(word)
    };
    let (kind, plant, serial) = (value("Type")?, value("Plant")?, value("Sequence Code")?);
    let serial = serial.trim_start_matches('0');
    Some(format!("{kind}/{plant}/{}", if serial.is_empty() { "0" } else { serial }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_named_as_hpcr_names_it() {
        let sysinfo = "Manufacturer:         IBM             \nType:                 3932\nModel:                704    A02\n\
            Sequence Code:        00000000000860A8\nPlant:                02  \nModel Capacity:       704\n";
        assert_eq!(machine(sysinfo).as_deref(), Some("3932/02/860A8"));
        assert_eq!(machine(&sysinfo.replace("860A8", "00000")).as_deref(), Some("3932/02/0"));
        assert_eq!(machine("Type: 3932\n"), None);
        assert_eq!(machine(&sysinfo.replace("3932", "39/2")), None);
    }
}

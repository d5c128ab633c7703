//! Reading typed values of `network-config`, each with its place.
//!
//! A thin cursor over the YAML tree: it knows kinds of values, not what they are for.

use std::net::IpAddr;

use super::{Prefix, finding};
use crate::cidata::meta_data::is_host_name;
use crate::nearest::nearest;
use crate::place::{Mark, Place, Pointer, Text};
use crate::refusal::Finding;
use crate::yaml::Value;

type Result<T> = std::result::Result<T, Box<Finding>>;

/// A value and where it stands.
pub(super) struct Reader<'v> {
    value: &'v Value,
    pointer: Pointer,
    /// The key under which it stands, if it is an entry of a map.
    key: Option<&'v str>,
}

impl<'v> Reader<'v> {
    pub(super) fn new(value: &'v Value, pointer: Pointer) -> Reader<'v> {
        Reader { value, pointer, key: None }
    }

    fn place(&self, pointer: Pointer, mark: Mark) -> Place {
        Place { text: Text::NetworkConfig, pointer, mark: Some(mark) }
    }

    pub(super) fn refused(&self, expectation: &str, hint: &str) -> Box<Finding> {
        finding(self.place(self.pointer.clone(), self.value.mark()), expectation, hint)
    }

    /// The value under `key`, unless it is absent or null.
    pub(super) fn get(&self, key: &str) -> Option<Reader<'v>> {
        let entry = self.value.entry(key).filter(|entry| !entry.value.is_null())?;
        Some(Reader { value: &entry.value, pointer: self.pointer.child(key), key: Some(&entry.key) })
    }

    pub(super) fn required(&self, key: &str) -> Result<Reader<'v>> {
        self.map()?;
        self.get(key).ok_or_else(|| self.refused(&format!("expected the key {key}"), "add it"))
    }

    fn map(&self) -> Result<()> {
        if self.value.is_map() {
            Ok(())
        } else {
            Err(self.refused("expected a map", "write names and their values"))
        }
    }

    /// A map that has no other keys than these.
    pub(super) fn only(&self, known: &[&str]) -> Result<()> {
        self.map()?;
        for entry in self.value.entries() {
            if !known.contains(&entry.key.as_str()) {
                let place = self.place(self.pointer.child(&entry.key), entry.key_mark);
                let hint = match nearest(&entry.key, known.iter().copied()) {
                    Some(name) => format!("is {name} meant?"),
                    None => format!("known here are: {}", known.join(", ")),
                };
                return Err(finding(place, "expected a key that the guest acts on", &hint));
            }
        }
        Ok(())
    }

    /// The entries of a map.
    pub(super) fn entries(&self) -> Result<Vec<Reader<'v>>> {
        self.map()?;
        let entry = |entry: &'v crate::yaml::Entry| Reader {
            value: &entry.value,
            pointer: self.pointer.child(&entry.key),
            key: Some(&entry.key),
        };
        Ok(self.value.entries().iter().map(entry).collect())
    }

    /// The entries of the list under `key`; none if it is absent.
    pub(super) fn list(&self, key: &str) -> Result<Vec<Reader<'v>>> {
        let Some(list) = self.get(key) else { return Ok(Vec::new()) };
        if list.value.kind() != "a list" {
            return Err(
                list.refused("expected a list", "write each entry on a line that begins with a hyphen")
            );
        }
        let entry = |(index, value)| Reader::new(value, list.pointer.index(index));
        Ok(list.value.items().iter().enumerate().map(entry).collect())
    }

    pub(super) fn truth(&self) -> Result<bool> {
        self.value
            .as_bool()
            .ok_or_else(|| self.refused("expected true or false", "write true or false, without quotes"))
    }

    pub(super) fn number(&self, least: u32, most: u32) -> Result<u32> {
        let number = self.value.as_integer().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            let range =
                if least == most { format!("{least}") } else { format!("a number from {least} to {most}") };
            self.refused(&format!("expected {range}"), "write the number without quotes")
        })
    }

    pub(super) fn text(&self) -> Result<&'v str> {
        self.value.as_text().ok_or_else(|| self.refused("expected a string", "put the value into quotes"))
    }

    pub(super) fn word(&self, word: &str) -> Result<()> {
        match self.value.as_text() {
            Some(text) if text == word => Ok(()),
            _ => Err(self.refused(&format!("expected {word}"), "remove the key, or write that word")),
        }
    }

    pub(super) fn address(&self) -> Result<IpAddr> {
        let address = self.text()?.parse();
        address.map_err(|_| {
            self.refused("expected an ip address", "write it without prefix length, as in 192.0.2.1")
        })
    }

    pub(super) fn prefix(&self) -> Result<Prefix> {
        let split = || {
            let (address, length) = self.value.as_text()?.split_once('/')?;
            let address: IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            // A sign or a leading zero is no number of bits.
            let plain = length.bytes().all(|byte| byte.is_ascii_digit())
                && (length == "0" || !length.starts_with('0'));
            let length = length.parse().ok().filter(|length| plain && *length <= most)?;
            Some(Prefix { address, length })
        };
        let hint = "write it as in 192.0.2.7/24 or 2001:db8::7/64";
        split().ok_or_else(|| self.refused("expected an address with its prefix length", hint))
    }

    pub(super) fn host_name(&self) -> Result<String> {
        match self.value.as_text() {
            Some(name) if is_host_name(name) => Ok(name.to_owned()),
            _ => {
                Err(self
                    .refused("expected a domain of letters, digits, hyphens and dots", "correct the domain"))
            }
        }
    }

    pub(super) fn interface_name(&self) -> Result<String> {
        self.checked_name(self.text()?)
    }

    /// The name of the interface whose entry this is.
    pub(super) fn own_interface_name(&self) -> Result<String> {
        self.checked_name(self.key.unwrap_or_default())
    }

    /// Nothing that is a pattern to networkd or a path to the file system.
    fn checked_name(&self, name: &str) -> Result<String> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.len() <= 15
            && name.bytes().all(letter)
        {
            return Ok(name.to_owned());
        }
        Err(self.refused(
            "expected an interface name of at most 15 letters, digits, dots, underscores and hyphens",
            "the first virtio device of a machine is enc1 for the device number 0001, enc8 for 0008",
        ))
    }
}

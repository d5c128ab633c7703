//! A contract disk, written: ISO 9660 with Joliet and Rock Ridge names, as `genisoimage -joliet -rock` makes it.
//!
//! Both kinds of names, because readers differ in which they take; plain ISO names, of level 1, stand below them. One
//! folder, no owner but root, no time but 1970: the same files make the same bytes. Follows ECMA-119, the Joliet
//! specification and IEEE P1281 and P1282 (RRIP 1991A).

use super::{BLOCK, Cidata, FIRST_DESCRIPTOR, VOLUME_ID};

/// Blocks of what stands before the files.
const ISO_TABLES: usize = FIRST_DESCRIPTOR + 3;
const JOLIET_TABLES: usize = ISO_TABLES + 2;
const ISO_ROOT: usize = JOLIET_TABLES + 2;
const ROCK_RIDGE: usize = ISO_ROOT + 1;
const JOLIET_ROOT: usize = ROCK_RIDGE + 1;
const FILES: usize = JOLIET_ROOT + 1;

/// Bytes of a path table with the root directory alone.
const PATH_TABLE: u32 = 10;

/// Modes of the folder and of its files, as of stat(2).
const FOLDER_MODE: u32 = 0o040_555;
const FILE_MODE: u32 = 0o100_444;

/// Bits of a directory record's flags.
const DIRECTORY: u8 = 2;

/// Who announces Rock Ridge: identifier, description, source (RRIP 1991A section 4.3).
const EXTENSION: [&str; 3] = [
    "RRIP_1991A",
    "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS",
    "PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR \
     CONTACT INFORMATION.",
];

/// A file and where it lies.
struct Placed<'f> {
    name: &'static str,
    /// The name that every reader knows: letters, digits, `_`.
    iso: &'static str,
    content: &'f [u8],
    block: usize,
}

/// The bytes of a disk with these files.
///
/// Each file has to be smaller than 4 GiB; a reader takes what fits into [`super::MAX_IMAGE_BYTES`].
pub fn write(files: &Cidata<'_>) -> Vec<u8> {
    // In the order of their names, which is the same for both kinds.
    let named = [
        ("meta-data", "META_DAT.;1", files.meta_data),
        ("network-config", "NETWORK_.;1", files.network_config),
        ("user-data", "USER_DAT.;1", files.user_data),
        ("vendor-data", "VENDOR_D.;1", files.vendor_data),
    ];
    let mut block = FILES;
    let mut placed = Vec::new();
    for (name, iso, content) in named {
        if let Some(content) = content {
            placed.push(Placed { name, iso, content, block });
            block += content.len().div_ceil(BLOCK);
        }
    }
    // A reader may refuse a disk that ends where an empty file begins.
    let blocks = block + 1;
    let mut image = vec![0; blocks * BLOCK];
    let mut put = |block: usize, bytes: &[u8]| {
        image[block * BLOCK..block * BLOCK + bytes.len()].copy_from_slice(bytes);
    };
    put(FIRST_DESCRIPTOR, &descriptor(Tree::Iso, blocks));
    put(FIRST_DESCRIPTOR + 1, &descriptor(Tree::Joliet, blocks));
    put(FIRST_DESCRIPTOR + 2, b"\xffCD001\x01");
    for (tables, root) in [(ISO_TABLES, ISO_ROOT), (JOLIET_TABLES, JOLIET_ROOT)] {
        put(tables, &path_table(number(root).to_le_bytes(), 1_u16.to_le_bytes()));
        put(tables + 1, &path_table(number(root).to_be_bytes(), 1_u16.to_be_bytes()));
    }
    put(ISO_ROOT, &iso_directory(&placed));
    put(ROCK_RIDGE, &extension());
    put(JOLIET_ROOT, &joliet_directory(&placed));
    for file in &placed {
        put(file.block, file.content);
    }
    image
}

/// The two trees of names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tree {
    Iso,
    Joliet,
}

/// A volume descriptor (ECMA-119 sections 8.4 and 8.5).
fn descriptor(tree: Tree, blocks: usize) -> Vec<u8> {
    let mut bytes = vec![0; BLOCK];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    let (kind, tables, root) = match tree {
        Tree::Iso => (1, ISO_TABLES, ISO_ROOT),
        Tree::Joliet => (2, JOLIET_TABLES, JOLIET_ROOT),
    };
    put(0, &[kind]);
    put(1, b"CD001\x01");
    // System, volume, set, publisher, preparer, application, and the files with copyright, abstract and bibliography.
    for (at, length, text) in [
        (8, 32, ""),
        (40, 32, VOLUME_ID),
        (190, 128, ""),
        (318, 128, ""),
        (446, 128, ""),
        (574, 128, "COUNTERSIGN"),
        (702, 37, ""),
        (739, 37, ""),
        (776, 37, ""),
    ] {
        put(at, &padded(tree, text, length));
    }
    put(80, &both32(number(blocks)));
    if tree == Tree::Joliet {
        put(88, b"%/E");
    }
    put(120, &both16(1));
    put(124, &both16(1));
    put(128, &both16(2048));
    put(132, &both32(PATH_TABLE));
    put(140, &number(tables).to_le_bytes());
    put(148, &number(tables + 1).to_be_bytes());
    put(156, &record(b"\0", root, BLOCK, DIRECTORY, &[]));
    // Created, modified, expires, effective: the last two are not said.
    for (at, time) in [
        (813, "1970010100000000"),
        (830, "1970010100000000"),
        (847, "0000000000000000"),
        (864, "0000000000000000"),
    ] {
        put(at, time.as_bytes());
    }
    put(881, &[1]);
    bytes
}

/// A text of a descriptor, filled up with blanks.
fn padded(tree: Tree, text: &str, length: usize) -> Vec<u8> {
    let mut bytes = match tree {
        Tree::Iso => text.as_bytes().to_vec(),
        Tree::Joliet => ucs2(text),
    };
    while bytes.len() < length {
        match tree {
            Tree::Joliet if bytes.len() % 2 == 0 && bytes.len() + 1 < length => {
                bytes.extend_from_slice(&[0, b' '])
            }
            Tree::Joliet => bytes.push(0),
            Tree::Iso => bytes.push(b' '),
        }
    }
    bytes
}

/// A path table with the root directory, which is its own parent (ECMA-119 section 9.4).
fn path_table(root: [u8; 4], parent: [u8; 2]) -> Vec<u8> {
    [&[1, 0][..], &root, &parent, &[0, 0]].concat()
}

fn iso_directory(files: &[Placed<'_>]) -> Vec<u8> {
    let announced =
        [system_use(b"SP", &[0xbe, 0xef, 0]), attributes(FOLDER_MODE, 2), continuation()].concat();
    let mut bytes = record(b"\0", ISO_ROOT, BLOCK, DIRECTORY, &announced);
    bytes.extend(record(b"\x01", ISO_ROOT, BLOCK, DIRECTORY, &attributes(FOLDER_MODE, 2)));
    for file in files {
        let name = [&[0][..], file.name.as_bytes()].concat();
        let names = [attributes(FILE_MODE, 1), system_use(b"NM", &name)].concat();
        bytes.extend(record(file.iso.as_bytes(), file.block, file.content.len(), 0, &names));
    }
    bytes
}

fn joliet_directory(files: &[Placed<'_>]) -> Vec<u8> {
    let mut bytes = record(b"\0", JOLIET_ROOT, BLOCK, DIRECTORY, &[]);
    bytes.extend(record(b"\x01", JOLIET_ROOT, BLOCK, DIRECTORY, &[]));
    for file in files {
        // Without a version, as genisoimage writes them: some readers show it.
        bytes.extend(record(&ucs2(file.name), file.block, file.content.len(), 0, &[]));
    }
    bytes
}

/// A directory record (ECMA-119 section 9.1); its length is even.
fn record(name: &[u8], block: usize, length: usize, flags: u8, system_use: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(both32(number(block)));
    bytes.extend(both32(number(length)));
    // 1970-01-01T00:00:00Z.
    bytes.extend([70, 1, 1, 0, 0, 0, 0, flags, 0, 0]);
    bytes.extend(both16(1));
    bytes.push(byte(name.len()));
    bytes.extend_from_slice(name);
    for part in [&[][..], system_use] {
        bytes.extend_from_slice(part);
        if bytes.len() % 2 == 1 {
            bytes.push(0);
        }
    }
    bytes[0] = byte(bytes.len());
    bytes
}

/// An entry of a record's system use area.
fn system_use(signature: &[u8; 2], content: &[u8]) -> Vec<u8> {
    [&signature[..], &[byte(content.len() + 4), 1], content].concat()
}

/// Mode, links, owner and group.
fn attributes(mode: u32, links: u32) -> Vec<u8> {
    system_use(b"PX", &[both32(mode), both32(links), both32(0), both32(0)].concat())
}

/// Where the entries of the root directory's own record go on, which has no room for all.
fn continuation() -> Vec<u8> {
    system_use(b"CE", &[both32(number(ROCK_RIDGE)), both32(0), both32(number(extension().len()))].concat())
}

fn extension() -> Vec<u8> {
    let lengths = EXTENSION.map(|text| byte(text.len()));
    let mut content = [&lengths[..], &[1]].concat();
    for text in EXTENSION {
        content.extend_from_slice(text.as_bytes());
    }
    system_use(b"ER", &content)
}

fn ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Little-endian, then big-endian.
fn both16(value: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (value.to_le_bytes(), value.to_be_bytes());
    [a, b, c, d]
}

fn both32(value: u32) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (value.to_le_bytes(), value.to_be_bytes());
    [a, b, c, d, e, f, g, h]
}

/// A block number or a length, which the form bounds to 32 bits.
fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// A length of a record's part: names and entries are constants that fit.
fn byte(value: usize) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

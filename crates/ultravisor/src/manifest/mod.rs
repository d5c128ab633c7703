//! The two manifests that stand for a sealed image, and the image builder's signature over each.
//!
//! - The **build manifest** ([`Build`]) says what the image is made of. `qemu/build` writes it; the same sources make the
//!   same bytes. It is signed and sealed into the image.
//! - The **sealing manifest** ([`Sealing`]) says what one sealing made of that: tags and digests, machines, flags, and the
//!   digest of the build manifest. It stands beside the image, signed by the same key.
//!
//! The builder's key ([`Builder`]) is the anchor of whoever verifies an image: who has it believes what both manifests say.
//! Nobody can compute a sealing's tags from the sources, since every sealing has fresh keys.
//!
//! [`verify`] is the only way to a [`Manifests`]: both signed, both of their form, and the one naming the other. Who has a
//! record of a guest and not its image asks [`verify_build`], which needs the build manifest alone.

mod build;
mod hexadecimal;
mod sealing;
mod signature;

pub use build::{Build, BuiltFile, Files};
pub use hexadecimal::Hexadecimal;
pub use sealing::{Accepts, Described, Machine, Sealing};
pub use signature::{Builder, BuilderFault, sign};

use countersign_crypto::digest::sha256;

use crate::image::SealedImage;

/// The largest manifest: some hundred tools, a hundred machines.
pub const MAX_BYTES: usize = 1 << 20;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The build manifest.
    Build,
    /// The sealing manifest.
    Sealing,
}

impl std::fmt::Display for Which {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Which::Build => "build manifest",
            Which::Sealing => "sealing manifest",
        })
    }
}

/// Why manifests are not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestFault {
    /// No signature.
    #[error("{0}: expected the builder's signature beside it, found none")]
    Unsigned(Which),
    /// By another key, or over another text.
    #[error(
        "{0}: the signature is not the builder's over this text; the manifest was altered, or another builder made it"
    )]
    Signature(Which),
    /// Not of the form.
    #[error("{which}: expected its form, which `countersign schema` prints: {message}")]
    Form {
        /// Which.
        which: Which,
        /// Where, and what is wrong there.
        message: String,
    },
    /// The sealing manifest names another build manifest.
    #[error(
        "the sealing manifest names another build manifest (SHA-256) than this one; give the one that was sealed in"
    )]
    OtherBuild,
    /// The image is another.
    #[error("the image is not the one of the sealing manifest: its {0} differs")]
    OtherImage(&'static str),
}

/// A manifest as it came, with its signature if there is one.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The text, byte for byte.
    pub text: &'a [u8],
    /// The signature's bytes.
    pub signature: Option<&'a [u8]>,
}

/// Both manifests, believed.
#[derive(Debug)]
pub struct Manifests {
    build: Build,
    sealing: Sealing,
}

impl Manifests {
    /// What the image is made of.
    pub fn build(&self) -> &Build {
        &self.build
    }

    /// What this sealing is.
    pub fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    /// Holds an image against the sealing manifest.
    ///
    /// # Errors
    /// [`ManifestFault::OtherImage`] with the first thing that differs.
    pub fn describe(&self, image: &SealedImage<'_>) -> Result<(), ManifestFault> {
        self.sealing.describes(image).map_err(ManifestFault::OtherImage)
    }
}

/// Verifies both manifests: signatures first, and nothing is read that is not signed.
///
/// # Errors
/// The first [`ManifestFault`].
pub fn verify(build: Signed<'_>, sealing: Signed<'_>, builder: &Builder) -> Result<Manifests, ManifestFault> {
    for (which, one) in [(Which::Build, build), (Which::Sealing, sealing)] {
        signed(which, one, builder)?;
    }
    let manifests = Manifests { build: Build::parse(build.text)?, sealing: Sealing::parse(sealing.text)? };
    if manifests.sealing.build_manifest.bytes() != &sha256(build.text) {
        return Err(ManifestFault::OtherBuild);
    }
    Ok(manifests)
}

/// Verifies a build manifest alone.
///
/// # Errors
/// [`ManifestFault::Unsigned`], [`ManifestFault::Signature`], [`ManifestFault::Form`], in this order.
pub fn verify_build(build: Signed<'_>, builder: &Builder) -> Result<Build, ManifestFault> {
    signed(Which::Build, build, builder)?;
    Build::parse(build.text)
}

fn signed(which: Which, one: Signed<'_>, builder: &Builder) -> Result<(), ManifestFault> {
    let signature = one.signature.ok_or(ManifestFault::Unsigned(which))?;
    if builder.made(one.text, signature) { Ok(()) } else { Err(ManifestFault::Signature(which)) }
}

/// Reads a manifest of this form, within bounds.
fn parse<'a, T: serde::Deserialize<'a>>(which: Which, text: &'a [u8]) -> Result<T, ManifestFault> {
    let fault = |message: String| ManifestFault::Form { which, message };
    if text.len() > MAX_BYTES {
        return Err(fault(format!("expected at most {MAX_BYTES} bytes")));
    }
    // A manifest may be anybody's: what it says reaches a terminal without control characters.
    let shown = |error: serde_json::Error| -> String {
        error.to_string().chars().map(|char| if char.is_control() { '?' } else { char }).take(200).collect()
    };
    serde_json::from_slice(text).map_err(|error| fault(shown(error)))
}

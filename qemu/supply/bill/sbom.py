"""The bill of materials, CycloneDX 1.6 as JSON, written with the OWASP library for it (Debian's python3-cyclonedx-lib).

Scope `required` is what is in the image: Debian packages of which it has a file, crates that are linked. Scope
`excluded` is what decided its bytes without being in it: compilers, packers, macros, build scripts.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timezone

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_supported_id
from packageurl import PackageURL

from .material import BUILD, CrateEntry, Material, Package

# As their authors say; nobody looked through the files.
DECLARED = LicenseAcknowledgement.DECLARED
OWN_LICENCE = "Apache-2.0"


def write(
    material: Material,
    inside: set[tuple[str, str]],
    *,
    image: str,
    version: str,
    epoch: int,
    countersignd_sha256: str,
) -> str:
    """The bill of materials of an image of that name and version.

    `inside` holds part and name of the packages that are in it, `epoch` the date of all its files in seconds.
    """
    subject = Component(
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref=f"image:{image}",
        name=image,
        version=version,
        licenses=[_licence(OWN_LICENCE)],
    )
    agent = Component(
        type=ComponentType.APPLICATION,
        bom_ref="countersignd",
        name="countersignd",
        version=version,
        scope=ComponentScope.REQUIRED,
        licenses=[_licence(OWN_LICENCE)],
        hashes=_sha256(countersignd_sha256),
        properties=[Property(name="countersign:part", value="guest-os"), Property(name="countersign:part", value="initramfs")],
    )
    packages = [component for package in material.packages if (component := _package(package, inside))]
    crates = [_crate(crate) for crate in material.crates]
    bom = Bom(components=[agent, *packages, *crates])
    bom.metadata = BomMetaData(component=subject, timestamp=datetime.fromtimestamp(epoch, timezone.utc))
    bom.register_dependency(subject, [agent, *_required(packages)])
    bom.register_dependency(agent, _required(crates))
    # The same bill has the same number: it is made from its own text.
    bom.serial_number = uuid.UUID(int=0)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, JsonV1Dot6(bom).output_as_string())
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _required(components: Iterable[Component]) -> list[Component]:
    return [component for component in components if component.scope is ComponentScope.REQUIRED]


def _package(package: Package, inside: set[tuple[str, str]]) -> Component | None:
    """A Debian package; nothing for one that is unpacked, but of which the image has no file."""
    parts = [part for part in package.parts if (part, package.name) in inside]
    if not parts and BUILD not in package.parts:
        return None
    purl = PackageURL(
        type="deb",
        namespace="debian",
        name=package.name,
        version=package.version,
        qualifiers={"arch": package.architecture, "distro": package.distribution},
    )
    properties = [Property(name="countersign:part", value=part) for part in parts or [BUILD]]
    properties.append(Property(name="countersign:source-package", value=package.source))
    properties += [Property(name="countersign:built-using", value=word) for word in package.built_using]
    if package.licence:
        licence = _licence(package.licence)
    else:
        licence = DisjunctiveLicense(name=f"see the copyright file of {package.name}", acknowledgement=DECLARED)
    return Component(
        type=ComponentType.LIBRARY if package.name.startswith("lib") else ComponentType.APPLICATION,
        bom_ref=purl.to_string(),
        name=package.name,
        version=package.version,
        scope=ComponentScope.REQUIRED if parts else ComponentScope.EXCLUDED,
        purl=purl,
        licenses=[licence],
        hashes=_sha256(package.sha256),
        properties=properties,
    )


def _crate(crate: CrateEntry) -> Component:
    purl = PackageURL(type="cargo", name=crate.name, version=crate.version)
    part = "countersignd" if crate.linked else BUILD
    if crate.licence:
        licence = _licence(crate.licence)
    else:
        licence = DisjunctiveLicense(name=f"see the licence file of {crate.name}", acknowledgement=DECLARED)
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        name=crate.name,
        version=crate.version,
        scope=ComponentScope.REQUIRED if crate.linked else ComponentScope.EXCLUDED,
        purl=purl,
        licenses=[licence],
        hashes=_sha256(crate.sha256),
        properties=[Property(name="countersign:part", value=part)],
    )


def _licence(expression: str) -> LicenseExpression | DisjunctiveLicense:
    if is_supported_id(expression):
        return DisjunctiveLicense(id=expression, acknowledgement=DECLARED)
    return LicenseExpression(expression, acknowledgement=DECLARED)


def _sha256(digest: str) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=digest)]

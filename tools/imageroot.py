#!/usr/bin/env python3
"""The files of the image (Dockerfile):

    cmake --install BUILD --prefix INTO/usr --strip
    imageroot.py VERSION INTO     adds what these programs load, and says what that is, as SPDX

The other files come from Debian packages that are installed here; their licences come along.
"""
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import uuid

USER = "onsale:x:10001:10001::/:/sbin/nologin\n"
# Beside the libraries: who is who, how names are looked up, whom to trust, what time it is where.
TEXTS = {"etc/passwd": f"root:x:0:0::/:/sbin/nologin\n{USER}", "etc/group": "root:x:0:\nonsale:x:10001:\n", "etc/nsswitch.conf": "hosts: files dns\n"}
DISTRO = "{ID}-{VERSION_ID}".format(**platform.freedesktop_os_release())
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
ZONES = pathlib.Path("/usr/share/zoneinfo")  # that pages tell the time by


def output(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def libraries(program):
    """What the loader would load, and itself, by the paths under which they are looked for."""
    return re.findall(r"(/\S+) \(0x", output("ldd", program))


def package_of(path):
    """The installed package that a file is from; some are known by their place before /usr was merged."""
    for known in (path, path.removeprefix("/usr")):
        done = subprocess.run(["dpkg-query", "-S", known], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            return done.stdout.split(": ")[0]
    raise SystemExit(f"imageroot: {path} is from no package")


def describe(package):
    fields = output("dpkg-query", "-W", "-f=${Package}\n${Version}\n${Architecture}\n${source:Package}\n${source:Version}\n${Maintainer}", package)
    name, version, architecture, source, source_version, maintainer = fields.split("\n")
    escaped = version.replace("+", "%2B").replace(":", "%3A")
    return {"SPDXID": f"SPDXRef-Package-{re.sub('[^A-Za-z0-9.-]', '-', name)}", "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False, "supplier": f"Organization: {maintainer}", "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
            "copyrightText": "NOASSERTION", "licenseComments": f"/usr/share/doc/{name}/copyright",
            "sourceInfo": f"built from {source} {source_version}",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": f"pkg:deb/debian/{name}@{escaped}?arch={architecture}&distro={DISTRO}"}]}


def sbom(version, packages):
    described = [describe(package) for package in packages]
    own = {"SPDXID": "SPDXRef-Onsale", "name": "onsale", "versionInfo": version, "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
           "supplier": "NOASSERTION", "licenseConcluded": "Apache-2.0", "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION",
           "primaryPackagePurpose": "CONTAINER"}
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", own["SPDXID"]), *((own["SPDXID"], "CONTAINS", package["SPDXID"]) for package in described)]
    document = {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"onsale-{version}",
                # Of the content alone: the same image says the same.
                "documentNamespace": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, json.dumps([own, described]))}",
                "creationInfo": {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: imageroot"]},
                "packages": [own, *described],
                "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b} for a, kind, b in relations]}
    return json.dumps(document, indent=1) + "\n"


def put(into, path, source):
    """Follows links: the file itself stands where it is looked for."""
    target = into / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    return target


def zones():
    """The files of time zones, without the two copies of them all that count in other ways."""
    for path in sorted(ZONES.rglob("*")):
        if path.is_file() and not {"posix", "right"} & set(path.parts) and path.read_bytes()[:4] == b"TZif":
            yield str(path)


def main():
    version, into = sys.argv[1], pathlib.Path(sys.argv[2])
    (into / "usr/lib").mkdir()
    (into / "lib").symlink_to("usr/lib")
    (into / "usr/lib64").mkdir()
    (into / "lib64").symlink_to("usr/lib64")
    (into / "tmp").mkdir()
    loaded = {path for program in (into / "usr/bin").iterdir() for path in libraries(program)}
    packages = {"ca-certificates", "tzdata"}  # the first makes its file when it is installed
    for path in sorted(loaded):
        real = os.path.realpath(path)
        put(into, path if path.startswith("/usr") else f"/usr{path}", real)
        packages.add(package_of(real))
    for path in (f"/{CERTIFICATES}", *zones()):
        put(into, path, path)
    for path, text in TEXTS.items():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        (into / path).write_text(text)
    packages = sorted(packages)
    for package in packages:
        name = package.split(":")[0]
        put(into, f"/usr/share/doc/{name}/copyright", f"/usr/share/doc/{name}/copyright")
    (into / "usr/share/onsale/sbom.spdx.json").write_text(sbom(version, packages))


main()

"""What others made comes by checksums that are kept here: dev/maven.sha256, dev/requirements.txt, examples/requirements.txt."""
import re
import sys
import xml.etree.ElementTree as xml

import pytest

from support import ROOT

sys.path.insert(0, str(ROOT / "dev"))
import fetch
from common import Failed

JAR = "org/example/one/1/one-1.jar"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # sha256 of nothing


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """What Maven has fetched: an empty jar of known checksum."""
    known = tmp_path / "maven.sha256"
    known.write_text(f"{EMPTY}  {JAR}\n")
    monkeypatch.setattr(fetch, "CHECKSUMS", known)
    repository = tmp_path / "repository"
    (repository / JAR).parent.mkdir(parents=True)
    (repository / JAR).touch()
    return repository


def test_a_jar_is_what_it_was(fetched):
    (fetched / JAR.replace(".jar", ".pom")).write_text("poms are not looked at")
    fetch.verify(fetched)


def test_a_changed_jar_is_not_used(fetched):
    (fetched / JAR).write_text("something else")
    with pytest.raises(Failed, match=rf"^{JAR}, fetched by Maven, has sha256 \w{{64}}, but maven.sha256 says {EMPTY}; it is not used"):
        fetch.verify(fetched)


def test_an_unknown_jar_is_not_used(fetched):
    (fetched / JAR).rename((fetched / JAR).with_name("two-1.jar"))
    with pytest.raises(Failed, match=r"two-1\.jar, .* but maven\.sha256 says nothing of it"):
        fetch.verify(fetched)


def test_what_was_refused_is_fetched_anew(fetched, tmp_path, monkeypatch):
    """So that a broken download is not for ever."""
    (fetched / JAR).write_text("something else")
    monkeypatch.setattr(fetch, "cache_dir", lambda: tmp_path)
    fetched.rename(tmp_path / "maven-kafka")
    monkeypatch.setattr(fetch, "maven", lambda *_: None)
    with pytest.raises(Failed):
        fetch.gather(fetch.POM, tmp_path / "made")
    assert not (tmp_path / "maven-kafka").exists()


def named(pom):
    """The directories in a repository of what a pom names, with its properties filled in."""
    space = "{http://maven.apache.org/POM/4.0.0}"
    root = xml.parse(pom).getroot()
    properties = {f"${{{e.tag.removeprefix(space)}}}": e.text for e in root.findall(f"{space}properties/*")}
    for kind in ("dependency", "plugin", "artifactItem"):
        for element in root.iter(f"{space}{kind}"):
            group, artifact, version = (element.find(f"{space}{name}").text for name in ("groupId", "artifactId", "version"))
            yield f"{group.replace('.', '/')}/{artifact}/{properties.get(version, version)}/"


@pytest.mark.parametrize("pom", fetch.poms(), ids=lambda pom: pom.parent.name)
def test_each_version_has_a_checksum(pom):
    """Otherwise the first who fetches it would find out."""
    known = fetch.CHECKSUMS.read_text()
    wanted = list(named(pom))
    assert wanted and [path for path in wanted if f"  {path}" not in known] == []


@pytest.mark.parametrize("file", [fetch.REQUIREMENTS, fetch.ANALYSTS], ids=lambda file: file.parent.name)
def test_each_python_package_has_a_checksum(file):
    packages = re.findall(r"^[\w.-]+==\S+(.*(?:\n .*)*)", file.read_text(), re.MULTILINE)
    assert len(packages) > 50 and all(re.search(r"--hash=sha256:\w{64}", package) for package in packages)

"""Each program that is installed is hardened (cmake/hardening.cmake), as its ELF file says."""
import platform
import re
import subprocess

import pytest

from support import ROOT

# Options that leave no mark of their own in the file, but in what the compiler notes of itself for debuggers.
OPTIONS = {"-O2", "-fPIE", "-fstack-protector-strong", "-fstack-clash-protection", "-ftrivial-auto-var-init=zero"}
ON_X86 = platform.machine() == "x86_64"


def readelf(*words):
    return subprocess.run(["readelf", "-W", *words], check=True, text=True, stdout=subprocess.PIPE, env={"LC_ALL": "C", "PATH": "/usr/bin"}).stdout


def properties(program):
    """What the processor may check in all of it, as the linker concluded from its parts."""
    found = re.search(r"x86 feature: (.+)", readelf("-n", program))
    return set(found[1].split(", ")) if found else set()


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("installed")
    subprocess.run(["cmake", "--install", ROOT / "build/release", "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
    return sorted((prefix / "bin").iterdir())


def test_where_it_is_loaded(programs):
    """Anywhere; nothing is written to code, nor runs as code what was written."""
    for program in programs:
        dynamic, segments = readelf("-d", program), readelf("-l", program)
        assert "DYN (Position-Independent Executable file)" in readelf("-h", program), program
        assert re.search(r"\(FLAGS_1\) +Flags:.* PIE", dynamic), program
        assert not re.search(r"TEXTREL", dynamic), program
        flags = dict(re.findall(r"^ +(GNU_STACK|GNU_RELRO)(?: +0x\w+){5} ([RWE ]{3}) ", segments, re.MULTILINE))
        assert flags["GNU_STACK"] == "RW ", program
        loaded = re.findall(r"^ +LOAD(?: +0x\w+){5} ([RWE ]{3}) ", segments, re.MULTILINE)
        assert loaded and not [flags for flags in loaded if "W" in flags and "E" in flags], program


def test_addresses_of_functions_are_read_only(programs):
    """All are resolved at the start, then protected."""
    for program in programs:
        assert re.search(r"\(FLAGS\) +BIND_NOW", readelf("-d", program)), program
        assert re.search(r"\(FLAGS_1\) +Flags: NOW", readelf("-d", program)), program
        assert "GNU_RELRO" in readelf("-l", program), program


def test_libraries_come_from_the_system(programs):
    for program in programs:
        assert not re.search(r"\((RPATH|RUNPATH)\)", readelf("-d", program)), program


def test_overflows_are_found(programs):
    """On the stack, and in the functions of which glibc has checked ones."""
    for program in programs:
        used = set(re.findall(r" UND (\w+)@", readelf("--dyn-syms", program)))
        assert "__stack_chk_fail" in used, program
        assert {"__vsnprintf_chk", "__fprintf_chk"} <= used or program.name == "picture", program  # which writes no text
        assert not used & {"printf", "fprintf", "vfprintf"}, f"{program} has unchecked ones, too"


def test_every_file_is_compiled_so(programs):
    wanted = OPTIONS | ({"-fcf-protection=full"} if ON_X86 else set())
    for program in programs:
        compiled = re.findall(r"GNU C\d.*", readelf("-p", ".debug_str", program))
        assert compiled, program
        for options in compiled:
            assert wanted <= set(options.split()), f"{program}: {options}"


@pytest.mark.skipif(not ON_X86, reason="another processor's")
def test_jumps_and_returns_can_be_checked(programs, tmp_path):
    """All our objects say IBT and SHSTK. A program says it if the C library's own start files do, which those of Debian 12 don't."""
    objects = [path for folder in ("common", "services", "streams", "schemas", "tools") for path in (ROOT / "build/release" / folder).rglob("*.o")]
    objects += (ROOT / "build/release/events").rglob("*.o")
    assert len(objects) > 100
    said = dict(re.findall(r"File: (\S+)\n(.*?)(?=\nFile: |\Z)", readelf("-n", *objects), re.DOTALL))
    assert len(said) == len(objects)
    assert [path for path, text in said.items() if "x86 feature: IBT, SHSTK" not in text] == []
    (tmp_path / "empty.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["cc", "-fcf-protection=full", "-o", tmp_path / "empty", tmp_path / "empty.c"], check=True)
    for program in programs:
        assert properties(program) == properties(tmp_path / "empty"), program

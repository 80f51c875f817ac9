#!/usr/bin/env python3
"""Embeds the files of a directory as OUT/static_files.c, under names that tell their content, compressed.

    staticgen.py DIR OUT

app.css becomes /static/app.0123456789ab.css, which may be cached for good: what changes has another name. The table is that of
services/web/static.h, in the order of the paths; gzip is kept where it is shorter. tools/templategen.py takes the same names
for {{static "app.css"}}.
"""
import gzip
import hashlib
import pathlib
import sys

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
         ".png": "image/png", ".ico": "image/x-icon", ".txt": "text/plain; charset=utf-8", ".woff2": "font/woff2",
         ".webmanifest": "application/manifest+json"}


def fail(where, message):
    sys.exit(f"{where}: {message}")


def fingerprint(data):
    return hashlib.sha256(data).hexdigest()[:12]


def files_of(directory):
    """{name: path at the server}"""
    found = {}
    for file in sorted(pathlib.Path(directory).glob("*")):
        if file.suffix not in TYPES:
            fail(file, f"no content type is known for {file.suffix or 'a name without an ending'}; there are {', '.join(TYPES)}")
        found[file.name] = f"/static/{file.stem}.{fingerprint(file.read_bytes())}{file.suffix}"
    return found


def c_bytes(data):
    """As a string literal: octal throughout, which no next character can lengthen."""
    lines = [data[i:i + 32] for i in range(0, len(data), 32)] or [b""]
    return "\n".join('    "' + "".join(f"\\{byte:03o}" for byte in line) + '"' for line in lines)


def entry(path, content_type, data):
    packed = gzip.compress(data, 9, mtime=0)  # the same bytes at every build
    packed = packed if len(packed) < len(data) else b""
    return f"""    {{
    .path = {{"{path}", {len(path)}}},
    .content_type = "{content_type}",
    .etag = {{"\\"{fingerprint(data)}\\"", 14}},
    .bytes = {{
{c_bytes(data)},
    {len(data)}}},
    .gzip = {{
{c_bytes(packed)},
    {len(packed)}}},
    }},
"""


def main():
    source, out = map(pathlib.Path, sys.argv[1:])
    files = files_of(source)
    body = "".join(entry(path, TYPES[pathlib.Path(name).suffix], (source / name).read_bytes()) for name, path in
                   sorted(files.items(), key=lambda file: file[1].encode()))
    out.mkdir(parents=True, exist_ok=True)
    (out / "static_files.c").write_text(
        f'#include "static.h"\n\nconst struct static_file static_files[] = {{\n{body}    {{.content_type = NULL}},\n}};\n'
        f"const size_t static_count = {len(files)};\n", encoding="utf-8")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes the pages of the API's description: embeds it as it is, and as a page for people, in OUT/document_files.c.

    docsgen.py OPENAPI STATIC OUT

The table is that of services/web/static.h: /docs, then /openapi.yaml. The page needs no script; its styles are files of STATIC
(tools/staticgen.py).
"""
import html
import json
import pathlib
import re
import sys

import yaml

import staticgen

METHODS = ("get", "put", "post", "patch", "delete")
STYLES = ("app.css", "docs.css")
# What bounds a value, in words.
BOUNDS = {"format": "{}", "minimum": "from {}", "exclusiveMinimum": "more than {}", "maximum": "to {}", "exclusiveMaximum": "less than {}",
          "minLength": "at least {} characters", "maxLength": "at most {} characters", "minItems": "at least {}", "maxItems": "at most {}",
          "default": "{} by default"}
LONG = 60  # a longer pattern says nothing to people; its description does


def escape(text):
    return html.escape(str(text), quote=True)


def inline(text):
    """`code` and **strong**."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)


def paragraphs(text):
    return "".join(f"<p>{inline(part)}</p>\n" for part in re.split(r"\n\s*\n", text.strip()) if part)


def listing(value):
    return f"<pre><code>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</code></pre>\n"


class Page:
    def __init__(self, document):
        self.document, self.schemas = document, document["components"]["schemas"]

    def follow(self, part):
        if "$ref" not in part:
            return part
        _, _, kind, name = part["$ref"].split("/")
        return self.document["components"][kind][name]

    # --- schemas ---

    def kind(self, schema):
        """The type of a value, with links to the schemas that have names."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            return f'<a href="#schema-{name}">{name}</a>'
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                return " or ".join(map(self.kind, schema[choice]))
        if "enum" in schema:
            return " or ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
        types = schema.get("type", "any")
        words = " or ".join(types) if isinstance(types, list) else types
        return f"array of {self.kind(schema['items'])}" if types == "array" else words

    def bounds(self, schema):
        said = [words.format(escape(json.dumps(schema[key]).strip('"'))) for key, words in BOUNDS.items() if key in schema]
        if len(schema.get("pattern", "")) in range(1, LONG):
            said.append(f"<code>{escape(schema['pattern'])}</code>")
        return ", ".join(said)

    def about(self, schema, description=""):
        bounds = self.bounds(schema)
        return " ".join(part for part in (inline(description or schema.get("description", "")), f'<span class="soft">{bounds}</span>' if bounds else "")
                        if part)

    def table(self, head, rows):
        if not rows:
            return ""
        names = "".join(f"<th scope=\"col\">{name}</th>" for name in head)
        lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
        return f'<div class="wide"><table><thead><tr>{names}</tr></thead><tbody>\n{lines}</tbody></table></div>\n'

    def fields(self, schema):
        required = schema.get("required", [])
        rows = [(f"<code>{escape(name)}</code>", self.kind(field) + ("" if name in required else ' <span class="soft">(optional)</span>'), self.about(field))
                for name, field in schema.get("properties", {}).items()]
        return self.table(("field", "type", ""), rows)

    def example(self, media):
        """That of the media type, or of its schema; of a choice, that of each form; of an array, one with the example of its items."""
        schema = self.follow(media["schema"])
        if "example" in media:
            return [media["example"]]
        if "anyOf" in schema:
            return [value for form in schema["anyOf"] for value in self.example({"schema": form})]
        if "items" in schema:
            return [[value] for value in self.example({"schema": schema["items"]})[:1]]
        return schema.get("examples", [])

    # --- operations ---

    def who(self, operation):
        security = operation["security"]
        return "Anyone." if not security else "Anyone; more for who is signed in." if {} in security else "Who is signed in."

    def parameters(self, item, operation):
        parameters = [self.follow(p) for p in [*item.get("parameters", []), *operation.get("parameters", [])]]
        return self.table(("parameter", "in", "type", ""), [
            (f"<code>{escape(p['name'])}</code>", p["in"], self.kind(p["schema"]) + ("" if p.get("required") else ' <span class="soft">(optional)</span>'),
             self.about(p["schema"], p["description"])) for p in parameters])

    def media(self, part):
        return part.get("content", {}).get("application/json")

    def answers(self, operation):
        rows, examples = [], ""
        for status, response in operation["responses"].items():
            answer = self.follow(response)
            media = self.media(answer)
            rows.append((f"<code>{status}</code>", inline(answer["description"]), self.kind(media["schema"]) if media else "",
                         ", ".join(f"<code>{escape(name)}</code>" for name in answer.get("headers", {}))))
            if media and status < "300":
                examples += "".join(listing(value) for value in self.example(media))
        return self.table(("status", "answer", "body", "headers"), rows) + (f"<h4>Answered</h4>\n{examples}" if examples else "")

    def operation(self, path, method):
        item = self.document["paths"][path]
        operation = item[method]
        media = self.media(operation.get("requestBody", {}))
        sent = f"<h4>Sent: {self.kind(media['schema'])}</h4>\n" + "".join(listing(value) for value in self.example(media)) if media else ""
        return f"""<article class="panel" id="{operation['operationId']}">
<h3><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h3>
<p><strong>{inline(operation['summary'])}</strong></p>
{paragraphs(operation['description'])}<p class="soft">{self.who(operation)}</p>
{self.parameters(item, operation)}{sent}{self.answers(operation)}</article>
"""

    def of_tag(self, tag):
        return [(path, method) for path, item in self.document["paths"].items() for method in METHODS if tag in item.get(method, {}).get("tags", [])]

    def schema(self, name):
        schema = self.schemas[name]
        forms = "" if "properties" in schema else f"<p>{self.kind(schema)}</p>\n"
        return f"""<article class="panel" id="schema-{name}">
<h3>{name}</h3>
{f"<p>{self.about(schema)}</p>" if self.about(schema) else ""}
{forms}{self.fields(schema)}</article>
"""

    def contents(self):
        lines = ""
        for tag in self.document["tags"]:
            operations = [self.document["paths"][path][method] for path, method in self.of_tag(tag["name"])]
            links = "".join(f'<li><a href="#{o["operationId"]}">{inline(o["summary"])}</a></li>\n' for o in operations)
            lines += f"<section><h2>{escape(tag['name'].capitalize())}</h2>\n<ul>\n{links}</ul></section>\n"
        return f'<nav class="contents" aria-label="Contents">\n{lines}</nav>\n'

    def render(self, styles):
        info = self.document["info"]
        parts = ""
        for tag in self.document["tags"]:
            operations = "".join(self.operation(*place) for place in self.of_tag(tag["name"]))
            parts += f"<h2 id=\"tag-{tag['name']}\">{escape(tag['name'].capitalize())}</h2>\n<p>{inline(tag['description'])}</p>\n{operations}"
        links = "".join(f'<link rel="stylesheet" href="{path}">\n' for path in styles)
        return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>The API · {escape(info['title'])}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{links}</head>
<body class="docs">
<header class="bar"><a class="brand" href="/">{escape(info['title'])}</a><a href="/openapi.yaml">openapi.yaml</a></header>
<main>
<h1>The API</h1>
{paragraphs(info['description'])}{self.contents()}{parts}<h2 id="schemas">Schemas</h2>
{"".join(map(self.schema, self.schemas))}</main>
</body>
</html>
"""


def main():
    source, static, out = map(pathlib.Path, sys.argv[1:])
    text = source.read_bytes()
    paths = staticgen.files_of(static)
    page = Page(yaml.safe_load(text)).render([paths[name] for name in STYLES]).encode()
    out.mkdir(parents=True, exist_ok=True)
    (out / "document_files.c").write_text(
        '#include "static.h"\n\nconst struct static_file document_files[] = {\n'
        + staticgen.entry("/docs", "text/html; charset=utf-8", page) + staticgen.entry("/openapi.yaml", "application/yaml", text) + "};\n", encoding="utf-8")


if __name__ == "__main__":
    main()

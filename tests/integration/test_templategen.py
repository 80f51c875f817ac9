"""tools/templategen.py and staticgen.py: pages compiled and read by a browser's parsing algorithm, and what is refused."""
import gzip
import itertools
import json
import pathlib
import re
import subprocess
import sys

import html5lib
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
import staticgen  # noqa: E402

FLAGS = ["-std=gnu17", "-O1", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wno-sign-conversion", "-Werror",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-D_GNU_SOURCE"]


def generate(directory, templates, static=None, texts=None):
    """What it says when it refuses, or None."""
    for folder, files in (("templates", templates), ("static", static or {})):
        (directory / folder).mkdir(exist_ok=True)
        for name, text in files.items():
            (directory / folder / name).write_text(text)
    arguments = [ROOT / "tools/templategen.py", directory / "templates", directory / "static", directory / "out", *([texts] if texts else [])]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr.replace(f"{directory}/templates/", "").strip() or None


def compiled(directory, main, compiler="gcc"):
    (directory / "main.c").write_text(main)
    sources = [directory / "main.c", directory / "out/templates.c", ROOT / "common/html/html.c", ROOT / "common/html/language.c",
               *(ROOT / "common/base" / f"{name}.c" for name in ("mem", "buf", "arena", "utf8", "uuid", "hex", "clock", "currency", "percent"))]
    includes = [f"-I{path}" for path in (ROOT / "common/base", ROOT / "common/html", directory / "out")]
    subprocess.run([compiler, *FLAGS, *includes, "-o", directory / "main", *sources], check=True)
    return directory / "main"


# --- values, in every place where they may stand ---

PAGE = """
{{params word text path url whole link}}
<!doctype html>
<html lang="en">
<head><title>{{word}}</title></head>
<body>
<p id="text">{{word}}</p>
<p id="double" title="a {{word}} b" data-word='{{word}}' class="{{word}}">x</p>
<a id="query" href="/search?q={{word}}&amp;page=2#{{word}}">x</a>
<a id="url" href="{{path}}">x</a>
<a id="link" href="{{whole}}">x</a>
<form action="{{path}}"><input id="input" value="{{word}}"><textarea id="area">{{word}}</textarea></form>
<script type="application/json" id="json">{"word": {{word}}, "list": [{{path}}, {{word}}]}</script>
</body>
</html>
"""

# Reads pairs of texts, each behind its length, and writes the pages the same way.
PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include "templates.h"
static bool take(struct str *s) {
    if (scanf("%zu:", &s->n) != 1) return false;
    char *p = malloc(s->n); /* exactly, so that a read behind the end is seen */
    if (fread(p, 1, s->n, stdin) != s->n) abort();
    s->p = p;
    return true;
}
int main(void) {
    struct page_view v;
    while (take(&v.word) && take(&v.path)) {
        struct buf out = {0};
        v.whole = v.word;
        page_render(&out, &v);
        printf("%zu:", out.len);
        fwrite(out.data, 1, out.len, stdout);
        buf_free(&out);
        free((char *)v.word.p);
        free((char *)v.path.p);
    }
}
"""

HOSTILE = [
    "", "plain", "<script>alert(1)</script>", "</title><script>alert(1)</script>", "</textarea><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)', "' onmouseover='alert(1)", "x onload=alert(1)", "</script><script>alert(1)</script>",
    "<!--<script>", "-->", "<![CDATA[", "&lt;b&gt; &amp; &#60;", "&quot;&apos;", "javascript:alert(1)", "//evil.example/x", "/\\evil.example",
    "/\t/evil.example", "/ok?a=1&b=2#c", "https://evil.example/", "data:text/html,<script>alert(1)</script>", "\\u003c/script>",
    '","x":"y', "\\", "\\\"", "a\nb\tc\rd", "\u2028\u2029", "票 🎟 é", "`${alert(1)}`", "{{word}}", "%3Cscript%3E", "%", "+ &=#?/",
    "\x00\x01\x0b\x0c\x1b\x7f", "a" * 5000 + "<", "ａ＜script＞", "\ufeff", "\ufffe",
    "otpauth://totp/a?b=c&d", "otpauth://hotp/a", "otpauth:totp/a",
]
BROKEN = [b"\xff<b>", b"<\xc3", b"\xe2\x82<script>", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xbcscript\xc0\xbe", b'\xe2"x']


def readable(data):
    """As the page shows it: what is no text is U+FFFD, one for each byte, and a line ends by a line feed."""
    text = data.decode("utf-8", "surrogateescape").replace("\r", "\n")
    return re.sub("[\udc80-\udcff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "\ufffd", text)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """(word, path, the page) for every hostile word, with every fourth path"""
    directory = tmp_path_factory.mktemp("pages")
    assert generate(directory, {"page.html": PAGE}) is None
    words = [text.encode() for text in HOSTILE] + BROKEN
    pairs = list(zip(words, itertools.islice(itertools.cycle(words), 4, None)))
    framed = b"".join(b"%d:" % len(text) + text for pair in pairs for text in pair)
    out = subprocess.run([compiled(directory, PROGRAM)], input=framed, stdout=subprocess.PIPE, check=True).stdout
    rendered = []
    for _ in pairs:
        size, _, rest = out.partition(b":")
        rendered.append(rest[:int(size)])
        out = rest[int(size):]
    return [(*pair, page.decode()) for pair, page in zip(pairs, rendered)]


def parsed(page):
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parse(page)
    return tree, [error for _, error, _ in parser.errors if error != "invalid-codepoint"]  # U+FFFE: text, if odd


def own(path):
    return re.fullmatch(r"/(?!/)[^\x00-\x20\x7f\\]*", path, re.S) is not None


def test_values_stay_where_they_are(pages):
    shape = [(e.tag, sorted(e.attrib)) for e in parsed(pages[1][2])[0].iter()]
    assert len(shape) == 13
    for word, path, page in pages:
        tree, errors = parsed(page)
        assert not errors, (word, errors)
        assert [(e.tag, sorted(e.attrib)) for e in tree.iter()] == shape, word
        by_id = {e.get("id"): e for e in tree.iter() if e.get("id")}
        shown = readable(word)
        assert tree.findtext("head/title") == shown
        assert (by_id["text"].text or "") == shown
        assert by_id["double"].get("title") == f"a {shown} b"
        assert by_id["double"].get("data-word") == by_id["double"].get("class") == shown
        assert by_id["input"].get("value") == shown
        assert (by_id["area"].text or "") == shown
        assert by_id["url"].get("href") == (readable(path) if own(path.decode("utf-8", "surrogateescape")) else "#")
        whole = re.fullmatch(r"(https?://|otpauth://totp/)[^\x00-\x20\x7f\\]*", word.decode("utf-8", "surrogateescape"))
        assert by_id["link"].get("href") == (shown if whole else "#")


def test_a_part_of_a_url_is_nothing_else(pages):
    from urllib.parse import unquote_to_bytes
    for word, _, page in pages:
        href = re.search(r'id="query" href="([^"]*)"', page)[1]
        assert re.fullmatch(r"/search\?q=[\w.~%-]*&amp;page=2#[\w.~%-]*", href, re.A), word
        assert unquote_to_bytes(re.search(r"q=([^&]*)&", href)[1]) == word


def test_json_in_a_script(pages):
    for word, path, page in pages:
        text = re.search(r'id="json">(.*?)</script>', page, re.S)[1]
        assert not set("<>&\u007f") & set(text)
        ours = json.loads(text)
        assert ours == {"word": plain(word), "list": [plain(path), plain(word)]}


def plain(data):
    """JSON keeps control characters: they are escaped."""
    return re.sub("[\udc80-\udcff]", "\ufffd", data.decode("utf-8", "surrogateescape"))


# --- the language ---

SHOP = {
    "frame.html": """{{params title text who text?}}<title>{{title}}</title>
        {{if who}}<b>{{who}}</b>{{end}}<main>{{content}}</main>{{! nobody sees this }}<i>{{title}}</i>""",
    "card.html": """{{enum state open shut}}
        {{params id uuid price price state state at time n int? loud bool?}}
        <a href="/c/{{id}}" data-state="{{state}}"{{if loud}} class="loud"{{end}}>{{price}} {{price|amount}}
        {{price|currency}} {{at}} {{at|iso}} {{at|date}} {{at|day}} {{n}}</a>""",
    "shop.html": """{{record owner name text}}
        {{params cards list card tags list text count int owner owner}}
        {{use frame title="A \\"shop\\"" who=owner.name}}
        {{for c in cards}}{{include card c}}{{else}}<p>nothing</p>{{end}}
        {{for tag in tags}}<u>{{tag}}</u>{{for again in tags}}{{if count is 1}}{{again}}{{end}}{{end}}{{end}}
        {{if count is 1}}one{{elif count is 2 or (not count and not tags)}}two or none{{elif cards}}some{{else}}many{{end}}
        {{for c in cards}}{{include card id=c.id price=c.price state=shut at=c.at n=7 loud=(c.state is not open)}}{{end}}
        <link rel="icon" href="{{static "i.svg"}}">
        {{end}}""",
}
SHOP_MAIN = """
#include <stdio.h>
#include "templates.h"
int main(void) {
    struct uuid id = {{0x12}};
    struct card_view cards[] = {
        {.id = id, .price = {123456750, "USD"}, .state = STATE_OPEN, .at = 1795257571123456},
        {.id = id, .price = {5, "CHF"}, .state = STATE_SHUT, .at = 1767225600000000, .n = -3, .loud = true},
        {.id = id, .price = {1234, "JPY"}, .at = 0},
        {.id = id, .price = {-100000, "EUR"}, .state = STATE_SHUT, .at = 0},
    };
    struct str tags[] = {STR("a"), STR("<b>")};
    struct shop_view views[] = {
        {.cards = {cards, 4}, .tags = {tags, 2}, .count = 1, .owner = {STR("Ann & Bob")}},
        {.count = 2},
        {.cards = {cards, 1}, .count = 3},
        {.tags = {tags, 1}, .count = 3},
        {.count = 0},
    };
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        struct buf out = {0};
        shop_render(&out, &views[i]);
        printf("%.*s\\1", (int)out.len, (char *)out.data);
        buf_free(&out);
    }
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_language(tmp_path, compiler):
    assert generate(tmp_path, SHOP, {"i.svg": "<svg/>"}) is None
    main = compiled(tmp_path, SHOP_MAIN, compiler)
    first, *others = subprocess.run([main], capture_output=True, text=True, check=True).stdout.split("\1")[:-1]
    text = " ".join(first.split())
    for part in (
        "<title>A &#34;shop&#34;</title>\n<b>Ann &amp; Bob</b><main>",
        ('<a href="/c/12000000-0000-0000-0000-000000000000" data-state="open">$1,234,567.50 1234567.50\nUSD '
         "21 Nov 2026, 10:39 UTC 2026-11-21T10:39:31.123Z 2026-11-21 Sat 21 Nov 2026 0</a>"),
        'data-state="shut" class="loud">CHF\xa00.05 0.05\nCHF 1 Jan 2026, 00:00 UTC 2026-01-01T00:00:00.000Z 2026-01-01 Thu 1 Jan 2026 -3</a>',
        "JPY\xa01,234 1234\nJPY 1 Jan 1970",
        "-€1,000.00 -1000.00\nEUR 1 Jan 1970",
        "<u>a</u>a&lt;b&gt;<u>&lt;b&gt;</u>a&lt;b&gt; one",
        'data-state="shut" class="loud">CHF\xa00.05 0.05\nCHF 1 Jan 2026, 00:00 UTC 2026-01-01T00:00:00.000Z 2026-01-01 Thu 1 Jan 2026 7</a>',
        'data-state="shut">$1,234,567.50',
        "</main><i>A &#34;shop&#34;</i>",
    ):
        assert " ".join(part.split()) in text, text
    assert '<p>nothing</p>' not in first and "nobody" not in first
    assert re.search(r'href="/static/i\.[0-9a-f]{12}\.svg"', first)
    assert ["<p>nothing</p>" in page for page in others] == [True, False, True, True]
    assert [re.search("two or none|some|many", page)[0] for page in others] == ["two or none", "some", "many", "two or none"]


# --- what is refused: {message: the templates} ---

OTHER = {"other.html": "{{params a text b int?}}<p>{{a}}{{b}}</p>", "frame.html": "<div>{{content}}</div>"}
VALUES = ("{{params t text u url n int b bool id uuid e mood p price r row l list row k link}}{{enum mood sad glad}}{{record row x text}}"
          "<i title='{{t}}{{u}}{{n}}{{id}}{{e}}{{p}}{{r.x}}{{k}}'>{{if b or l}}{{end}}</i>\n")
REFUSED = {
    # names and blocks
    "page.html:2: there is no who; there are t, u, n, b, id, e, p, r, l, k": "{{who}}",
    "page.html:3: a row has no y; it has x": "\n{{r.y}}",
    "page.html:2: a list row has no x": "{{l.x}}",
    "page.html:2: l is a list row: it cannot be written": "{{l}}",
    "page.html:2: r is a row: it cannot be written": "{{r}}",
    "page.html:2: {{if}} has no {{end}}": "{{if b}}<p></p>",
    "page.html:3: {{for}} has no {{end}}": "\n{{for r2 in l}}{{r2.x}}",
    "page.html:4: {{end}} of nothing": "\n{{if b}}x{{end}}\n{{end}}",
    "page.html:2: {{else}} of nothing": "{{else}}",
    "page.html:2: {{elif}} of nothing": "{{for x in l}}{{x.x}}{{elif b}}{{end}}",
    "page.html:3: {{ without }}": "\n{{t",
    "page.html:2: {{t + 1}} is neither a value nor": "{{t + 1}}",
    "page.html:2: t is a text: there is no text|amount": "{{t|amount}}",
    "page.html:2: t is a text, not a list": "{{for x in t}}{{x}}{{end}}",
    "page.html:2: x is never used": "{{for x in l}}x{{end}}",
    "page.html:2: there is a t already": "{{for t in l}}{{t.x}}{{end}}",
    "page.html:2: e is a mood: neither true nor false without is": "{{if e}}x{{end}}",
    "page.html:2: a mood is never mad": "{{if e is mad}}x{{end}}",
    "page.html:2: a text is never sad": "{{if t is sad}}x{{end}}",
    "page.html:2: ( without )": "{{if (b}}x{{end}}",
    "page.html:2: b b: b is too much": "{{if b b}}x{{end}}",
    "page.html:2: a condition is made of": "{{if b and}}x{{end}}",
    "page.html:2: there is no template nobody; there are frame, other, page": "{{include nobody}}",
    "page.html:2: other needs a": "{{include other b=1}}",
    "page.html:2: other has no c": "{{include other a=t c=t}}",
    "page.html:2: a is a text, but n is a int": "{{include other a=n}}",
    "page.html:2: b is a int, not \"x\"": '{{include other a=t b="x"}}',
    "page.html:2: b is a int, not a condition": "{{include other a=t b=(t)}}",
    "page.html:2: no argument: =t": "{{include other =t}}",
    "page.html:2: r is a row, not a other": "{{include other r}}",
    "page.html:2: frame is a layout: {{use}} it": "{{include frame}}",
    "page.html:2: other is no layout": "{{use other a=t}}{{end}}",
    "page.html:2: {{content}} stands once, and in no block": "{{if b}}{{content}}{{end}}",
    "page.html:2: params are declared once": "{{params z text}}",
    "page.html:2: mood cannot be declared": "{{enum mood a}}",
    "page.html:2: nothing can be called int": "{{record z int text}}",
    "page.html:2: y: there is no type nothing": "{{record z y nothing}}",
    "page.html:2: y: a list is of records or of text, not of int": "{{record z y list int}}",
    "page.html:2: y has no type": "{{record z y}}",
    "page.html:2: there is no static file a.css; there are none": "<link rel='x' href='{{static \"a.css\"}}'>",
    "page → page: a template cannot be within itself": "{{include page t=t}}",
    "z → z: a record cannot be within itself": "{{record z y z}}",
    # elements
    "page.html:3: </b> closes <p>": "<p>\n</b></p>",
    "page.html:2: </p> closes nothing": "</p>",
    "page.html:2: the template ends in text, inside <div><p>": "<div><p>\n",
    "page.html:2: the template ends within <p>": "<p ",
    "page.html:2: the ways through {{if}} end at different places: in text, inside <p>, or in text": "{{if b}}<p>{{end}}x</p>",
    "page.html:2: the ways through {{for}} end at different places": "{{for x in l}}<p>{{x.x}}{{end}}",
    "page.html:2: <p/> does not close itself": "<p/>",
    "page.html:2: a < that begins no tag": "1 < 2",
    "page.html:2: <p> is malformed": '<p "x">',
    "page.html:2: an attribute of <p> begins with a space": '<p a="b"c>',
    "page.html:2: an attribute of <h> begins with a space": '<h{{if b}}1{{end}}></h>',
    "page.html:2: the attribute class is there twice": "<p class='a' class='b'></p>",
    # places that cannot be made safe
    "page.html:2: a value cannot stand within <p>": "<p {{t}}></p>",
    "page.html:2: the value of title needs quotes": "<p title={{t}}></p>",
    "page.html:2: the value of class needs quotes": "<p class=a></p>",
    "page.html:2: the attribute onclick has no place": "<p onclick='x()'></p>",
    "page.html:2: the attribute style has no place": "<p style='color:red'></p>",
    "page.html:2: the attribute srcset has no place": "<img srcset='{{t}}'>",
    "page.html:2: <style> has no place": "<style>p{}</style>",
    "page.html:2: <iframe> has no place": "<iframe src='/x'></iframe>",
    "page.html:2: <base> has no place": "<base href='/'>",
    "page.html:2: no inline scripts: <script src": "<script>x()</script>",
    "page.html:2: no inline scripts": "<script src='/x.js'>\nx()</script>",
    "page.html:2: a script of the type text/javascript": "<script type='text/javascript'></script>",
    "page.html:2: a script has a src or JSON, not both": "<script src='/x' type='application/json'></script>",
    "page.html:2: type of <script> takes no value": "<script type='{{t}}'></script>",
    "page.html:2: what <script> loads is {{static}}": "<script src='{{u}}'></script>",
    "page.html:2: what <img> loads is {{static}}": "<img src='/i/{{n}}'>",
    "page.html:2: method of <form> takes no value": "<form method='{{t}}'></form>",
    "page.html:2: a <meta http-equiv> takes no value": "<meta content='{{t}}' http-equiv='refresh'>",
    "page.html:2: a URL that is a value is of the type url, not text": "<a href='{{t}}'>x</a>",
    "page.html:2: a URL that is a value is of the type url, not link": "<form action='{{k}}'></form>",
    "page.html:2: a URL in href begins with /": "<a href='javascript:x()'>x</a>",
    "page.html:2: a URL in action begins with /, ?, # or https": "<form action='//evil/x'></form>",
    "page.html:2: a text in the path of a URL could lead elsewhere": "<a href='/t/{{t}}'>x</a>",
    "page.html:2: a url in the path of a URL could": "<a href='{{u}}{{u}}'>x</a>",
    "page.html:2: a price cannot be written in the attribute href": "<a href='/?p={{p}}'>x</a>",
    "page.html:2: a bool cannot be written in text, inside <p>: it is for {{if}}": "<p>{{b}}</p>",
    "page.html:2: a price cannot be written in JSON": "<script type='application/json'>{{p}}</script>",
    "page.html:2: this is no JSON": "<script type='application/json'>{\"x\": {{t}}</script>",
    "page.html:3: this is no JSON": "<script type='application/json'>\n\"{{t}}\"</script>",
    "page.html:2: < in JSON is written": "<script type='application/json'>\"<\"</script>",
    "page.html:2: a template cannot stand in the attribute title": "<p title='{{include other a=t}}'></p>",
    "page.html:2: {{static}} is the whole of a src or href": "<a href='/x{{static \"s.css\"}}'>x</a>",
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(tmp_path, message):
    static = {"s.css": ""} if "s.css" in REFUSED[message] else None
    said = generate(tmp_path, {**OTHER, "page.html": VALUES + REFUSED[message]}, static)
    assert said and message in said, said
    assert re.match(r"page\.html:\d+: ", said)
    assert not (tmp_path / "out").exists()


def test_a_param_that_nobody_uses(tmp_path):
    assert generate(tmp_path, {"page.html": "{{params t text}}"}) == "page.html:1: the param t is never used"


def test_what_the_refusals_refuse_is_what_is_wrong(tmp_path):
    """The page that they are added to is good, and so is each with its fault put right."""
    right = ["{{t}}", "{{if b}}<p></p>{{end}}", "<p title='{{t}}'></p>", "<a href='{{u}}'>x</a>", "<a href='/t/{{id}}'>x</a>",
             "<a href='/t?q={{t}}'>x</a>", "<script type='application/json'>{\"x\": {{t}}}</script>", "<form action='/x'></form>",
             "{{include other a=t}}", "{{use frame}}x{{end}}", "<br/>", "<svg viewBox='0 0 1 1'><path d='M0 0'/></svg>",
             "{{for x in l}}{{x.x}}{{end}}", "<link rel='x' href='{{static \"s.css\"}}'>", "<input{{if b}} checked{{end}}>"]
    assert generate(tmp_path, {**OTHER, "page.html": VALUES + "".join(right)}, {"s.css": ""}) is None


# --- static files ---

STATIC_MAIN = """
#include <stdio.h>
#include "static.h"
int main(void) {
    for (size_t i = 0; i < static_count; i++) {
        const struct static_file *f = &static_files[i];
        if (static_find(f->path) != f || f->path.n != strlen(f->path.p)) return 1;
        printf("%s|%s|%.*s|", f->path.p, f->content_type, (int)f->etag.n, f->etag.p);
        for (size_t b = 0; b < f->bytes.n; b++) printf("%02x", (unsigned char)f->bytes.p[b]);
        printf("|");
        for (size_t b = 0; b < f->gzip.n; b++) printf("%02x", (unsigned char)f->gzip.p[b]);
        printf("\\n");
    }
    return static_find(STR("/static/app.css")) != NULL || static_find(STR("")) != NULL || static_find(STR("/static/zz")) != NULL;
}
"""


def test_static_files(tmp_path):
    files = {"app.css": b"p{color:red}" * 100, "b.js": b"1", "all.txt": bytes(range(256)) + b"\0071", "empty.js": b""}
    (tmp_path / "static").mkdir()
    for name, data in files.items():
        (tmp_path / "static" / name).write_bytes(data)
    arguments = [ROOT / "tools/staticgen.py", tmp_path / "static", tmp_path / "out"]
    subprocess.run([sys.executable, *arguments], check=True)
    (tmp_path / "main.c").write_text(STATIC_MAIN)
    subprocess.run(["gcc", *FLAGS, f"-I{ROOT}/common/base", f"-I{ROOT}/services/web", "-o", tmp_path / "main", tmp_path / "main.c",
                    tmp_path / "out/static_files.c", ROOT / "services/web/static.c"], check=True)
    out = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
    rows = [line.split("|") for line in out.splitlines()]
    paths = staticgen.files_of(tmp_path / "static")
    assert sorted(row[0] for row in rows) == [row[0] for row in rows] == sorted(paths.values())
    for name, data in files.items():
        path, kind, etag, plain_hex, gzip_hex = next(row for row in rows if row[0] == paths[name])
        assert re.fullmatch(rf"/static/{name.replace('.', r'[.][0-9a-f]{12}[.]')}", path)
        assert etag == f'"{path.split(".")[1]}"'
        assert kind.startswith("text/")
        assert bytes.fromhex(plain_hex) == data
        assert bool(gzip_hex) == (name == "app.css")
        assert not gzip_hex or gzip.decompress(bytes.fromhex(gzip_hex)) == data


def test_another_content_is_another_name(tmp_path):
    (tmp_path / "a.js").write_text("1")
    before = staticgen.files_of(tmp_path)
    (tmp_path / "a.js").write_text("2")
    assert staticgen.files_of(tmp_path) != before
    (tmp_path / "a.exe").write_text("")
    with pytest.raises(SystemExit, match=r"no content type is known for \.exe"):
        staticgen.files_of(tmp_path)


# --- texts in several languages ---

WORDS = {"en.txt": "# remark\n\nhome.title = Tom's & \"home\"\nhome.left = {n} of {all} left\n",
         "de.txt": "home.title = Zuhause\nhome.left = von {all} noch {n} <\n"}
SAYING = """{{params n int all int}}<p title="{{say home.left n=n all=all}}">{{say home.left all=all n=n}}</p>
{{include other a=text.home.title}}<p data-left="{{text.home.left}}"></p>"""
SPEAKER = r"""
#include <stdio.h>
#include "templates.h"
int main(void) {
    for (int i = 0; i < LANGUAGES; i++) {
        struct buf out = {0};
        language_use((enum language)i);
        page_render(&out, &(struct page_view){3, 7});
        struct str title = text_of(TEXT_HOME_TITLE);
        printf("%.*s|%.*s|%d\n", (int)out.len, (char *)out.data, (int)title.n, title.p, TEXTS_HOME_LAST);
        buf_free(&out);
    }
}
"""


def generate_texts(directory, texts, page=SAYING):
    (directory / "texts").mkdir()
    for name, text in texts.items():
        (directory / "texts" / name).write_text(text)
    return generate(directory, {"page.html": page, "other.html": "{{params a text}}<b>{{a}}</b>"}, texts=directory / "texts")


def test_texts(tmp_path):
    assert generate_texts(tmp_path, WORDS) is None
    said = subprocess.run([compiled(tmp_path, SPEAKER)], check=True, capture_output=True, text=True).stdout.splitlines()
    script = '<p data-left="%s"></p>'
    assert said == ['<p title="3 of 7 left">3 of 7 left</p>', f"<b>Tom&#39;s &amp; &#34;home&#34;</b>{script % '{n} of {all} left'}|Tom's & \"home\"|1",
                    '<p title="von 7 noch 3 &lt;">von 7 noch 3 &lt;</p>', f"<b>Zuhause</b>{script % 'von {all} noch {n} &lt;'}|Zuhause|1"]


@pytest.mark.parametrize("message, changes, page", [
    ("home.left is missing", {"de.txt": "home.title = x\n"}, SAYING),
    ("home.more is not in the first language", {"de.txt": WORDS["de.txt"] + "home.more = x\n"}, SAYING),
    ("home.left has {n}, but {all}, {n} in the first language", {"de.txt": "home.title = x\nhome.left = {n}\n"}, SAYING),
    ("en.txt:3: home.title is there twice", {"en.txt": "home.title = x\n\nhome.title = y\n"}, SAYING),
    ("en.txt:1: neither KEY = TEXT nor a remark", {"en.txt": "home = x\n"}, SAYING),
    ("en.txt:1: a brace that is no {name}", {"en.txt": "home.title = {x\n"}, SAYING),
    ("page.html:1: there is no text home.nothing", {}, "<p>{{text.home.nothing}}</p>"),
    ("page.html:1: home.left wants all, n", {}, "<p>{{text.home.left}}</p>"),
    ("page.html:1: home.left wants all, n", {}, "{{params n int}}<p>{{say home.left n=n}}</p>"),
    ("page.html:1: there is no x; there are n", {}, "{{params n int}}<p>{{say home.left n=n all=x}}</p>"),
    ("page.html:1: “Tickets” is in one language", {}, "<p>Onsale: Tickets</p>"),
    ("page.html:1: “Tickets” is in one language", {}, "<title>Tickets</title>"),
    ("page.html:1: “the” is in one language", {}, "<p title='the {{text.home.title}}'></p>"),
    ("page.html:2: “For” is in one language", {}, "\n<meta name='description' content='For you'>"),
    ("page.html:1: {{say KEY NAME=VALUE", {}, "{{params n int}}<p>{{say home.left n}}</p>")])
def test_texts_refused(tmp_path, message, changes, page):
    assert message in generate_texts(tmp_path, WORDS | changes, page)

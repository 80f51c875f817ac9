"""Where in a page a piece of text stands: what tools/templategen.py follows a template's HTML with.

`advance` takes a `Place` and the HTML that comes next, and gives the place behind it; `value_call` says by which function of
common/html/html.h a value of some kind is written there, or refuses. A place can be compared: the branches of a condition
have to end where they began, elements and all. What cannot be made safe has no place here: inline scripts and styles, on...
attributes, attributes without quotes, elements that bring other documents.
"""
import json
import re
import typing

VOID = {"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
FOREIGN = {"svg", "math"}  # may have elements that close themselves
REFUSED = {"style", "base", "object", "embed", "iframe", "frame", "frameset", "applet", "noembed", "noframes", "plaintext", "xmp",
           "listing", "animate", "animatemotion", "animatetransform", "set", "foreignobject", "math"}
REFUSED_ATTRIBUTES = {"style", "srcdoc", "srcset", "imagesrcset", "ping", "xlink:href", "xml:base"}
URLS = {"href", "src", "action", "formaction", "poster", "cite", "data", "background", "manifest"}
# Where a value is only text, whatever the element; data-* and aria-* too.
TEXTS = {"id", "class", "value", "name", "title", "alt", "for", "placeholder", "content", "lang", "datetime", "role", "min", "max",
         "step", "maxlength", "minlength", "autocomplete", "inputmode", "type", "width", "height", "label", "d", "x", "y", "viewbox"}
SAID = {"alt", "title", "placeholder", "label", "aria-label", "aria-description", "aria-roledescription", "aria-valuetext"}
TEXT, TAG, VALUE, VERBATIM, SCRIPT, JSON = "text", "tag", "value", "verbatim", "script", "json"


class Refused(Exception):
    pass


class Place(typing.NamedTuple):
    mode: str = TEXT
    open: tuple = ()  # of elements
    element: str = ""  # the tag or VALUE we are in
    attributes: tuple = ()  # of it, so far
    dynamic: tuple = ()  # those that have a value of a template
    attribute: str = ""
    quote: str = ""
    url: str = ""  # the text of the attribute so far, for URLs; of the script, for JSON
    json_type: bool = False  # of a script

    def dynamic_here(self):
        """Whether the attribute begins with a value."""
        return self.attribute in self.dynamic

    def words(self):
        return {TEXT: "in text", TAG: f"within <{self.element}>", VALUE: f"in the attribute {self.attribute}",
                VERBATIM: f"within <{self.element}>", SCRIPT: "within a script", JSON: "in JSON"}[self.mode] + (
                    f", inside {''.join(f'<{name}>' for name in self.open)}" if self.open else "")


def squeezed(space):
    return "\n" if "\n" in space else " "


class Cursor:
    """Over one piece of HTML: takes patterns off its front, keeps what is to be written."""

    def __init__(self, text, names):
        self.text, self.at, self.out, self.names = text, 0, [], names

    def check_words(self, text, pattern=r"[^\W\d_]{2,}"):
        """Words in a template are in one language."""
        words = [word for word in re.findall(pattern, re.sub(r"&\w+;", "", text)) if self.names is not None and word not in self.names]
        if words:
            raise Refused(f"“{words[0]}” is in one language: words are {{{{text.KEY}}}}")

    def take(self, pattern):
        found = re.compile(pattern, re.S).match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    @property
    def done(self):
        return self.at >= len(self.text)


def advance(place, text, names=None):
    """(The place behind text, text as it is to be written.) Refused carries where in text it was. With `names`, words that are
    the same in all languages, others are refused where people read or hear them."""
    cursor = Cursor(text, names)
    try:
        while not cursor.done:
            place = STEPS[place.mode](place, cursor)
    except Refused as reason:
        raise Refused(str(reason), text.count("\n", 0, cursor.at)) from None
    return place, "".join(cursor.out)


def in_text(place, cursor):
    if found := cursor.take(r"\s+"):
        if not (cursor.out and cursor.out[-1] == "\n"):
            cursor.out.append(squeezed(found[0]))
    elif found := cursor.take(r"[^<\s]+"):
        cursor.check_words(found[0])
        cursor.out.append(found[0])
    elif cursor.take(r"<!--.*?-->"):
        pass
    elif found := cursor.take(r"<!doctype html>\s*"):
        cursor.out.append(found[0].strip() + "\n")
    elif found := cursor.take(r"</([A-Za-z][\w-]*)>"):
        return closed(place, found, cursor)
    elif found := cursor.take(r"<([A-Za-z][\w-]*)(?=[\s/>]|$)"):
        name = found[1].lower()
        if name in REFUSED:
            raise Refused(f"<{name}> has no place in a page of ours")
        cursor.out.append(found[0])
        return place._replace(mode=TAG, element=name, attributes=(), dynamic=(), json_type=False)
    else:
        raise Refused("a < that begins no tag is written &lt;")
    return place


def closed(place, found, cursor):
    name = found[1].lower()
    if not place.open or place.open[-1] != name:
        raise Refused(f"</{name}> closes " + (f"<{place.open[-1]}>" if place.open else "nothing"))
    cursor.out.append(found[0])
    return place._replace(mode=TEXT, open=place.open[:-1])


def in_tag(place, cursor):
    if found := cursor.take(r"\s+"):
        cursor.out.append(" ")
    elif found := cursor.take(r"/?>"):
        if cursor.out and cursor.out[-1] == " ":
            cursor.out.pop()
        cursor.out.append(found[0])
        return opened(place, found[0] == "/>")
    elif not (cursor.out and cursor.out[-1] == " "):
        raise Refused(f"an attribute of <{place.element}> begins with a space")
    elif found := cursor.take(r"([^\s\"'<>/={}]+)\s*=\s*([\"'])"):
        cursor.out.append(f"{found[1]}={found[2]}")
        return with_attribute(place, found[1])._replace(mode=VALUE, attribute=found[1].lower(), quote=found[2], url="")
    elif found := cursor.take(r"([^\s\"'<>/={}]+)\s*=\s*"):
        raise Refused(f"the value of {found[1]} needs quotes")
    elif found := cursor.take(r"[^\s\"'<>/={}]+"):
        cursor.out.append(found[0])
        return with_attribute(place, found[0])
    else:
        raise Refused(f"<{place.element}> is malformed")
    return place


def with_attribute(place, written):
    name = written.lower()
    if name.startswith("on") or name in REFUSED_ATTRIBUTES:
        raise Refused(f"the attribute {name} has no place in a page of ours")
    if name in place.attributes:
        raise Refused(f"the attribute {name} is there twice")
    return place._replace(attributes=(*place.attributes, name))


def opened(place, closes_itself):
    """The tag is complete."""
    name = place.element
    if name == "meta" and "http-equiv" in place.attributes and place.dynamic:
        raise Refused("a <meta http-equiv> takes no value of a template")
    if closes_itself and not (name in VOID or FOREIGN & {*place.open, name}):
        raise Refused(f"<{name}/> does not close itself")
    if closes_itself or name in VOID:
        return place._replace(mode=TEXT, element="")
    if name == "script":
        if "src" not in place.attributes and not place.json_type:
            raise Refused('no inline scripts: <script src="…"> or <script type="application/json">')
        if "src" in place.attributes and place.json_type:
            raise Refused("a script has a src or JSON, not both")
        mode = JSON if place.json_type else SCRIPT
    else:
        mode = VERBATIM if name in ("title", "textarea") and not FOREIGN & set(place.open) else TEXT
    return place._replace(mode=mode, open=(*place.open, name), element=name if mode != TEXT else "")


def in_value(place, cursor):
    if found := cursor.take(rf"[^{place.quote}]+"):
        cursor.out.append(found[0])
        if place.attribute in SAID:
            cursor.check_words(found[0])
        if (place.element, place.attribute) == ("meta", "content"):
            cursor.check_words(found[0], "[A-Z][a-z]+")  # others are settings
        if place.attribute not in URLS and place.element != "script":
            return place
        url = place.url + found[0]
        if place.attribute in URLS and not re.match(r"/(?!/)|[?#]|https://", url) and not place.dynamic_here():
            raise Refused(f"a URL in {place.attribute} begins with /, ?, # or https://")
        return place._replace(url=url)
    cursor.take(place.quote)
    cursor.out.append(place.quote)
    if place.element == "script" and place.attribute == "type":
        if place.url not in ("application/json", "module"):
            raise Refused(f"a script of the type {place.url}")
        place = place._replace(json_type=place.url == "application/json")
    return place._replace(mode=TAG, attribute="", quote="", url="")


def in_verbatim(place, cursor):
    if found := cursor.take(rf"</({place.element})>"):
        return closed(place, found, cursor)._replace(element="")
    if cursor.take("<"):
        raise Refused(f"< within <{place.element}> is written &lt;")
    cursor.out.append(cursor.take(r"[^<]+")[0])
    cursor.check_words(cursor.out[-1])
    return place


def in_script(place, cursor):
    if found := cursor.take(r"</(script)>"):
        if place.mode == JSON:
            check_json(place.url)
        return closed(place, found, cursor)._replace(element="", url="", json_type=False)
    if place.mode == SCRIPT or cursor.take("<"):
        raise Refused("no inline scripts" if place.mode == SCRIPT else r"< in JSON is written \u003c")
    cursor.out.append(re.sub(r"\s+", " ", cursor.take(r"[^<]+")[0]))
    return place._replace(url=place.url + cursor.out[-1])


def check_json(text):
    """With something in the place of each value."""
    try:
        json.loads(text)
    except ValueError as error:
        raise Refused(f"this is no JSON: {error} (values bring their own quotes)") from None


STEPS = {TEXT: in_text, TAG: in_tag, VALUE: in_value, VERBATIM: in_verbatim, SCRIPT: in_script, JSON: in_script}

def joined(places):
    """Where the ways that end at these places go on, or None: they are different places."""
    same = {place._replace(attributes=(), dynamic=()) for place in places}
    if len(same) > 1:
        return None
    return same.pop()._replace(attributes=tuple(dict.fromkeys(name for place in places for name in place.attributes)),
                               dynamic=tuple(dict.fromkeys(name for place in places for name in place.dynamic)))


# --- values ---

KINDS = {  # kind: (function for text, for JSON, for a URL's query)
    "text": ("html_text", "html_json", "percent_encode"),
    "url": ("html_text", "html_json", "percent_encode"),
    "link": ("html_text", None, None),
    "int": ("html_int", "html_int", "html_int"),
    "uuid": ("html_uuid", '"html_uuid', "html_uuid"),
    "enum": ("html_text", '"html_text', "html_text"),
    "bool": (None, "html_bool", None),
    "price": ("html_price", None, None),
    "time": ("html_time", '"html_iso', None),
    "amount": ("html_amount", "html_amount", None),
    "currency": ("html_currency", '"html_currency', None),
    "iso": ("html_iso", '"html_iso', None),
}
IN_PATHS = ("int", "uuid", "enum")  # what cannot be ".."


def value_call(place, kind):
    """(The function's name, the place behind.) A " before the name: it is to be put in quotes."""
    if kind not in KINDS:
        raise Refused(f"a {kind} cannot be written")
    text, in_json, query = KINDS[kind]
    call, after = None, place
    if place.mode in (TEXT, VERBATIM):
        call = text
    elif place.mode == JSON:
        call = in_json
        after = place._replace(url=place.url + ('"value"' if call and (call[0] == '"' or call == "html_json") else "0"))
    elif place.mode == VALUE:
        after = place._replace(dynamic=(*place.dynamic, place.attribute))
        call = text if place.attribute not in URLS else url_call(place, kind, query)
        if place.attribute not in URLS and not is_plain(place):
            raise Refused(f"{place.attribute} of <{place.element}> takes no value of a template")
    else:
        raise Refused(f"a value cannot stand {place.words()}: only in text and in quotes")
    if call is None:
        raise Refused(f"a {kind} cannot be written {place.words()}" + (": it is for {{if}}" if kind == "bool" else ""))
    return call, after


def is_plain(place):
    if place.element == "script" or (place.element == "link" and place.attribute in ("rel", "type")):
        return False
    return place.attribute in TEXTS or place.attribute.startswith(("data-", "aria-"))


def url_call(place, kind, query):
    a_picture = place.element == "img" and kind == "url" and not place.url and not place.dynamic_here()
    if place.element in ("script", "link", "img") and not a_picture:
        raise Refused(f"what <{place.element}> loads is {{{{static}}}}")
    if not place.url and not place.dynamic_here():
        if kind == "link" and place.element == "a":
            return "html_link"
        if kind != "url":
            raise Refused(f"a URL that is a value is of the type url, not {kind}")
        return "html_url"
    if "?" in place.url or "#" in place.url:
        return query
    if kind not in IN_PATHS or (place.dynamic_here() and not place.url):
        raise Refused(f"a {kind} in the path of a URL could lead elsewhere: it belongs behind a ?")
    return query


def static_place(place):
    """Behind {{static}}, which is a whole attribute."""
    if place.mode != VALUE or place.attribute not in URLS or place.url or place.dynamic_here():
        raise Refused("{{static}} is the whole of a src or href")
    return place._replace(url="/static")

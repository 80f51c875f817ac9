"""Where the letters of a development stack go: an SMTP server that keeps them, and a page to read them.

    mailbox.py SMTP_PORT PAGE_PORT [PEM USER PASSWORD]

GET / lists the letters, GET /letters?to=ADDRESS tells them as JSON, newest last, DELETE /letters forgets them. PUT /faults makes it fail, until
the next PUT: {"rcpt": "450 …"} and {"data": "550 …"} are what it answers, {"silent": true} keeps a letter and says nothing. With a
PEM file (a key and its certificate) it takes letters by STARTTLS alone, of who knows user and password. By aiosmtpd, of Debian.
"""
import asyncio
import email
import email.policy
import html
import http.server
import json
import re
import ssl
import sys
import threading
import urllib.parse

import aiosmtpd.controller
import aiosmtpd.smtp

KEPT = 1000
HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body{{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}}
pre{{white-space:pre-wrap}}td{{padding:.2rem 1rem .2rem 0}}iframe{{width:100%;height:20rem;border:1px solid}}</style></head><body><h1>{title}</h1>"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'"


class Mailbox:
    def __init__(self):
        self.lock = threading.Lock()
        self.letters, self.count, self.faults = [], 0, {}

    def add(self, letter):
        with self.lock:
            self.count += 1
            self.letters = [*self.letters[1 - KEPT:], {"number": self.count, **letter}]

    def of(self, address=None):
        with self.lock:
            return [letter for letter in self.letters if address in (None, letter["to"])]

    # --- what aiosmtpd asks ---

    async def handle_RCPT(self, server, session, envelope, address, options):
        if "rcpt" in self.faults:
            return self.faults["rcpt"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if "data" in self.faults:
            return self.faults["data"]
        for address in envelope.rcpt_tos:
            self.add(read(envelope.mail_from, address, envelope.content))
        while self.faults.get("silent"):
            await asyncio.sleep(0.05)
        return "250 OK"


def read(sender, to, content):
    message = email.message_from_bytes(content, policy=email.policy.default)
    parts = {kind: part.get_content() for kind in ("plain", "html") if (part := message.get_body((kind,)))}
    return {"from": sender, "to": to, "subject": message["Subject"], "messageId": message["Message-ID"], "text": parts.get("plain", ""),
            "html": parts.get("html", ""), "links": re.findall(r"https?://\S+", parts.get("plain", "")), "source": content.decode("ascii", "replace")}


class Page(http.server.BaseHTTPRequestHandler):
    mailbox = None

    def answer(self, kind, text, status=200):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/":
            self.answer("text/html", listed(self.mailbox.of()))
        elif url.path == "/letters":
            self.answer("application/json", json.dumps(self.mailbox.of(dict(urllib.parse.parse_qsl(url.query)).get("to"))))
        elif letters := [letter for letter in self.mailbox.of() if url.path == f"/letters/{letter['number']}"]:
            self.answer("text/html", shown(letters[0]))
        else:
            self.answer("text/plain", "There is no such letter.", 404)

    def do_DELETE(self):
        with self.mailbox.lock:
            self.mailbox.letters = []
        self.answer("application/json", "{}")

    def do_PUT(self):
        self.mailbox.faults = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer("application/json", json.dumps(self.mailbox.faults))

    def log_message(self, *_):
        pass


def listed(letters):
    rows = "".join(f'<tr><td>{html.escape(letter["to"])}</td><td><a href="/letters/{letter["number"]}">{html.escape(letter["subject"] or "-")}</a></td></tr>'
                   for letter in reversed(letters))
    return f"{HEAD.format(title='Letters')}<table>{rows}</table>{'' if rows else '<p>None yet.</p>'}"


def shown(letter):
    text = re.sub(r"https?://[^\s&]+", lambda url: f'<a href="{url[0]}">{url[0]}</a>', html.escape(letter["text"]))
    return f"""{HEAD.format(title=html.escape(letter["subject"] or "-"))}<p>To {html.escape(letter["to"])}, from {html.escape(letter["from"])}</p>
<pre>{text}</pre><iframe title="As HTML" sandbox srcdoc="{html.escape(letter["html"])}"></iframe><p><a href="/">All letters</a></p>"""


def guarded(pem, user, password):
    """What aiosmtpd is to ask for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)

    def check(server, session, envelope, mechanism, data):
        return aiosmtpd.smtp.AuthResult(success=(data.login, data.password) == (user.encode(), password.encode()), handled=False)
    return {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": check}


def main():
    smtp_port, page_port = map(int, sys.argv[1:3])
    Page.mailbox = Mailbox()
    asks = guarded(*sys.argv[3:]) if sys.argv[3:] else {}
    aiosmtpd.controller.Controller(Page.mailbox, hostname="127.0.0.1", port=smtp_port, **asks).start()
    http.server.ThreadingHTTPServer(("127.0.0.1", page_port), Page).serve_forever()


if __name__ == "__main__":
    main()

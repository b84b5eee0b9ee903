"""Receives the messages of the API (README.md, "Passwords and addresses") and prints them. Needs Python 3.9, no packages.

    MAIL_WEBHOOK_SECRET=whsec_... python3 receiver.py    # at http://127.0.0.1:9000/, or the port that PORT names
"""

import base64, hashlib, hmac, json, os, re, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ.get("MAIL_WEBHOOK_SECRET", "")
if not re.fullmatch(r"whsec_([A-Za-z0-9+/]{4}){8,}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", SECRET):
    sys.exit("MAIL_WEBHOOK_SECRET must be the value that the API has, whsec_ and the Base64 of 24 bytes or more")
KEY = base64.b64decode(SECRET[len("whsec_"):])
BODY_BYTES_MAX = 64 * 1024
TOLERANCE_SECONDS = 5 * 60  # limits how long a recorded request can be sent again
seen = set()  # the ids of messages that were sent; an app keeps them in its database for a day


def send(message):
    """Here an app calls its mail provider. If that fails, raise: the API gets no 204, and the message comes again."""
    print(json.dumps(message), flush=True)


def is_signed(headers, body):
    """Checks the signature (Standard Webhooks, "Verifying webhook authenticity")."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    message_id, timestamp, signatures = (headers.get(name, "").encode("latin-1", "replace") for name in names)
    if not re.fullmatch(rb"[0-9]{1,12}", timestamp) or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    digest = hmac.new(KEY, b"%s.%s.%s" % (message_id, timestamp, body), hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    # While a secret is replaced, there is one signature for each. The comparison takes the same time for all values.
    return any([hmac.compare_digest(expected, signature) for signature in signatures.split(b" ")])


class Receiver(BaseHTTPRequestHandler):
    timeout = 10  # seconds that a client may be silent

    def do_POST(self):
        try:
            self.send_response(self.receive())
            self.end_headers()
        except ConnectionError:
            self.close_connection = True  # the client has gone

    def receive(self):
        length = self.headers.get("content-length", "")
        if not re.fullmatch("[0-9]{1,12}", length, re.ASCII):
            return 411
        if int(length) > BODY_BYTES_MAX:
            return 413
        body = self.rfile.read(int(length))
        if not is_signed(self.headers, body):
            return 401
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            return 400
        # A message may come twice, for example because the 204 was lost.
        if self.headers["webhook-id"] not in seen:
            send(message)
            seen.add(self.headers["webhook-id"])
        return 204


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Receiver)
    print(f"Listening on http://127.0.0.1:{server.server_port}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass

"""The negative control: a proxy in front of the server that breaks one promise of the document at a time."""

import http.client
import http.server
import json
import threading

# What is done to replies, and the name by which Schemathesis reports it.


def other_status(reply):
    if reply["path"] == "/healthcheck" and reply["status"] == 200:
        reply["status"] = 206


def lost_field(reply):
    if reply["path"] == "/healthcheck" and reply["status"] == 200 and reply["body"]:
        body = json.loads(reply["body"])
        del body["series_trained"]
        reply["body"] = json.dumps(body).encode()


def other_media_type(reply):
    if reply["path"] == "/healthcheck":
        reply["headers"]["Content-Type"] = "text/plain"


def lost_header(reply):
    if reply["path"] == "/healthcheck":
        reply["headers"].pop("X-Request-ID", None)


def server_error(reply):
    if reply["path"].startswith("/detect"):
        reply["status"] = 500


def accepts_anything(reply):
    if reply["path"].startswith("/problems/") and reply["status"] == 404:
        reply["status"] = 200
        reply["headers"]["Content-Type"] = "text/plain"


def refuses_what_is_valid(reply):
    if reply["path"].startswith("/detect") and reply["status"] == 200:
        problem = {"type": "/problems/malformed_json", "title": "", "status": 422, "detail": "", "errors": []}
        reply["status"] = 422
        reply["headers"]["Content-Type"] = "application/problem+json"
        reply["body"] = json.dumps({**problem, "code": "malformed_json", "request_id": "1"}).encode()


FAULTS = {
    other_status: ("GET /healthcheck", "Undocumented status code"),
    lost_field: ("GET /healthcheck", "Response violates schema"),
    other_media_type: ("GET /healthcheck", "Undocumented Content-Type"),
    lost_header: ("GET /healthcheck", "Missing required response headers"),
    server_error: ("POST /detect", "Server error"),
    refuses_what_is_valid: ("POST /detect", "a valid request was refused with 422 malformed_json"),
    accepts_anything: ("GET /problems/{code}", "Schema-violating request accepted"),
}


class Proxy(http.server.ThreadingHTTPServer):
    """Passes requests on, and does `fault` to the replies."""

    def __init__(self, upstream, fault):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = upstream.removeprefix("http://")
        self.fault = fault


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        length = int(self.headers.get("Content-Length") or 0)
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        upstream.request(self.command, self.path, self.rfile.read(length), dict(self.headers))
        answer = upstream.getresponse()
        skipped = {"content-length", "transfer-encoding", "connection", "date"}
        names = {"x-request-id": "X-Request-ID", "content-type": "Content-Type"}
        headers = {
            names.get(name.lower(), name): value
            for name, value in answer.getheaders()
            if name.lower() not in skipped
        }
        reply = {"path": self.path, "status": answer.status, "headers": headers, "body": answer.read()}
        upstream.close()
        self.server.fault(reply)
        self.send_response_only(reply["status"])
        for name, value in reply["headers"].items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply["body"])))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply["body"])

    def __getattr__(self, name):
        """Every method is passed on, whatever its name."""
        if name.startswith("do_"):
            return self.pass_on
        raise AttributeError(name)

    def log_message(self, *_):
        pass


def all_are_noticed(address, run):
    """Runs through a proxy for each fault, and through one without; 0 if each was noticed, and nothing else."""
    missed = 0
    for fault, (operation, report) in [(None, (None, None)), *FAULTS.items()]:
        proxy = Proxy(address, fault or (lambda reply: None))
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        operations = [operation] if operation else sorted({of for of, _ in FAULTS.values()})
        chosen = [part for name in operations for part in ("--include-name", name)]
        done = run(f"http://127.0.0.1:{proxy.server_address[1]}", "--phases", "examples,coverage,fuzzing", *chosen)
        proxy.shutdown()
        proxy.server_close()
        noticed = done.returncode == 1 and report in done.stdout if fault else done.returncode == 0
        name = fault.__name__ if fault else "no fault"
        print(f"control: {name}: {'as it should be' if noticed else 'NOT as it should be'}", flush=True)
        if not noticed:
            print(done.stdout)
        missed += not noticed
    return 1 if missed else 0

#!/usr/bin/env python3
"""Runs Schemathesis against a server of its own, with all checks and phases.

    tests/schemathesis/run.py --server target/debug/tidemark [--seed 1] [--max-examples 1000] [--control]

Makes a virtual environment with the versions of requirements.txt in a temporary folder (or in --venv, which is kept), starts
the server on a free port over a temporary folder and stops it in the end. Ends with 0 if there was no failure, 1 if there
was one, and 3 if Schemathesis could not be installed.

With --control the same run is made through a proxy that breaks one promise of the document at a time, and each of them
has to make it fail.
"""

import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv

import control

HERE = pathlib.Path(__file__).resolve().parent
NOT_INSTALLED = 3


def install(folder):
    """The `schemathesis` program of a virtual environment in `folder`, or None."""
    program = folder / "bin" / "schemathesis"
    if program.exists():
        return program
    try:
        venv.create(folder, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no virtual environment can be made: {error}", file=sys.stderr)
        return None
    pip = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "--requirement", HERE / "requirements.txt"])
    return program if done.returncode == 0 else None


def start(server, folder):
    """The process of a server on a free port, and its address."""
    flags = ["--addr", "127.0.0.1:0", "--data-dir", folder / "data", "--drain-delay", "0s"]
    log = open(folder / "server.log", "wb")
    process = subprocess.Popen([server, "serve", *flags], stdout=log, stderr=subprocess.STDOUT)
    for _ in range(600):
        told = (folder / "server.log").read_text(errors="replace")
        found = re.search(r"http://(127\.0\.0\.1:[1-9]\d*)", told)
        if found and answers(f"http://{found[1]}/health/ready"):
            return process, f"http://{found[1]}"
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    sys.exit(f"the server does not start:\n{told}")


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


def send_examples(address):
    """What the examples speak of: a series with a version, an alias and an online state."""
    document = json.load(urllib.request.urlopen(f"{address}/openapi.json", timeout=5))
    for path in ["/fit/{series_id}", "/update/{series_id}"]:
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        for example in body["examples"].values():
            request = urllib.request.Request(
                address + path.replace("{series_id}", "checkout-latency"),
                json.dumps(example["value"]).encode(),
                {"Content-Type": "application/json"},
            )
            urllib.request.urlopen(request, timeout=30)


def schemathesis(program, address, options, folder, extra=()):
    """Whether the run found nothing, and what it said."""
    report = folder / "report.xml"
    command = [
        program,
        *("--config-file", HERE / "schemathesis.toml"),
        *("run", f"{address}/openapi.json", "--url", address, "--no-color"),
        *("--seed", str(options.seed), "--max-examples", str(options.max_examples)),
        *("--report-junit-path", report),
        *extra,
    ]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "hooks"}
    return subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--server", type=pathlib.Path, required=True, help="the program `tidemark`")
    options.add_argument("--seed", type=int, default=random.randrange(2**32), help="repeats a run")
    options.add_argument("--max-examples", type=int, default=20, help="cases of an operation and a phase")
    options.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    options.add_argument("--control", action="store_true", help="break promises, and see that it is noticed")
    options.add_argument("--venv", type=pathlib.Path, help="where to keep what is installed")
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        program = install(options.venv.resolve() if options.venv else folder / "venv")
        if program is None:
            print("schemathesis: cannot be installed on this machine, so nothing was checked", file=sys.stderr)
            return NOT_INSTALLED
        process, address = start(options.server.resolve(), folder)
        try:
            send_examples(address)
            run = lambda address, *extra: schemathesis(program, address, options, folder, extra)
            print(f"schemathesis: seed {options.seed}", flush=True)
            if options.control:
                return control.all_are_noticed(address, run)
            done = run(address, "--phases", options.phases)
            print(done.stdout)
            alive = process.poll() is None and answers(f"{address}/health/ready")
            panics = (folder / "server.log").read_text(errors="replace").count("panicked at")
            print(f"schemathesis: exit {done.returncode}; the server is {'there' if alive else 'GONE'}, {panics} panics")
            return 0 if done.returncode == 0 and alive and panics == 0 else 1
        finally:
            process.terminate()
            process.wait(timeout=30)


if __name__ == "__main__":
    sys.exit(main())

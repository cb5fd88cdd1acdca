#!/usr/bin/env python3
"""Writes tests/vectors/signatures.json, or checks it with --check.

Made apart from the Rust code: every signature is computed by Python's hmac and again by the
openssl program, and the file is written only where the two agree. The cases come from a fixed seed.
"""

import hashlib
import hmac
import json
import pathlib
import random
import subprocess
import sys
import urllib.parse

FILE = pathlib.Path(__file__).with_name("signatures.json")
CASES = 50
SEED = 20261125


def by_python(secret: bytes, text: bytes) -> str:
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


def by_openssl(secret: bytes, text: bytes) -> str:
    command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{secret.hex()}"]
    output = subprocess.run(command, input=text, capture_output=True, check=True).stdout
    return output.decode().rsplit(" ", 1)[1].strip()


def sha256_by_openssl(data: bytes) -> str:
    output = subprocess.run(["openssl", "dgst", "-sha256"], input=data, capture_output=True, check=True)
    return output.stdout.decode().rsplit(" ", 1)[1].strip()


def agreed(secret: str, text: str) -> str:
    one, other = (sign(secret.encode(), text.encode()) for sign in (by_python, by_openssl))
    if one != other:
        raise SystemExit(f"Python and openssl disagree on {text!r}: {one} and {other}")
    return one


def signed_host(host: str) -> str:
    for port in (":443", ":80"):
        if host.endswith(port):
            return host[: -len(port)]
    return host


def sign(case: dict) -> dict:
    first = "{api_key}:{timestamp}:{method}:{path}".format(**case)
    body = case["body"].encode()
    digest = hashlib.sha256(body).hexdigest()
    if digest != sha256_by_openssl(body):
        raise SystemExit(f"Python and openssl disagree on the digest of {case['body']!r}")
    lines = [
        "v2",
        case["api_key"],
        case["timestamp"],
        case["nonce"],
        case["method"],
        signed_host(case["host"]),
        case["path"],
        "&".join(sorted(case["query"].split("&"))),
        digest,
    ]
    return {
        **case,
        "first_form": agreed(case["secret"], first),
        "second_form": agreed(case["secret"], "\n".join(lines)),
    }


def cases() -> list[dict]:
    chance = random.Random(SEED)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    words = ["greeting", "a/b", "größe", "name with spaces", "日本語", "a~b_c-d.e", "50%", "x&y=z", "+"]

    def text(length: int) -> str:
        return "".join(chance.choice(letters) for _ in range(length))

    def quoted(word: str) -> str:
        return urllib.parse.quote(word, safe="")

    made = []
    for number in range(CASES):
        parameters = [
            f"{name}={quoted(chance.choice(words))}"
            for name in chance.sample(["version", "project_id", "tags", "a", "A", "tags"], number % 5)
        ]
        method = ["GET", "POST", "PUT", "DELETE"][number % 4]
        content = json.dumps({"content": chance.choice(words) * (1 + number)}, ensure_ascii=False)
        second = f"{number % 60:02}"
        made.append(
            {
                "secret": text([1, 16, 32, 64, 65, 200][number % 6]),
                "api_key": "po_" + text(24),
                "timestamp": f"2026-11-25T12:00:{second}" + (".123456Z" if number % 2 else "Z"),
                "nonce": f"{chance.getrandbits(128):032x}",
                "method": method,
                "host": ["api.promptops.com", "127.0.0.1:8080", "[::1]:8080", "h:443", "h:80", "h:8443"][
                    number % 6
                ],
                "path": f"/v1/client/prompts/{quoted(chance.choice(words))}",
                "query": "&".join(parameters),
                "body": "" if method in ("GET", "DELETE") else content,
            }
        )
    return made


def main() -> None:
    document = {
        "about": "Signed requests. Made by signatures.py with Python's hmac and openssl, which agree.",
        "cases": [sign(case) for case in cases()],
    }
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{FILE} is not what Python and openssl compute; run {sys.argv[0]}")
        print(f"{CASES} signed requests: Python's hmac and openssl agree with {FILE.name}")
    else:
        FILE.write_text(text, encoding="utf-8")


main()

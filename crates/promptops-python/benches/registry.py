"""A registry that answers as both contracts say, as fast as asyncio can: for all who are measured.

`registry.py [SENTENCES]`: how many are in its prompt. Prints its port. `GET /count` gives how many requests for prompts have come, `GET /fail` makes it
answer 500 from then on.
"""

import asyncio
import json
import sys

SENTENCES = int(sys.argv[1]) if len(sys.argv) > 1 else 8
CONTENT = "Dear {{customer}},\n" + "thank you for your order {{order}} of {{date}}. " * SENTENCES + "{{sender}} {{team}}"
OURS = json.dumps(
    {
        "success": True,
        "data": {
            "id": "0199e0a3-5b7c-4c3e-9d2f-1c2b3a4d5e6f",
            "slug": "greeting",
            "name": "greeting",
            "content": CONTENT,
            "version": "1.0.0",
            "variables": ["customer", "order", "date", "sender", "team"],
            "created_at": "2026-11-25T12:00:00Z",
            "updated_at": "2026-11-25T12:00:00Z",
        },
        "metadata": {"request_id": "r"},
    }
).encode()
LANGFUSE = json.dumps(
    {
        "id": "p",
        "type": "text",
        "name": "greeting",
        "version": 1,
        "prompt": CONTENT,
        "config": {},
        "labels": ["production"],
        "tags": [],
        "isActive": True,
        "createdAt": "2026-11-25T12:00:00Z",
        "updatedAt": "2026-11-25T12:00:00Z",
        "projectId": "x",
        "createdBy": "API",
        "commitMessage": None,
        "resolutionGraph": None,
    }
).encode()
STATE = {"count": 0, "fails": False}


def answer(status, body):
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Protocol(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.held = transport, b""

    def data_received(self, data):
        self.held += data
        while b"\r\n\r\n" in self.held:
            head, self.held = self.held.split(b"\r\n\r\n", 1)
            lower = head.lower()
            if b"content-length: " in lower:
                length = int(lower.split(b"content-length: ")[1].split(b"\r\n")[0])
                self.held = self.held[length:]
            path = head.split(b" ")[1]
            if path == b"/count":
                self.transport.write(answer("200 OK", str(STATE["count"]).encode()))
                STATE["count"] = 0
            elif path == b"/fail":
                STATE["fails"] = not STATE["fails"]
                self.transport.write(answer("200 OK", b"ok"))
            elif b"/prompts/" in path:
                STATE["count"] += 1
                if STATE["fails"]:
                    self.transport.write(answer("500 Internal Server Error", b"{}"))
                else:
                    ours = path.startswith(b"/v1/client")
                    self.transport.write(answer("200 OK", OURS if ours else LANGFUSE))
            else:
                self.transport.write(answer("200 OK", b'{"success": true, "data": {"accepted": 1}}'))


async def main():
    server = await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())

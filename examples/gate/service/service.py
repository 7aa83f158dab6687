#!/usr/bin/env python3
"""A small service: prices an order. It prints the port that it serves on, and ends when its standard input closes."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

STEPS = 1500


def price(order: dict) -> float:
    """The price of an order with its discount, step by step."""
    total = 0.0
    for step in range(STEPS):
        total += order["quantity"] * order["unit_price"] * (1.0 - 0.1 * step / STEPS)
    return total / STEPS


class Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"price": price(order)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    server = HTTPServer(("127.0.0.1", 0), Orders)
    print(server.server_port, flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()

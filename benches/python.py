#!/usr/bin/env python3
"""The Python package against the built-in socket module, in one run, A B A B ...: requests per
second of a ping-pong over TCP, and datagrams per second of a batch against sendto in a loop."""

import os
import pathlib
import socket
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))

import sk  # noqa: E402
from common import table, verdict  # noqa: E402

ROUNDS = 7
EXCHANGES = 5_000
DATAGRAMS = 100_000
PING_PONG_LIMIT = 0.5
BATCH_LIMIT = 5.0


def standard_pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        a = socket.create_connection(listener.getsockname())
        b, _ = listener.accept()
    for each in (a, b):
        # As libsk has it from the start.
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return a, b


def sk_pair():
    with sk.serve("tcp://127.0.0.1:0") as listener:
        a = sk.Socket()
        a.connect(listener.getsockname())
        b, _ = listener.accept()
    return a, b


def ping_pong(pair):
    """Exchanges of 64 bytes per second with an echo in another process."""
    a, b = pair()
    child = os.fork()
    if child == 0:
        a.close()
        while data := b.recv(64):
            b.sendall(data)
        os._exit(0)
    b.close()
    message = bytes(64)
    begin = time.perf_counter()
    for _ in range(EXCHANGES):
        a.sendall(message)
        a.recv(64)
    took = time.perf_counter() - begin
    a.close()
    os.waitpid(child, 0)
    return EXCHANGES / took


def standard_datagrams(size):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM
    ) as sender:
        receiver.bind(("127.0.0.1", 0))
        to = receiver.getsockname()
        message = bytes(size)
        begin = time.perf_counter()
        for _ in range(DATAGRAMS):
            sender.sendto(message, to)
        return DATAGRAMS / (time.perf_counter() - begin)


def sk_datagrams(size):
    """Batches whose entries the system cuts into datagrams of that size."""
    each = min(64, 60_000 // size)
    with sk.serve("udp://127.0.0.1:0") as receiver:
        with sk.dial(f"udp://127.0.0.1:{receiver.getsockname()[1]}") as sender:
            receiver.set(sk.SK_OPT_UDP_GRO, 1)
            batch = sk.Datagrams(16, each * size)
            for at in range(len(batch)):
                batch.put(at, bytes(each * size), segment=size)
            sent = 0
            begin = time.perf_counter()
            while sent < DATAGRAMS:
                sent += sender.send_batch(batch) * each
            return sent / (time.perf_counter() - begin)


def compare(name, standard, ours, limit, rows, missed):
    standard(), ours()
    pairs = [(standard(), ours()) for _ in range(ROUNDS)]
    ratio = statistics.median(mine / theirs for theirs, mine in pairs)
    rows.append(
        [name, round(statistics.median(a for a, _ in pairs)), round(statistics.median(b for _, b in pairs))]
        + [f"{ratio:.2f}", f"{limit:.2f}"]
    )
    if ratio < limit:
        missed.append(f"{name}: {ratio:.2f} of the built-in module")


def main():
    rows, missed = [["a second", "socket", "sk", "ratio", "at least"]], []
    compare("exchanges", lambda: ping_pong(standard_pair), lambda: ping_pong(sk_pair), PING_PONG_LIMIT, rows, missed)
    for size in (64, 1200):
        compare(
            f"datagrams, {size} B",
            lambda size=size: standard_datagrams(size),
            lambda size=size: sk_datagrams(size),
            BATCH_LIMIT,
            rows,
            missed,
        )
    table(rows)
    verdict("bench-python", missed)


main()

"""The package, against a libsk that SK_LIBRARY names."""

import array
import contextlib
import copy
import ctypes
import errno
import gc
import http.client
import http.server
import io
import os
import pathlib
import pickle
import re
import resource
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import weakref

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import sk  # noqa: E402
from sk import _api, _poller as poller_module  # noqa: E402

PYTHON = pathlib.Path(__file__).resolve().parent.parent


def tcp_pair():
    with sk.serve("tcp://127.0.0.1:0") as listener:
        client = sk.Socket()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
    for each in (client, server):
        each.settimeout(10)
    return client, server


class Case(unittest.TestCase):
    def setUp(self):
        self.before = sk.open_count()
        self.stack = contextlib.ExitStack()

    def tearDown(self):
        self.stack.close()
        self.assertEqual(sk.open_count(), self.before, "handles left open")

    def pair(self):
        return [self.stack.enter_context(each) for each in tcp_pair()]


class Interface(unittest.TestCase):
    def test_it_is_what_the_header_says(self):
        subprocess.run([sys.executable, PYTHON / "generate.py", "--check"], check=True)

    def test_structs_have_the_sizes_of_c(self):
        # As the C compiler lays them out on a machine with 64-bit pointers.
        if ctypes.sizeof(ctypes.c_void_p) == 8:
            sizes = {"Addr": 140, "Buf": 16, "Dgram": 184, "PollItem": 16, "Event": 24, "Cred": 12, "Config": 32}
            for name, size in sizes.items():
                self.assertEqual(ctypes.sizeof(getattr(_api, name)), size, name)

    def test_every_function_is_declared(self):
        header = (PYTHON.parent / "include" / "sk.h").read_text()
        code = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
        self.assertEqual(_api.FUNCTIONS, len(set(re.findall(r"\b(sk_\w+)\(", code))))


class Streams(Case):
    def test_bytes_go_and_come(self):
        a, b = self.pair()
        self.assertEqual(a.send(b"one"), 3)
        self.assertEqual(b.recv(10), b"one")
        a.sendall(bytearray(b"two"))
        self.assertEqual(b.recv(10, socket.MSG_PEEK), b"two")
        a.sendall(memoryview(b"more"))
        self.assertEqual(b.recvall(7), b"twomore")
        room = bytearray(8)
        a.sendall(b"into")
        self.assertEqual(b.recv_into(room), 4)
        self.assertEqual(room, b"into\0\0\0\0")
        a.shutdown(socket.SHUT_WR)
        self.assertEqual(b.recv(1), b"")
        with self.assertRaises(sk.UnexpectedEnd):
            b.recvall(1)

    def test_addresses_are_those_of_the_standard_library(self):
        a, b = self.pair()
        self.assertEqual(a.getpeername(), b.getsockname())
        self.assertEqual(a.getsockname()[0], "127.0.0.1")
        with sk.Socket(socket.AF_INET6) as six:
            six.bind(("", 0))
            address = six.getsockname()
            self.assertEqual((address[0], len(address)), ("::", 4))
            six.listen()
            with sk.Socket() as four:
                four.connect(("127.0.0.1", address[1]))
                accepted, peer = six.accept()
                accepted.close()
                self.assertEqual(peer[0], "::ffff:127.0.0.1")
        with tempfile.TemporaryDirectory() as folder, sk.Socket(socket.AF_UNIX) as unix:
            path = os.path.join(folder, "s")
            unix.bind(path)
            self.assertEqual(unix.getsockname(), path)

    def test_files_of_a_socket(self):
        a, b = self.pair()
        with a.makefile("rwb") as file:
            file.write(b"line one\nline two\n")
            file.flush()
            with b.makefile("r", encoding="ascii") as lines:
                self.assertEqual(lines.readline(), "line one\n")
                self.assertEqual(next(lines), "line two\n")
        a.close()
        # A file keeps the socket open.
        file = b.makefile("rb")
        b.close()
        self.assertEqual(file.read(), b"")
        file.close()
        self.assertEqual(b.fileno(), -1)

    def test_a_file_is_sent(self):
        a, b = self.pair()
        with tempfile.TemporaryFile() as file:
            file.write(b"0123456789")
            file.flush()
            self.assertEqual(a.sendfile(file, 3), 7)
            self.assertEqual(file.tell(), 10)
            self.assertEqual(b.recvall(7), b"3456789")
            self.assertEqual(a.sendfile(file, 0, 2), 2)

    def test_options(self):
        a, _ = self.pair()
        self.assertTrue(a.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        a.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.assertEqual(a.get(sk.SK_OPT_KEEPALIVE), 1)
        self.assertEqual(a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
        self.assertEqual(a.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE), socket.SOCK_STREAM)
        self.assertEqual((a.family, a.type), (socket.AF_INET, socket.SOCK_STREAM))

    def test_descriptors_come_and_go(self):
        a, b = self.pair()
        plain = socket.socket(fileno=a.detach())
        with sk.Socket(fileno=plain.detach()) as again:
            again.sendall(b"still there")
            self.assertEqual(b.recv(20), b"still there")
            with again.dup() as copy:
                copy.sendall(b"!")
                self.assertEqual(b.recv(1), b"!")


class Buffers(Case):
    def datagrams(self):
        receiver = self.stack.enter_context(sk.serve("udp://127.0.0.1:0"))
        sender = self.stack.enter_context(sk.dial(f"udp://127.0.0.1:{receiver.getsockname()[1]}"))
        receiver.settimeout(10)
        return sender, receiver

    def test_nothing_is_received_beyond_a_buffer(self):
        sender, receiver = self.datagrams()
        for receive in (receiver.recv_into, receiver.recvfrom_into):
            sender.send(b"longer than the buffer")
            room = bytearray(16)
            part = memoryview(room)[:4]
            with self.assertRaises(ValueError):
                receive(part, 12)
            with self.assertRaises(ValueError):
                receive(part, -1)
            self.assertEqual(room, bytes(16))
            receive(part, nbytes=3)
            self.assertEqual(room, b"lon" + bytes(13))
        for receive in (receiver.recv, receiver.recvfrom, receiver.recvall):
            with self.assertRaises(ValueError):
                receive(-1)

    def test_an_empty_buffer_takes_nothing_of_a_stream(self):
        a, b = self.pair()
        a.send(b"x")
        self.assertEqual(b.recv_into(bytearray()), 0)
        self.assertEqual(b.recvfrom_into(bytearray()), (0, None))
        self.assertEqual(b.recv(1), b"x")

    def test_a_buffer_is_let_go_after_an_error(self):
        _, b = self.pair()
        b.close()
        room = bytearray(4)
        for call in (b.send, b.sendall, b.recv_into, b.recvfrom_into):
            try:
                call(room)
            except OSError:
                room += b"resized while the exception lives"
            else:
                self.fail("no error")

    def test_any_buffer_is_sent(self):
        a, b = self.pair()
        for data in (b"four", bytearray(b"four"), memoryview(b"four"), memoryview(bytearray(b"four")), array.array("B", b"four")):
            self.assertEqual(a.send(data), 4)
            a.sendall(data)
            self.assertEqual(b.recvall(8), b"fourfour")
        self.assertEqual(a.send(bytearray()), 0)
        with self.assertRaises(TypeError):
            a.send("text")


class Whole(Case):
    """Calls that move everything, within one limit."""

    def slow_reader(self, b, got, pause=0.0):
        def read():
            with contextlib.suppress(OSError):
                while data := b.recv(65_536):
                    got.append(data)
                    time.sleep(pause)

        thread = threading.Thread(target=read)
        thread.start()
        return thread

    def test_sendall_with_flags_sends_all(self):
        data = os.urandom(1 << 20) * 8
        for flags in (0, socket.MSG_NOSIGNAL, socket.MSG_MORE):
            for each in (data, bytearray(data)):
                with self.subTest(flags):
                    a, b = self.pair()
                    got = []
                    thread = self.slow_reader(b, got)
                    a.sendall(each, flags)
                    a.close()
                    thread.join()
                    self.assertTrue(b"".join(got) == data)

    def test_sendall_has_one_limit(self):
        a, b = self.pair()
        a.settimeout(0.3)
        a.set(sk.SK_OPT_SEND_BUFFER, 16_384)
        b.set(sk.SK_OPT_RECV_BUFFER, 16_384)
        thread = self.slow_reader(b, [], 0.02)
        for flags in (0, socket.MSG_MORE):
            begin = time.monotonic()
            with self.assertRaises(socket.timeout):
                a.sendall(bytes(1 << 26), flags)
            self.assertLess(time.monotonic() - begin, 5)
        with self.assertRaises(BlockingIOError):
            while True:
                a.sendall(bytes(1 << 20), socket.MSG_DONTWAIT)
        a.close()
        b.close()
        thread.join()

    def test_a_file_that_is_not_taken_in_time(self):
        a, b = self.pair()
        a.settimeout(0.2)
        with tempfile.TemporaryFile() as file:
            file.write(bytes(1 << 26))
            begin = time.monotonic()
            with self.assertRaises(socket.timeout):
                a.sendfile(file)
            self.assertLess(time.monotonic() - begin, 5)
            sent = file.tell()
            self.assertGreater(sent, 0)
            a.close()
            got = 0
            while data := b.recv(1 << 20):
                got += len(data)
            self.assertEqual(got, sent)

    def test_a_large_file_goes_whole(self):
        a, b = self.pair()
        got = []
        thread = self.slow_reader(b, got)
        data = os.urandom(1 << 20) * 8
        with tempfile.TemporaryFile() as file:
            file.write(data)
            self.assertEqual(a.sendfile(file, 1), len(data) - 1)
            self.assertEqual(file.tell(), len(data))
            self.assertEqual(a.sendfile(file, 0, 1), 1)
            self.assertEqual(a.sendfile(file, len(data) + 5), 0)
        memory = io.BytesIO(data)
        self.assertEqual(a.sendfile(memory, 0, 10), 10)
        self.assertEqual(memory.tell(), 10)
        self.assertEqual(a.sendfile(memory, 2), len(data) - 2)
        self.assertEqual(memory.tell(), len(data))
        a.close()
        thread.join()
        self.assertTrue(b"".join(got) == data[1:] + data[:1] + data[:10] + data[2:])

    def test_files_that_are_none_to_send(self):
        a, b = self.pair()
        with tempfile.TemporaryFile("w+") as text:
            with self.assertRaises(ValueError):
                a.sendfile(text)
        with self.assertRaises(ValueError):
            a.sendfile(io.StringIO("x"))
        for count in (0, -1):
            with self.assertRaises(ValueError):
                a.sendfile(io.BytesIO(b"x"), 0, count)
        with self.assertRaises(TypeError):
            a.sendfile(io.BytesIO(b"x"), 0, 1.5)

        class Few:
            """What has only what it must have."""

            read = io.BytesIO(b"few").read

        self.assertEqual(a.sendfile(Few()), 3)
        self.assertEqual(b.recvall(3), b"few")
        reading, writing = os.pipe()
        os.write(writing, b"from a pipe")
        os.close(writing)
        with open(reading, "rb") as pipe:
            self.assertEqual(a.sendfile(pipe), 11)
        self.assertEqual(b.recvall(11), b"from a pipe")


class Life(Case):
    def test_there_is_one_owner(self):
        a, _ = self.pair()
        with sk.Poller() as poller:
            for each in (a, poller):
                for copy_of in (copy.copy, copy.deepcopy, pickle.dumps):
                    with self.assertRaisesRegex(TypeError, "cannot pickle"):
                        copy_of(each)

    def test_a_refused_finish_leaves_the_socket_open(self):
        with sk.Socket() as s:
            with self.assertRaises(OSError) as caught:
                s.finish()
            self.assertEqual(caught.exception.errno, errno.EOPNOTSUPP)
            s.bind(("127.0.0.1", 0))
        a, b = self.pair()
        for timeout in (-1, "soon"):
            with self.assertRaises((ValueError, TypeError)):
                a.finish(timeout)
        with self.assertRaises(socket.timeout):
            a.finish(0.05)
        self.assertEqual(a.fileno(), -1)
        self.assertEqual(b.recv(1), b"")
        with self.assertRaises(OSError) as caught:
            a.finish()
        self.assertEqual(caught.exception.errno, errno.EBADF)
        c, d = self.pair()
        d.close()
        c.finish()
        self.assertEqual(c.fileno(), -1)

    def test_close_wakes_a_finish(self):
        for limit in (None, 30):
            a, b = self.pair()
            closer = threading.Timer(0.25, a.close)
            closer.start()
            with self.assertRaises(sk.ClosedError):
                a.finish(limit)
            closer.join()
            self.assertEqual(a.fileno(), -1)


class AsTheStandardLibrary(Case):
    """What programs written for socket.socket rely on."""

    def test_lists_of_buffers(self):
        a, b = self.pair()
        self.assertEqual(a.sendmsg([b"one", bytearray(b"two"), memoryview(b"three"), b""]), 11)
        self.assertEqual(b.recvmsg(3), (b"one", [], 0, None))
        first, second = bytearray(3), bytearray(10)
        self.assertEqual(b.recvmsg_into([first, second]), (8, [], 0, None))
        self.assertEqual((first, second), (b"two", b"three" + bytes(5)))
        a.send(b"wait")
        timer = threading.Timer(0.1, a.send, [b"all"])
        timer.start()
        self.assertEqual(b.recvmsg(7, 0, socket.MSG_WAITALL)[0], b"waitall")
        timer.join()
        with self.assertRaises(OSError) as caught:
            a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, b"")])
        self.assertEqual(caught.exception.errno, errno.EOPNOTSUPP)
        for call in (lambda: b.recvmsg(1, 64), lambda: b.recvmsg_into([bytearray(1)], 64)):
            with self.assertRaises(OSError) as caught:
                call()
            self.assertEqual(caught.exception.errno, errno.EOPNOTSUPP)
        with self.assertRaises(TypeError):
            b.recvmsg_into([b"read-only"])
        with self.assertRaises(ValueError):
            b.recvmsg(-1)
        a.close()
        self.assertEqual(b.recvmsg(4), (b"", [], 0, None))

    def test_lists_of_buffers_of_datagrams(self):
        with sk.serve("udp://127.0.0.1:0") as receiver, sk.Socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            receiver.settimeout(10)
            sender.sendmsg([b"da", b"ta"], (), 0, receiver.getsockname())
            sender_name = ("127.0.0.1", sender.getsockname()[1])
            self.assertEqual(receiver.recvmsg(2, 0, socket.MSG_PEEK), (b"da", [], socket.MSG_TRUNC, sender_name))
            first, second = bytearray(3), bytearray(3)
            self.assertEqual(receiver.recvmsg_into([first, second]), (4, [], 0, sender_name))
            self.assertEqual((first, second), (b"dat", b"a\0\0"))
            sender.connect(receiver.getsockname())
            sender.sendmsg([b"x", b"y"])
            self.assertEqual(receiver.recvmsg(5)[0], b"xy")
            sender.send(b"dropped")
            self.assertEqual(receiver.recvmsg(0), (b"", [], socket.MSG_TRUNC, sender_name))

    def test_inheritable(self):
        a, _ = self.pair()
        self.assertFalse(a.get_inheritable())
        a.set_inheritable(True)
        self.assertTrue(a.get_inheritable())

    def test_recvall_keeps_what_came(self):
        a, b = self.pair()
        b.settimeout(0.2)
        failures = []

        def fails():
            try:
                b.recvall(8)
            except Exception as error:
                failures.append(error)

        for run in (fails, lambda: self.in_a_thread(fails)):
            a.send(b"part")
            run()
        a.send(b"end")
        a.shutdown(socket.SHUT_WR)
        fails()
        self.assertEqual([type(error) for error in failures], [socket.timeout, socket.timeout, sk.UnexpectedEnd])
        self.assertEqual([error.partial for error in failures], [b"part", b"part", b"end"])
        self.assertEqual(sk.UnexpectedEnd().partial, b"")

    @staticmethod
    def in_a_thread(call):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    def test_how_sockets_are_made(self):
        for fileno in (-1, -5):
            with self.assertRaises(ValueError):
                sk.Socket(fileno=fileno)
        with sk.Socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as s:
            self.assertEqual((s.gettimeout(), s.type), (0.0, socket.SOCK_STREAM))
            with self.assertRaises(BlockingIOError):
                s.listen()
                s.accept()

    def test_connect_to_a_name(self):
        for setting in (5, None, 0):
            with self.subTest(setting), sk.serve("tcp://127.0.0.1:0") as listener:
                port = listener.getsockname()[1]
                for host in ("localhost", b"localhost", bytearray(b"127.0.0.1")):
                    with sk.Socket() as s:
                        s.settimeout(setting)
                        self.assertIn(s.connect_ex((host, port)), (0, errno.EINPROGRESS) if setting == 0 else (0,))
                        listener.accept()[0].close()
                with sk.Socket() as s:
                    s.settimeout(setting)
                    with self.assertRaises(socket.gaierror):
                        s.connect_ex(("no-such-host.invalid", port))
                    with self.assertRaises(socket.gaierror):
                        s.connect(("no-such-host.invalid", port))
            with sk.Socket() as s:
                s.bind((b"127.0.0.1", 0))
                if setting != 0:
                    with sk.Socket() as other:
                        other.settimeout(setting)
                        self.assertEqual(other.connect_ex(("localhost", s.getsockname()[1])), errno.ECONNREFUSED)

    def test_connect_to_this_machine_by_no_name(self):
        with sk.serve("tcp://127.0.0.1:0") as listener, sk.Socket() as s:
            s.connect(("", listener.getsockname()[1]))
            listener.accept()[0].close()

    def test_connect_in_another_thread(self):
        with sk.serve("tcp://127.0.0.1:0") as listener:
            for host in ("localhost", "127.0.0.1"):
                with sk.Socket() as s:
                    self.in_a_thread(lambda: s.connect((host, listener.getsockname()[1])))
                    self.assertEqual(s.getpeername(), listener.getsockname())
                    listener.accept()[0].close()

    def test_bad_arguments(self):
        a, _ = self.pair()
        with self.assertRaises(OSError) as caught:
            a.shutdown(9)
        self.assertEqual(caught.exception.errno, errno.EINVAL)
        with self.assertRaises(OverflowError):
            a.shutdown(2**32)
        for call in (lambda: a.recvmsg(1, -1), lambda: a.recvmsg_into([bytearray(1)], -1)):
            with self.assertRaises(ValueError):
                call()
        with sk.Socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for rest in ((), (0, ("127.0.0.1", 9), 0)):
                with self.assertRaises(TypeError):
                    udp.sendto(b"x", *rest)
            with self.assertRaises(ValueError):
                udp.send_batch(sk.Datagrams(1, 1), -1)

    def test_unix_names(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in (b"\xff\xfe", "name".encode()):
                path = os.path.join(os.fsencode(folder), name)
                with sk.Socket(socket.AF_UNIX) as s, sk.Socket(socket.AF_UNIX) as client:
                    s.bind(path)
                    self.assertEqual(s.getsockname(), os.fsdecode(path))
                    s.listen()
                    client.connect(s.getsockname())
        for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            a, b = sk.socketpair(kind)
            with a, b:
                for receive in (b.recvfrom, lambda size: b.recvfrom_into(bytearray(size)), b.recvmsg):
                    a.send(b"x")
                    self.assertIsNone(receive(1)[-1])
                self.assertEqual(b.getpeername(), "")

    def test_options_as_they_are_written(self):
        a, _ = self.pair()
        for value in (2, -1, 10**6, True):
            a.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
            a.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, value)
            self.assertEqual(a.get(sk.SK_OPT_KEEPALIVE), 1)
        with self.assertRaises(OSError):
            a.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, None, 4)
        a.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, None, 0)

    def test_options_that_mean_nothing_to_a_socket(self):
        for family, kind in ((socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_STREAM)):
            for option in (socket.SO_REUSEADDR, socket.SO_BROADCAST, socket.SO_KEEPALIVE):
                with sk.Socket(family, kind) as s:
                    s.setsockopt(socket.SOL_SOCKET, option, 1)
                    self.assertEqual(s.getsockopt(socket.SOL_SOCKET, option), 1)
        with sk.Socket(socket.AF_INET, socket.SOCK_DGRAM) as s, self.assertRaises(OSError) as caught:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.assertEqual(caught.exception.errno, errno.ENOPROTOOPT)

    def test_a_copy_waits_as_long_as_the_socket(self):
        a, b = self.pair()
        for seconds in (3.0, 0.0, None):
            a.settimeout(seconds)
            with a.dup() as copy:
                self.assertEqual(copy.gettimeout(), seconds)
                if seconds == 0:
                    self.assertRaises(BlockingIOError, copy.recv, 1)

    def test_a_size_is_any_whole_number(self):
        class Three:
            def __index__(self):
                return 3

        a, b = self.pair()
        b.sendall(b"onetwofourfive")
        self.assertEqual(a.recv(Three()), b"one")
        self.assertEqual(a.recvall(Three()), b"two")
        self.assertEqual(a.recv_into(bytearray(9), Three()), 3)
        self.assertEqual(a.recvmsg(Three())[0], b"rfi")
        self.assertEqual(a.recvfrom(Three())[0], b"ve")
        self.assertRaises(TypeError, a.recv, 1.5)
        self.assertRaises(TypeError, a.recv, "1")

    def test_only_a_stream_sends_a_file(self):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            a, b = [self.stack.enter_context(each) for each in sk.socketpair(kind)]
            b.settimeout(0)
            with tempfile.TemporaryFile() as file:
                file.write(b"text")
                for source in (file, io.BytesIO(b"text")):
                    self.assertRaises(ValueError, a.sendfile, source)
                    self.assertRaises(BlockingIOError, b.recv, 10)

    def test_sockets_that_there_are_not(self):
        for family, kind, number in (
            (99, socket.SOCK_STREAM, errno.EAFNOSUPPORT),
            (socket.AF_INET, socket.SOCK_RAW, errno.ESOCKTNOSUPPORT),
            (socket.AF_UNIX, 77, errno.ESOCKTNOSUPPORT),
        ):
            with self.assertRaises(OSError) as caught:
                sk.Socket(family, kind)
            self.assertEqual(caught.exception.errno, number)
        for kind in (socket.SOCK_RAW, 77):
            with self.assertRaises(OSError) as caught:
                sk.socketpair(kind)
            self.assertEqual(caught.exception.errno, errno.ESOCKTNOSUPPORT)
        for each in sk.socketpair(socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK):
            with each:
                self.assertEqual((each.type, each.gettimeout()), (socket.SOCK_DGRAM, 0.0))

    def test_a_limit_without_end_is_none(self):
        with sk.Socket() as s:
            self.assertRaises(OverflowError, s.settimeout, float("inf"))
            self.assertRaises(ValueError, s.settimeout, float("nan"))
            self.assertIsNone(s.gettimeout())
            s.settimeout(0.0001)
            self.assertEqual(s.get(sk.SK_OPT_RECV_TIMEOUT), 1)

    def test_after_the_end(self):
        a, b = self.pair()
        a.close()
        self.assertEqual((a.detach(), a.fileno()), (-1, -1))
        for mode in ("r", "w", "rw"):
            with b.makefile(mode) as file:
                self.assertEqual(file.mode, mode)

    def test_a_socket_that_is_not_closed_is_told_of(self):
        s = sk.Socket()
        handle = s.handle
        with self.assertWarnsRegex(ResourceWarning, f"unclosed.*{handle}"):
            del s
            gc.collect()


class Failures(Case):
    def test_they_are_the_exceptions_of_the_standard_library(self):
        with sk.Socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
            with self.assertRaises(ConnectionRefusedError):
                sk.dial(f"tcp://127.0.0.1:{port}", 10)
            with sk.Socket() as other:
                self.assertNotEqual(other.connect_ex(("127.0.0.1", port)), 0)
            s.listen()
            with self.assertRaises(OSError) as caught:
                sk.serve(f"tcp://127.0.0.1:{port}")
            self.assertEqual(caught.exception.errno, errno.EADDRINUSE)
        with self.assertRaises(OSError) as caught:
            s.send(b"x")
        self.assertEqual(caught.exception.errno, errno.EBADF)
        with self.assertRaises(socket.gaierror):
            sk.resolve("no-such-host.invalid", 80, timeout=10)

    def test_numbers_that_do_not_fit(self):
        a, _ = self.pair()
        unix = self.stack.enter_context(sk.Socket(socket.AF_UNIX))
        with sk.Socket() as s, sk.Socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, sk.Socket(socket.AF_INET6) as six:
            for port in (-1, 65_536, 65_536 + 80, 2**64 + 80):
                for call in (s.bind, s.connect, s.connect_ex):
                    with self.assertRaises(OverflowError):
                        call(("127.0.0.1", port))
                with self.assertRaises(OverflowError):
                    udp.sendto(b"x", ("127.0.0.1", port))
                with self.assertRaises(OverflowError):
                    sk.resolve("127.0.0.1", port)
            for port in ("80", 80.0, None):
                for call in (s.bind, s.connect):
                    with self.assertRaises(TypeError):
                        call(("127.0.0.1", port))
            for address in (("::1", 80, 2**20), ("::1", 80, -1), ("::1", 80, 0, 2**32)):
                with self.assertRaises(OverflowError):
                    six.bind(address)
            for backlog in (2**31, 2**33, -(2**40)):
                with self.assertRaises(OverflowError):
                    s.listen(backlog)
                with self.assertRaises(OverflowError):
                    sk.serve("tcp://127.0.0.1:0", backlog)
        for value in (2**63, 2**64 + 1):
            with self.assertRaises(OverflowError):
                a.set(sk.SK_OPT_KEEPALIVE_IDLE, value)
        with self.assertRaises(OverflowError):
            a.set(2**32 + sk.SK_OPT_KEEPALIVE, 1)
        with self.assertRaises(OverflowError):
            a.get(2**32 + sk.SK_OPT_KEEPALIVE)
        with self.assertRaises(OverflowError):
            sk.Datagrams(1, 8).put(0, b"x", segment=2**32 + 1)
        with sk.Poller() as poller, self.assertRaises(OverflowError):
            poller.add(a, 2**32 + sk.SK_READABLE)
        with self.assertRaises(OverflowError):
            sk.Socket(fileno=2**64)
        with tempfile.TemporaryFile() as file, self.assertRaises(OverflowError):
            file.write(b"x")
            a.sendfile(file, 2**64)
        for address in (5, None, 5.5):
            with self.assertRaises(TypeError):
                unix.bind(address)

    def test_texts_are_not_cut(self):
        a, _ = self.pair()
        with sk.Socket() as s, sk.Socket(socket.AF_UNIX) as unix:
            for host in ("127.0.0.1\0x", b"127.0.0.1\0x", "localhost\0"):
                for call in (s.bind, s.connect):
                    # As socket.socket has it.
                    with self.assertRaises(TypeError):
                        call((host, 80))
                with self.assertRaises(TypeError):
                    sk.resolve(host, 80)
            for path in ("/tmp/a\0b", b"/tmp/a\0b"):
                for call in (unix.bind, unix.connect):
                    with self.assertRaisesRegex(ValueError, "embedded null"):
                        call(path)
            unix.bind(b"\0sk test \0 %d" % os.getpid())
        for call in (sk.dial, sk.serve):
            with self.assertRaisesRegex(ValueError, "embedded null"):
                call("tcp://127.0.0.1:0\0")
        with self.assertRaisesRegex(ValueError, "embedded null"):
            a.set(sk.SK_OPT_BIND_DEVICE, "lo\0x")

    def test_limits(self):
        a, _ = self.pair()
        a.settimeout(0.02)
        with self.assertRaises(socket.timeout):
            a.recv(1)
        a.setblocking(False)
        self.assertEqual((a.gettimeout(), a.getblocking()), (0.0, False))
        with self.assertRaises(BlockingIOError):
            a.recv(1)
        a.settimeout(None)
        self.assertIsNone(a.gettimeout())
        with self.assertRaises(ValueError):
            a.settimeout(-1)

    def test_no_signal_when_the_peer_has_gone(self):
        a, b = self.pair()
        b.abort()
        with self.assertRaises((BrokenPipeError, ConnectionResetError)):
            for _ in range(100):
                a.send(b"x")

    def test_close_wakes_another_thread(self):
        a, _ = self.pair()
        seen = []

        def wait():
            try:
                a.recv(1)
            except OSError as error:
                seen.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        a.close()
        thread.join(10)
        self.assertFalse(thread.is_alive())
        # It may have come too late to wait.
        self.assertTrue(isinstance(seen[0], sk.ClosedError) or seen[0].errno == errno.EBADF, seen)


class Interrupted(Exception):
    pass


class Signals(Case):
    """Python's signal handlers run while the main thread waits in a call."""

    def setUp(self):
        super().setUp()
        self.ran = 0
        self.stack.callback(signal.signal, signal.SIGALRM, signal.getsignal(signal.SIGALRM))
        self.stack.callback(signal.setitimer, signal.ITIMER_REAL, 0)

    def interrupt(self, after=0.1):
        def handler(*_):
            raise Interrupted

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, after)

    def blocking_calls(self):
        a, b = self.pair()
        c, _ = self.pair()
        d, _ = self.pair()
        listener = self.stack.enter_context(sk.serve("tcp://127.0.0.1:0"))
        udp = self.stack.enter_context(sk.serve("udp://127.0.0.1:0"))
        poller = self.stack.enter_context(sk.Poller())
        poller.add(a)
        file = self.stack.enter_context(tempfile.TemporaryFile())
        file.truncate(1 << 26)
        unix, far = sk.socketpair(socket.SOCK_DGRAM)
        self.stack.enter_context(unix)
        self.stack.enter_context(far)
        batch = sk.Datagrams(64, 1000)
        for at in range(64):
            batch.put(at, bytes(1000))

        def fill():
            while True:
                unix.send(b"x")

        def fill_in_batches():
            while True:
                unix.send_batch(batch)

        return {
            "recv": lambda: a.recv(1),
            "recv, MSG_WAITALL": lambda: a.recv(8, socket.MSG_WAITALL),
            "recv_into": lambda: a.recv_into(bytearray(4)),
            "recvfrom": lambda: udp.recvfrom(4),
            "recvfrom_into": lambda: udp.recvfrom_into(bytearray(4)),
            "recvall": lambda: a.recvall(5),
            "recv_batch": lambda: udp.recv_batch(sk.Datagrams(2, 8)),
            "accept": listener.accept,
            "poller": lambda: poller.wait(30),
            "poller without a limit": poller.wait,
            "sendall": lambda: a.sendall(bytes(1 << 26)),
            "sendfile": lambda: c.sendfile(file),
            "sendfile of what only Python reads": lambda: d.sendfile(io.BytesIO(bytes(1 << 26))),
            "send": fill,
            "send_batch": fill_in_batches,
        }, (a, b, c, d, listener, udp, unix)

    def test_they_interrupt_calls(self):
        for limit in (30, None):
            calls, sockets = self.blocking_calls()
            for each in sockets:
                each.settimeout(limit)
            for name, call in calls.items():
                with self.subTest(name, limit=limit):
                    begin = time.monotonic()
                    self.interrupt()
                    with self.assertRaises(Interrupted):
                        call()
                    self.assertLess(time.monotonic() - begin, 5)

    def test_they_interrupt_a_finish(self):
        a, b = self.pair()
        b.send(b"never read")
        for limit in (30, None):
            self.interrupt()
            with self.assertRaises(Interrupted):
                a.finish(limit)
        b.close()
        a.finish(10)
        self.assertEqual(a.fileno(), -1)

    def full_listener(self):
        listener = self.stack.enter_context(sk.Socket(socket.AF_UNIX))
        listener.bind(b"\0sk full %d" % os.getpid())
        listener.listen(1)
        address = listener.getsockname()
        with contextlib.suppress(BlockingIOError):
            while True:
                client = self.stack.enter_context(sk.Socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(address)
        return listener, address

    def test_they_interrupt_a_connect(self):
        listener, address = self.full_listener()
        for limit in (30, None):
            with sk.Socket(socket.AF_UNIX) as client:
                client.settimeout(limit)
                self.interrupt()
                with self.assertRaises(Interrupted):
                    client.connect(address)
        with sk.Socket(socket.AF_UNIX) as client:
            client.settimeout(0.1)
            with self.assertRaises(socket.timeout):
                client.connect(address)
            self.assertEqual(client.connect_ex(address), errno.EAGAIN)
            listener.accept()[0].close()
            client.settimeout(10)
            client.connect(address)

    def test_they_interrupt_a_connect_over_tcp(self):
        listener = self.stack.enter_context(sk.Socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        address = listener.getsockname()
        # Until the queue is full, and the system drops what asks to connect.
        while True:
            client = self.stack.enter_context(sk.Socket())
            client.settimeout(0.3)
            try:
                client.connect(address)
            except socket.timeout:
                break
        self.assertEqual(client.connect_ex(address), errno.EAGAIN)
        client.settimeout(None)
        for to in (address, ("localhost", address[1])):
            self.interrupt()
            with self.assertRaises(Interrupted):
                client.connect(to)
        self.assertEqual(client.get(sk.SK_OPT_CONNECT_TIMEOUT), sk.SK_FOREVER)
        listener.accept()[0].close()
        client.settimeout(10)
        client.connect(address)

    def test_handlers_that_return_change_nothing(self):
        a, b = self.pair()
        a.settimeout(0.5)

        def handler(*_):
            self.ran += 1

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        begin = time.monotonic()
        with self.assertRaises(socket.timeout):
            a.recv(1)
        took = time.monotonic() - begin
        self.assertGreaterEqual(took, 0.5)
        self.assertLess(took, 5)
        self.assertGreater(self.ran, 1)

    def test_close_wakes_the_main_thread(self):
        for limit in (30, None):
            calls, sockets = self.blocking_calls()
            for each in sockets:
                each.settimeout(limit)
            a, listener = sockets[0], sockets[4]
            for which, call in ((a, calls["recv"]), (listener, calls["accept"])):
                closer = threading.Timer(0.25, which.close)
                closer.start()
                with self.assertRaises(sk.ClosedError) as caught:
                    call()
                self.assertEqual(caught.exception.errno, errno.ECANCELED)
                closer.join()
        with sk.Poller() as poller:
            closer = threading.Timer(0.25, poller.close)
            closer.start()
            with self.assertRaises(sk.ClosedError):
                poller.wait()
            closer.join()

    def test_limits_hold_in_the_main_thread(self):
        calls, sockets = self.blocking_calls()
        for each in sockets:
            each.settimeout(0.15)
        for name, call in calls.items():
            if "poller" not in name:
                with self.subTest(name):
                    begin = time.monotonic()
                    with self.assertRaises(socket.timeout):
                        call()
                    took = time.monotonic() - begin
                    self.assertGreaterEqual(took, 0.15)
                    self.assertLess(took, 5)

    def test_waitall_gives_what_came_until_the_end(self):
        a, b = self.pair()
        sender = threading.Timer(0.1, lambda: (a.send(b"12"), time.sleep(0.1), a.send(b"34"), a.close()))
        sender.start()
        self.assertEqual(b.recv(3, socket.MSG_WAITALL), b"123")
        self.assertEqual(b.recv(3, socket.MSG_WAITALL), b"4")
        self.assertEqual(b.recv(3, socket.MSG_WAITALL), b"")
        sender.join()

    def test_waitall_is_for_receiving(self):
        a, b = self.pair()
        b.send(b"not to be received by a send")
        data = b"as it was"
        for call in (a.send, a.sendall, lambda *some: a.sendmsg([data], (), some[1])):
            with self.assertRaises(OSError) as caught:
                call(data, socket.MSG_WAITALL)
            self.assertEqual(caught.exception.errno, errno.EINVAL)
        self.assertEqual(data, b"as it was")
        batch = sk.Datagrams(8, 8)
        for run in (lambda call: call(), AsTheStandardLibrary.in_a_thread):
            run(lambda: self.assertRaises(OSError, a.recv_batch, batch, socket.MSG_WAITALL))
        left, right = sk.socketpair(socket.SOCK_DGRAM)
        with left, right:
            right.send(b"ab")
            self.assertEqual(left.recv(9, socket.MSG_WAITALL), b"ab")
            right.send(b"cd")
            self.assertEqual(left.recv_batch(batch, socket.MSG_WAITALL), 1)

    def test_a_full_queue_that_looks_ready(self):
        with sk.Socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver, sk.Socket(
            socket.AF_UNIX, socket.SOCK_DGRAM
        ) as sender:
            receiver.bind(b"\0sk queue %d" % os.getpid())
            sender.settimeout(0.2)
            begin = time.monotonic()
            with self.assertRaises(socket.timeout):
                while True:
                    sender.sendto(b"x", receiver.getsockname())
            self.assertLess(time.monotonic() - begin, 5)
            sender.settimeout(None)
            self.interrupt()
            with self.assertRaises(Interrupted):
                while True:
                    sender.sendto(b"x", receiver.getsockname())

    def test_accept_loses_a_race_and_waits_on(self):
        listener = self.stack.enter_context(sk.serve("tcp://127.0.0.1:0"))
        listener.settimeout(0.5)
        address = listener.getsockname()
        others = [threading.Thread(target=self.accept_one, args=(listener,)) for _ in range(2)]
        for other in others:
            other.start()
        clients = []

        def connect():
            for _ in range(2):
                clients.append(self.stack.enter_context(sk.Socket()))
                clients[-1].connect(address)

        thread = threading.Timer(0.1, connect)
        thread.start()
        accepted = 0
        begin = time.monotonic()
        with self.assertRaises(socket.timeout):
            while True:
                listener.accept()[0].close()
                begin = time.monotonic()
                accepted += 1
        self.assertLess(time.monotonic() - begin, 0.9)
        thread.join()
        for other in others:
            other.join()

    def test_accept_takes_the_last_descriptor(self):
        listener = self.stack.enter_context(sk.serve("tcp://127.0.0.1:0"))
        self.stack.enter_context(sk.dial(f"tcp://127.0.0.1:{listener.getsockname()[1]}"))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        highest = max(int(each) for each in os.listdir("/proc/self/fd")) + 8
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
        taken = []
        self.stack.callback(lambda: [os.close(each) for each in taken])
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        os.close(taken.pop())
        accepted, _ = listener.accept()
        accepted.close()

    @staticmethod
    def accept_one(listener):
        with contextlib.suppress(socket.timeout):
            listener.accept()[0].close()


class Many(Case):
    def test_a_poller_tells_who_is_ready(self):
        a, b = self.pair()
        with sk.Poller() as poller:
            poller.add(a, sk.SK_READABLE, "a")
            self.assertEqual(poller.wait(0), [])
            b.send(b"x")
            (ready,) = poller.wait(10)
            self.assertEqual((ready.socket, ready.data, ready.events), (a, "a", sk.SK_READABLE))
            poller.modify(a, sk.SK_WRITABLE, "w")
            self.assertEqual(poller.wait(10)[0].data, "w")
            poller.remove(a)
            poller.wake()
            self.assertIsNone(poller.wait(10)[0].socket)

    def test_a_poller_knows_a_socket_before_it_reports_it(self):
        a, b = self.pair()
        b.send(b"x")
        original = poller_module.library
        seen = []
        with sk.Poller() as poller:

            class Eager:
                """A library whose poller has been waited for before `add` returns."""

                def __getattr__(self, name):
                    call = getattr(original, name)
                    if name not in ("sk_poller_add", "sk_poller_modify"):
                        return call

                    def eager(*arguments):
                        result = call(*arguments)
                        seen.extend(poller.wait(1))
                        return result

                    return eager

            poller_module.library = Eager()
            try:
                poller.add(a, sk.SK_READABLE | sk.SK_ONESHOT, "added")
                poller.modify(a, sk.SK_READABLE | sk.SK_ONESHOT, "modified")
            finally:
                poller_module.library = original
        self.assertEqual([(ready.socket, ready.data) for ready in seen], [(a, "added"), (a, "modified")])

    def test_what_a_poller_refuses_changes_nothing(self):
        a, b = self.pair()
        b.send(b"x")
        with sk.Poller() as poller:
            poller.add(a, sk.SK_READABLE, "first")
            with self.assertRaises(FileExistsError):
                poller.add(a, sk.SK_READABLE, "second")
            with self.assertRaises(OSError):
                poller.modify(a, sk.SK_EXCLUSIVE, "third")
            with self.assertRaises(FileNotFoundError):
                poller.modify(b, sk.SK_READABLE, "not in it")
            self.assertEqual([ready.data for ready in poller.wait(10)], ["first"])

    def test_a_poller_drops_closed_sockets(self):
        with sk.Poller() as poller:
            a, b = sk.socketpair()
            poller.add(a, sk.SK_READABLE, "stays")
            known = []
            for _ in range(300):
                c, d = sk.socketpair()
                poller.add(c)
                known.append(weakref.ref(c))
                c.close()
                d.close()
            del c
            self.assertLess(sum(each() is not None for each in known), 200)
            b.send(b"x")
            self.assertEqual([ready.data for ready in poller.wait(10)], ["stays"])
            a.close()
            b.close()

    def test_batches_of_datagrams(self):
        receiver = self.stack.enter_context(sk.serve("udp://127.0.0.1:0"))
        sender = self.stack.enter_context(sk.dial(f"udp://127.0.0.1:{receiver.getsockname()[1]}"))
        receiver.settimeout(10)
        batch, room = sk.Datagrams(5, 16), sk.Datagrams(8, 8)
        for at in range(5):
            batch.put(at, b"number %d" % at, receiver.getsockname() if at == 4 else None)
        batch.put(3, b"far too long")
        self.assertEqual(sender.send_batch(batch), 5)
        got = []
        while len(got) < 5:
            count = receiver.recv_batch(room)
            got += [(bytes(room[at]), room.address(at), room.was_cut(at)) for at in range(count)]
        self.assertEqual([data for data, _, _ in got], [b"number 0", b"number 1", b"number 2", b"far too ", b"number 4"])
        self.assertEqual({address for _, address, _ in got}, {sender.getsockname()})
        self.assertEqual([cut for _, _, cut in got], [False, False, False, True, False])

    def test_segments(self):
        receiver = self.stack.enter_context(sk.serve("udp://127.0.0.1:0"))
        sender = self.stack.enter_context(sk.dial(f"udp://127.0.0.1:{receiver.getsockname()[1]}"))
        receiver.settimeout(10)
        batch = sk.Datagrams(1, 30)
        batch.put(0, b"0123456789" * 3, segment=10)
        self.assertEqual(sender.send_batch(batch), 1)
        self.assertEqual([receiver.recv(100) for _ in range(3)], [b"0123456789"] * 3)


class StandardLibrary(Case):
    def test_http(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.path.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        with sk.in_place_of_socket():
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            self.assertIsInstance(server.socket, sk.Socket)
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                client = http.client.HTTPConnection(*server.server_address, timeout=10)
                for path in ("/one", "/two"):
                    client.request("GET", path)
                    self.assertEqual(client.getresponse().read(), path.encode())
                    self.assertIsInstance(client.sock, sk.Socket)
                client.close()
            finally:
                server.shutdown()
                thread.join()
                server.server_close()
        self.assertIsNot(socket.socket, sk.Socket)

    def test_socketserver(self):
        class Upper(socketserver.BaseRequestHandler):
            def handle(self):
                data, own = self.request
                own.sendto(data.upper(), self.client_address)

        with sk.in_place_of_socket():
            with socketserver.UDPServer(("127.0.0.1", 0), Upper) as server:
                thread = threading.Thread(target=server.handle_request)
                thread.start()
                with sk.Socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.settimeout(10)
                    client.sendto(b"shout", server.server_address)
                    self.assertEqual(client.recvfrom(16), (b"SHOUT", server.server_address))
                thread.join()


    def test_ssl_that_is_imported_later(self):
        program = """if True:
            import sk, socket
            with sk.in_place_of_socket():
                import ssl
                a, b = socket.socketpair()
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                secure = context.wrap_socket(a, do_handshake_on_connect=False)
                print(type(a).__name__, a.fileno(), secure.fileno() >= 0)
            secure.close()
            b.close()
        """
        environment = {**os.environ, "PYTHONPATH": str(PYTHON)}
        ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual((ran.stdout, ran.stderr), ("Socket -1 True\n", ""))


class Readme(unittest.TestCase):
    def test_its_programs_run(self):
        text = (PYTHON / "README.md").read_text()
        programs = re.findall(r"```python\n(.*?)```", text, flags=re.S)
        self.assertGreater(len(programs), 3)
        for program in programs:
            said = io.StringIO()
            with self.subTest(program.splitlines()[2]), contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
                exec(program, {})
            self.assertTrue(said.getvalue())


if __name__ == "__main__":
    unittest.main()

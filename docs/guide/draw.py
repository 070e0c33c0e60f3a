#!/usr/bin/env python3
"""Draws the pictures of chapters 1 to 5, 7, 12 and 13, once in each language: python3 docs/guide/draw.py"""

import pathlib
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).parent
LANGUAGES = {"en": HERE / "img", "ko": HERE / "ko" / "img"}
FONT = "font-family=\"'Noto Sans','Noto Sans KR','Malgun Gothic','Apple SD Gothic Neo',sans-serif\""
MONO = "font-family=\"'DejaVu Sans Mono',Menlo,Consolas,monospace\""


class Picture:
    """Boxes, words and arrows on white, readable in black and white."""

    def __init__(self, width, height, language):
        self.size = width, height
        self.language = language
        self.parts = []

    def say(self, english, korean):
        return korean if self.language == "ko" else english

    def box(self, x, y, width, height, fill="#ffffff", dashed=False):
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" '
            f'stroke="#222" stroke-width="1.5"{dash}/>'
        )

    def text(self, x, y, words, size=14, anchor="middle", code=False, weight="normal"):
        font = MONO if code else FONT
        self.parts.append(
            f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
            f'fill="#111" {font}>{escape(words)}</text>'
        )

    def labelled(self, x, y, width, height, words, fill="#ffffff", code=False, size=14):
        self.box(x, y, width, height, fill)
        self.text(x + width / 2, y + height / 2 + size * 0.36, words, size, code=code)

    def arrow(self, x1, y1, x2, y2, dashed=False, both=False):
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        start = ' marker-start="url(#tip)"' if both else ""
        self.parts.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#222" stroke-width="1.8"{dash} '
            f'marker-end="url(#tip)"{start}/>'
        )

    def write(self, folder, name):
        width, height = self.size
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0 0 10 5 0 10z" fill="#222"/></marker></defs>\n'
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n' + "\n".join(self.parts) + "\n</svg>\n",
            encoding="utf-8",
        )


def what_is_a_socket(language):
    p = Picture(720, 330, language)
    for x, name, address in [
        (30, p.say("process A (client)", "프로세스 A (클라이언트)"), "TCP 127.0.0.1:34468"),
        (450, p.say("process B (server)", "프로세스 B (서버)"), "TCP 127.0.0.1:39139"),
    ]:
        p.labelled(x, 20, 240, 60, p.say("application: ", "애플리케이션: ") + name, "#f2f2f2", size=13)
        p.box(x + 60, 80, 120, 50, "#cfe3ff")
        p.text(x + 120, 102, p.say("socket", "소켓"), weight="bold")
        p.text(x + 120, 121, address, 9.5, code=True)
        p.labelled(x, 130, 240, 44, p.say("transport layer: TCP, UDP", "전송 계층: TCP, UDP"), size=13)
        p.labelled(x, 174, 240, 44, p.say("internet layer: IP", "인터넷 계층: IP"), size=13)
        p.labelled(x, 218, 240, 44, p.say("network interface", "네트워크 인터페이스"), size=13)
    p.arrow(278, 105, 442, 105, dashed=True, both=True)
    p.text(360, 92, p.say("what the programs see", "프로그램이 보는 길"), 12)
    p.arrow(278, 240, 442, 240, both=True)
    p.text(360, 228, p.say("what the bytes travel", "바이트가 실제로 가는 길"), 12)
    p.text(
        360,
        302,
        p.say(
            "A socket is defined by protocol, IP address and port; a connection by both ends together.",
            "소켓은 프로토콜, IP 주소, 포트로 정해지고 연결은 양쪽 끝을 함께 적어야 정해집니다.",
        ),
        13,
    )
    return p


def the_servers_road(language):
    p = Picture(720, 460, language)
    p.text(150, 28, p.say("server", "서버"), 16, weight="bold")
    p.text(590, 28, p.say("clients", "클라이언트들"), 16, weight="bold")
    for y, call in [(45, "sk_socket"), (95, "sk_bind"), (145, "sk_listen"), (235, "sk_accept"), (305, "sk_recv / sk_send"), (375, "sk_close")]:
        p.labelled(50, y, 200, 34, call, "#f2f2f2", code=True, size=13)
    for y in [79, 129, 269, 339]:
        p.arrow(150, y, 150, y + (16 if y < 200 else 36))
    p.arrow(150, 179, 150, 235)
    p.parts.append(
        '<path d="M50 392 H24 V252 H50" fill="none" stroke="#222" stroke-width="1.8" marker-end="url(#tip)"/>'
    )
    p.text(58, 438, p.say("then the next client", "그리고 다음 클라이언트"), 12, anchor="start")
    p.text(395, 140, p.say("the listener's queue (backlog)", "리스너의 큐 (백로그)"), 13)
    for n in range(3):
        p.labelled(320 + 52 * n, 150, 46, 34, str(n + 1), "#cfe3ff")
    p.arrow(320, 184, 252, 246)
    for n, y in enumerate([110, 150, 190]):
        p.labelled(530, y, 130, 30, "sk_connect", "#ffffff", code=True, size=12)
        p.arrow(530, y + 15, 478, 160 + 6 * n)
    p.labelled(320, 300, 150, 44, p.say("new socket for 1", "1번만의 새 소켓"), "#cfe3ff", size=13)
    p.arrow(250, 256, 392, 298)
    p.arrow(470, 322, 590, 322, both=True)
    p.text(600, 327, p.say("client 1", "클라이언트 1"), 13, anchor="start")
    p.text(
        490,
        392,
        p.say("Connecting succeeds while the program is still busy:", "프로그램이 바빠도 connect는 성공합니다."),
        12.5,
    )
    p.text(490, 410, p.say("the system shakes hands, the queue keeps them.", "악수는 운영체제가 하고, 큐가 붙잡아 둡니다."), 12.5)
    return p


def the_clients_road(language):
    p = Picture(720, 400, language)
    left, right = 190, 530
    p.text(left, 28, p.say("client", "클라이언트"), 16, weight="bold")
    p.text(right, 28, p.say("server's system", "서버의 운영체제"), 16, weight="bold")
    for x in (left, right):
        p.parts.append(f'<line x1="{x}" y1="40" x2="{x}" y2="380" stroke="#222" stroke-width="1.5"/>')
    p.labelled(20, 62, 130, 32, "sk_connect", "#f2f2f2", code=True, size=13)
    p.arrow(152, 78, left - 4, 78)
    p.arrow(left, 82, right - 4, 112)
    p.text(360, 88, "SYN", 13)
    p.arrow(right, 122, left + 4, 152)
    p.text(360, 128, "SYN + ACK", 13)
    p.arrow(left - 4, 156, 152, 156)
    p.text(146, 161, p.say("connected", "연결됨"), 13, anchor="end")
    p.arrow(left, 162, right - 4, 192)
    p.text(360, 168, "ACK", 13)
    p.text(right + 12, 198, p.say("in the queue", "큐에 들어감"), 13, anchor="start")
    p.labelled(20, 212, 130, 32, "sk_send", "#f2f2f2", code=True, size=13)
    p.arrow(left, 228, right - 4, 248)
    p.arrow(right, 268, left + 4, 288)
    p.labelled(20, 272, 130, 32, "sk_recv", "#f2f2f2", code=True, size=13)
    p.labelled(20, 332, 130, 32, "sk_close", "#f2f2f2", code=True, size=13)
    p.arrow(left, 348, right - 4, 368)
    p.text(360, 348, "FIN", 13)
    p.text(right + 12, 244, p.say("kept until", "accept될 때까지"), 13, anchor="start")
    p.text(right + 12, 262, p.say("it is accepted", "보관함"), 13, anchor="start")
    return p


def datagrams(language):
    p = Picture(720, 300, language)
    p.text(20, 34, p.say("stream (TCP)", "스트림 (TCP)"), 15, anchor="start", weight="bold")
    p.labelled(20, 50, 90, 46, p.say("sender", "보내는 쪽"), "#f2f2f2", size=13)
    p.labelled(610, 50, 90, 46, p.say("receiver", "받는 쪽"), "#f2f2f2", size=13)
    p.box(130, 60, 460, 26, "#cfe3ff")
    p.text(360, 78, "H e l l o ,   s e r v e r !   H o w   a r e   y o u ?", 13, code=True)
    p.text(360, 110, p.say("one pipe: all of it, in order, no borders between messages", "관 하나: 전부, 순서대로, 메시지의 경계는 없음"), 12.5)
    p.text(20, 160, p.say("datagrams (UDP)", "데이터그램 (UDP)"), 15, anchor="start", weight="bold")
    p.labelled(20, 180, 90, 46, p.say("sender", "보내는 쪽"), "#f2f2f2", size=13)
    p.labelled(610, 180, 90, 46, p.say("receiver", "받는 쪽"), "#f2f2f2", size=13)
    for x, n, lost in [(150, 4, False), (260, 2, False), (370, 3, True), (480, 1, False)]:
        p.box(x, 188, 80, 30, "#ffffff" if lost else "#cfe3ff", dashed=lost)
        p.text(x + 40, 208, f"#{n}", 13, code=True)
        if lost:
            p.parts.append(f'<path d="M{x + 8} 192 l64 22 m0 -22 l-64 22" stroke="#222" stroke-width="1.5"/>')
    p.arrow(112, 203, 146, 203)
    p.arrow(564, 203, 606, 203)
    p.text(360, 246, p.say("letters: each whole or not at all; #3 is lost, #2 and #4 may change places", "편지: 하나하나 통째로 오거나 오지 않음. 3번은 사라지고 2번과 4번은 순서가 바뀔 수 있음"), 12.5)
    p.text(360, 270, p.say("nobody tells the sender", "보낸 쪽은 아무 소식도 듣지 못함"), 12.5)
    return p


def streams(language):
    p = Picture(720, 400, language)
    left, right = 150, 570
    p.text(left, 28, "file_send", 15, weight="bold", code=True)
    p.text(right, 28, "file_recv", 15, weight="bold", code=True)
    for x in (left, right):
        p.parts.append(f'<line x1="{x}" y1="38" x2="{x}" y2="318" stroke="#222" stroke-width="1.5"/>')
    p.box(left + 20, 48, 380, 34, "#f2f2f2")
    p.text(360, 70, p.say("header: length of name, length of file, name", "헤더: 이름의 길이, 파일의 길이, 이름"), 13)
    p.arrow(left, 90, right - 4, 90)
    p.arrow(right, 122, left + 4, 122)
    p.text(360, 115, p.say("“go on”", "“보내십시오”"), 13)
    p.box(left + 20, 136, 380, 34, "#cfe3ff")
    p.text(360, 158, p.say("the bytes of the file, in order, none missing", "파일의 바이트: 순서대로, 빠짐없이"), 13)
    p.arrow(left, 178, right - 4, 178)
    p.box(left + 20, 192, 120, 34, "#f2f2f2")
    p.text(left + 80, 214, p.say("checksum", "체크섬"), 13)
    p.arrow(left, 234, right - 4, 234)
    p.arrow(right, 290, left + 4, 290)
    p.text(360, 266, p.say("“whole and identical”: only now is it certain", "“온전히 똑같이 도착”: 이때 비로소 확실해집니다"), 13)
    p.text(360, 284, p.say("(or why not, and how many bytes came)", "(아니면 그 이유와 도착한 바이트 수)"), 12)
    for x, words in ((left, p.say("reads along: 26a5…", "읽으며 계산: 26a5…")), (right, p.say("writes along: 26a5…", "쓰면서 계산: 26a5…"))):
        p.box(x - 75, 326, 150, 30, "#ffffff")
        p.text(x, 346, words, 12.5)
    p.arrow(left + 78, 341, right - 82, 341, dashed=True, both=True)
    p.text(360, 334, p.say("from disk to disk", "디스크에서 디스크까지"), 12)
    p.text(360, 380, p.say("TCP's own checksum has 16 bits, and covers only the way between the two systems.", "TCP 자체의 체크섬은 16비트이고, 두 시스템 사이의 길만 지켜 줍니다."), 12.5)
    return p


def both_directions(language):
    p = Picture(720, 360, language)
    names = [("ann", 3), ("bob", 1), ("carl", 12), ("dora", 0)]
    p.box(215, 40, 330, 270, "#f2f2f2")
    p.text(380, 32, p.say("chat_server: one thread", "chat_server: 스레드 하나"), 15, weight="bold")
    p.labelled(235, 130, 96, 60, p.say("poller", "폴러"), "#cfe3ff", size=14)
    p.text(283, 210, p.say("who spoke?", "누가 말했나?"), 12)
    p.text(283, 226, p.say("who has room?", "누가 받을 수 있나?"), 12)
    for n, (name, lines) in enumerate(names):
        y = 60 + 62 * n
        p.labelled(30, y, 90, 36, name, "#ffffff", size=14)
        p.arrow(122, y + 12, 233, 145 + 8 * n)
        p.text(446, y - 2, p.say(f"{name}'s queue", f"{name}의 큐"), 11.5)
        p.box(370, y + 4, 156, 26, "#ffffff")
        for line in range(lines):
            p.box(372 + 12.7 * line, y + 7, 11, 20, "#999999" if lines > 9 else "#cfe3ff")
        p.labelled(620, y, 70, 36, name, "#ffffff", size=14)
        if lines > 9:
            p.arrow(528, y + 17, 614, y + 17, dashed=True)
            p.text(571, y + 9, p.say("does not read", "읽지 않음"), 11)
        else:
            p.arrow(528, y + 17, 614, y + 17)
        p.arrow(333, 148 + 8 * n, 366, y + 17)
    p.text(360, 336, p.say("carl's queue is full: carl is dropped. Nobody else has waited for him.", "carl의 큐가 가득 차면 carl을 내보냅니다. 다른 사람은 아무도 기다리지 않습니다."), 13)
    return p


def ten_thousand(language):
    p = Picture(720, 350, language)
    p.text(160, 28, p.say("a thread for each client", "클라이언트마다 스레드 하나"), 15, weight="bold")
    for n in range(4):
        y = 48 + 44 * n
        p.labelled(30, y, 76, 32, p.say("client", "클라이언트"), "#ffffff", size=12.5)
        p.arrow(108, y + 16, 150, y + 16, both=True)
        p.labelled(154, y, 136, 32, p.say("thread + stack", "스레드 + 스택"), "#cfe3ff", size=12.5)
    p.text(160, 246, p.say("⋮  10,000 stacks, 10,000 things to schedule", "⋮  스택 만 개, 스케줄할 것 만 개"), 12.5)
    p.parts.append('<line x1="330" y1="20" x2="330" y2="270" stroke="#999" stroke-width="1" stroke-dasharray="4 4"/>')
    p.text(530, 28, p.say("one thread, one poller", "스레드 하나, 폴러 하나"), 15, weight="bold")
    for row in range(9):
        for column in range(8):
            ready = (row, column) in ((2, 5), (6, 3))
            p.parts.append(
                f'<circle cx="{362 + 15 * column}" cy="{58 + 21 * row}" r="5" '
                f'fill="{"#222" if ready else "#ffffff"}" stroke="#222" stroke-width="1.2"/>'
            )
    p.text(416, 256, p.say("10,000 sockets, 2 ready", "소켓 만 개, 준비된 것은 둘"), 12)
    p.labelled(520, 84, 80, 90, p.say("poller", "폴러"), "#f2f2f2", size=14)
    p.arrow(484, 129, 516, 129)
    p.labelled(634, 100, 70, 58, p.say("thread", "스레드"), "#cfe3ff", size=13.5)
    p.arrow(602, 129, 630, 129)
    p.text(617, 196, p.say("“these two”", "“이 둘입니다”"), 12.5)
    p.box(30, 286, 660, 46, "#ffffff", dashed=True)
    p.text(360, 305, p.say("No descriptor left? Give up the one kept in reserve, accept, say “full”, close,", "디스크립터가 없으면: 예비로 둔 하나를 내놓고, accept하고, “가득 참”을 알리고,"), 12.5)
    p.text(360, 323, p.say("take the reserve again. Else the client waits in the queue and the poller never rests.", "닫고, 예비를 다시 잡습니다. 아니면 클라이언트는 큐에 남고 폴러는 쉬지 못합니다."), 12.5)
    return p


def one_machine(language):
    p = Picture(720, 370, language)
    for x, name, number in [(30, p.say("client", "클라이언트"), 201), (280, p.say("server", "서버"), 100), (530, p.say("worker", "워커"), 101)]:
        p.box(x, 40, 160, 84, "#f2f2f2")
        p.text(x + 80, 30, p.say(f"{name}, process {number}", f"{name}, 프로세스 {number}"), 13.5, weight="bold")
    p.labelled(60, 78, 100, 32, p.say("socket", "소켓"), "#cfe3ff", size=13)
    p.labelled(310, 78, 100, 32, p.say("listener", "리스너"), "#cfe3ff", size=13)
    p.labelled(560, 78, 100, 32, p.say("socket", "소켓"), "#cfe3ff", size=13)
    p.box(30, 170, 660, 150, "#ffffff")
    p.text(360, 312, p.say("the system", "운영체제"), 13.5, weight="bold")
    p.arrow(110, 112, 110, 206, both=True)
    p.arrow(360, 112, 360, 166)
    p.text(368, 150, "/tmp/echo", 12, anchor="start", code=True)
    p.box(60, 208, 600, 34, "#cfe3ff")
    p.text(360, 230, p.say("the connection: bytes in memory, no packets, no checksums", "연결: 메모리 속의 바이트. 패킷도 체크섬도 없음"), 13)
    p.arrow(610, 112, 610, 206, both=True)
    p.arrow(442, 66, 526, 66)
    p.text(485, 57, "sk_send_handle", 9, code=True)
    p.text(485, 88, p.say("passes it on", "넘겨줌"), 11.5)
    p.text(360, 270, p.say("it noted at connect: process 201, user 1000, group 1000", "연결할 때 적어 둠: 프로세스 201, 사용자 1000, 그룹 1000"), 12.5)
    p.text(360, 288, p.say("(sk_peer_cred: nobody can lie about that)", "(sk_peer_cred: 속일 수 없음)"), 12)
    p.text(360, 348, p.say("The path only leads to the listener. The bytes never touch the disk.", "경로는 리스너를 찾는 데만 쓰입니다. 데이터는 디스크에 닿지 않습니다."), 13)
    return p


def main():
    for language, folder in LANGUAGES.items():
        what_is_a_socket(language).write(folder, "01-what-is-a-socket.svg")
        the_servers_road(language).write(folder, "02-the-servers-road.svg")
        the_clients_road(language).write(folder, "03-the-clients-road.svg")
        streams(language).write(folder, "04-streams.svg")
        datagrams(language).write(folder, "05-datagrams.svg")
        both_directions(language).write(folder, "07-both-directions.svg")
        ten_thousand(language).write(folder, "12-ten-thousand.svg")
        one_machine(language).write(folder, "13-one-machine.svg")


if __name__ == "__main__":
    main()

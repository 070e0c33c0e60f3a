#!/usr/bin/env python3
"""Draws the pictures of chapters 6, 10, 11 and 14, once in each language: python3 docs/guide/draw_realtime.py"""

from draw import LANGUAGES, Picture

GREY, BLUE, YELLOW = "#f2f2f2", "#cfe3ff", "#fff1c2"


def one_to_many(language):
    p = Picture(720, 330, language)
    kinds = [
        (p.say("unicast", "유니캐스트"), p.say("three sends, one to each", "세 번 송신, 하나에 한 번씩"), 3, (1, 1, 1)),
        (p.say("broadcast", "브로드캐스트"), p.say("one send, to everybody", "한 번 송신, 모두에게"), 1, (1, 1, 1)),
        (p.say("multicast", "멀티캐스트"), p.say("one send, to those who joined", "한 번 송신, 가입한 쪽에만"), 1, (1, 0, 1)),
    ]
    for column, (name, words, sends, hear) in enumerate(kinds):
        x = 20 + column * 235
        p.text(x + 105, 28, name, 16, weight="bold")
        p.text(x + 105, 48, words, 12)
        p.labelled(x + 55, 64, 100, 34, p.say("sender", "송신자"), BLUE, size=13)
        p.labelled(x + 30, 150, 150, 40, p.say("network", "네트워크"), GREY, size=13)
        for n in range(sends):
            at = x + 105 + (n - (sends - 1) / 2) * 30
            p.arrow(at, 98, at, 148)
        for n in range(3):
            at = x + 35 + n * 70
            if hear[n]:
                p.arrow(at, 190, at, 248)
            p.labelled(at - 32, 250, 64, 34, p.say("host", "호스트"), YELLOW if hear[n] else "#ffffff", size=12)
    p.text(
        360, 316,
        p.say(
            "With broadcast and multicast the network makes the copies, as late as it can.",
            "브로드캐스트와 멀티캐스트에서는 네트워크가 되도록 늦게 복사본을 만듭니다.",
        ),
        13,
    )
    return p


def live_video(language):
    p = Picture(720, 330, language)
    sent, under_way = [0, 1, 2, 3, 4, 5], [60, 95, 50, None, 130, 62]
    p.text(20, 36, p.say("sender: a picture each 33 ms", "송신자: 33 ms마다 한 장"), 13, "start")
    p.text(20, 316, p.say("viewer: shows what has come, when the next one begins", "시청자: 다음 장이 시작되면 그때까지 온 것을 보여 줌"), 13, "start")
    for y in (70, 240):
        p.arrow(20, y, 700, y)
    p.text(690, 62, p.say("time", "시간"), 12)
    for n, delay in zip(sent, under_way):
        x = 60 + n * 85
        p.labelled(x - 15, 50, 30, 30, str(n + 1), BLUE, size=13)
        if delay is None:
            p.arrow(x, 82, x + 30, 150, dashed=True)
            p.text(x + 34, 172, p.say("lost", "손실"), 12)
            continue
        p.arrow(x, 82, x + delay, 222)
        p.labelled(x + delay - 15, 225, 30, 30, str(n + 1), YELLOW, size=13)
    p.text(
        360, 288,
        p.say("uneven distances on arrival: jitter", "도착 간격이 들쭉날쭉함: 지터(jitter)"), 13, weight="bold",
    )
    return p


def game(language):
    p = Picture(720, 330, language)
    p.labelled(270, 30, 180, 250, "", GREY)
    p.text(360, 56, p.say("server", "서버"), 16, weight="bold")
    for n, words in enumerate([
        p.say("hear all that came", "온 것을 모두 듣고"),
        p.say("move everybody", "모두를 움직이고"),
        p.say("tell everybody", "모두에게 알림"),
    ]):
        p.labelled(285, 78 + n * 56, 150, 38, words, "#ffffff", size=12)
        if n:
            p.arrow(360, 60 + n * 56, 360, 78 + n * 56)
    p.text(360, 262, p.say("30 times a second", "1초에 30번"), 13)
    for x, side, names in [(20, 1, "AB"), (600, -1, "CD")]:
        for n, name in enumerate(names):
            y = 70 + n * 120
            p.labelled(x, y, 100, 60, p.say("player ", "플레이어 ") + name, YELLOW, size=13)
            near, far = (122, 268) if side == 1 else (598, 452)
            p.arrow(near, y + 18, far, y + 18)
            p.arrow(far, y + 44, near, y + 44)
            p.text((near + far) / 2, y + 12, "MOVE", 11, code=True)
            p.text((near + far) / 2, y + 60, "STATE", 11, code=True)
    p.text(
        360, 312,
        p.say(
            "Each datagram says all there is to know now: the next one makes up for a lost one.",
            "데이터그램마다 지금 알아야 할 전부가 들어 있어, 하나를 잃어도 다음 것이 메워 줍니다.",
        ),
        13,
    )
    return p


def tools(language):
    p = Picture(720, 330, language)
    p.labelled(20, 60, 130, 46, p.say("standard input", "표준 입력"), YELLOW, size=13)
    p.labelled(20, 190, 130, 46, p.say("standard output", "표준 출력"), YELLOW, size=13)
    p.box(220, 30, 250, 236, GREY)
    p.text(345, 54, "skcat", 15, code=True, weight="bold")
    p.labelled(250, 66, 190, 36, p.say("waits to be sent", "보내기를 기다림"), "#ffffff", size=12)
    p.labelled(250, 195, 190, 36, p.say("waits to be written", "쓰기를 기다림"), "#ffffff", size=12)
    p.text(345, 150, p.say("one poll(2) watches all three", "poll(2) 하나가 셋을 모두 지켜봄"), 12)
    p.labelled(560, 120, 130, 60, p.say("socket", "소켓"), BLUE, size=14)
    p.arrow(150, 83, 248, 83)
    p.arrow(440, 83, 575, 118)
    p.arrow(575, 182, 440, 213)
    p.arrow(248, 213, 152, 213)
    p.text(
        360, 306,
        p.say(
            "Either direction may end, or be held up, without the other.",
            "한쪽 방향이 끝나거나 막혀도 다른 쪽은 계속됩니다.",
        ),
        13,
    )
    return p


if __name__ == "__main__":
    for code, folder in LANGUAGES.items():
        for name, draw in [
            ("06-one-to-many", one_to_many),
            ("10-live-video", live_video),
            ("11-online-games", game),
            ("14-tools", tools),
        ]:
            draw(code).write(folder, name + ".svg")

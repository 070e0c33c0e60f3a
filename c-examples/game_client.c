/* game_client: a player of game_server, in the terminal or, as --bot, by itself. Thirty times a
 * second it says where it wants to go and shows the newest state of the world that has come.
 * What is said, and why a lost datagram does no harm, is in game.h. */
#define _POSIX_C_SOURCE 200809L
#include "game.h"
#include <termios.h>
#include <unistd.h>

static const char usage[] =
    "usage: game_client [--bot] [--seconds N] HOST PORT | --self-test\n"
    "Plays on a game_server: arrow keys or w, a, s, d steer, space stops, q ends.\n"
    "  --bot        no terminal: goes for the coin by itself and prints a line each second\n"
    "  --seconds N  end after so long (0: only q or Ctrl-C ends it)\n"
    "HOST is a name or an address; one with a colon in it is IPv6.\n";

static int is_bot = 1;
static struct termios before; /* how the terminal was */
static int has_changed;

/* Keys come at once and unseen, and a read that finds none returns. */
static int begin_terminal(void) {
    struct termios raw;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0) {
        fputs("this is no terminal: --bot plays without one\n", stderr);
        return 0;
    }
    raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    has_changed = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    fputs("\033[?25l\033[2J", stdout); /* no cursor, empty screen */
    return has_changed;
}

static void end_terminal(void) {
    if (has_changed) {
        fputs("\033[?25h\n", stdout);
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    }
}

/* Where the keys pressed since the last look say to go. 0: the player has had enough. */
static int read_keys(enum direction *direction) {
    char keys[32];
    ssize_t i, count = read(STDIN_FILENO, keys, sizeof keys);
    for (i = 0; i < count; i++) {
        char key = keys[i];
        if (key == '\033' && i + 2 < count && keys[i + 1] == '[') { /* an arrow: ESC [ and A to D */
            key = keys[i + 2];
            i += 2;
        }
        if (key == 'q')
            return 0;
        if (key == ' ')
            *direction = STAY;
        else if (key == 'A' || key == 'w')
            *direction = UP;
        else if (key == 'B' || key == 's')
            *direction = DOWN;
        else if (key == 'C' || key == 'd')
            *direction = RIGHT;
        else if (key == 'D' || key == 'a')
            *direction = LEFT;
    }
    return 1;
}

/* The world, written over the last picture. */
static void draw(const struct player *p) {
    static char cells[HEIGHT][WIDTH];
    const struct world *w = &p->world;
    int i, x, y;
    memset(cells, ' ', sizeof cells);
    if (w->coin_x < WIDTH && w->coin_y < HEIGHT)
        cells[w->coin_y][w->coin_x] = '$';
    for (i = 0; i < w->count; i++)
        if (w->players[i].x < WIDTH && w->players[i].y < HEIGHT)
            cells[w->players[i].y][w->players[i].x] = (char)('A' + w->players[i].id % PLAYERS);
    fputs("\033[H+", stdout); /* to the top left corner */
    for (x = 0; x < WIDTH; x++)
        putchar('-');
    fputs("+\n", stdout);
    for (y = 0; y < HEIGHT; y++) {
        putchar('|');
        for (x = 0; x < WIDTH; x++) {
            char c = cells[y][x];
            if (c == '$')
                fputs("\033[1;33m$\033[0m", stdout);
            else if (c != ' ')
                printf("\033[1;%d;%dm%c\033[0m", 37, 41 + (c - 'A') % 6, c);
            else
                putchar(' ');
        }
        fputs("|\n", stdout);
    }
    putchar('+');
    for (x = 0; x < WIDTH; x++)
        putchar('-');
    fputs("+\n", stdout);
    for (i = 0; i < w->count; i++)
        printf(" %c%s %d ", 'A' + w->players[i].id % PLAYERS, w->players[i].id == w->you ? " (you)" : "",
               w->players[i].score);
    printf("\033[K\n tick %lu, round trip %.0f ms, states missed %ld\033[K\n", (unsigned long)w->tick,
           p->round_trip_ms, player_missed(p));
    fflush(stdout);
}

/* The world in words. */
static void describe(const struct player *p) {
    const struct world *w = &p->world;
    int i;
    printf("tick %lu:", (unsigned long)w->tick);
    for (i = 0; i < w->count; i++)
        printf(" %c%s (%d,%d) %d", 'A' + w->players[i].id % PLAYERS, w->players[i].id == w->you ? "=me" : "",
               w->players[i].x, w->players[i].y, w->players[i].score);
    printf("; round trip %.0f ms\n", p->round_trip_ms);
}

/* Whether the game goes on; says why where it does not. */
static int is_alive(const struct player *p) {
    if (p->full)
        fputs("the server has no room for another player\n", stderr);
    else if (clock_us() - p->heard > SILENCE_US)
        fputs(p->states > 0 ? "the server has fallen silent\n" : "no game server answers there\n", stderr);
    else
        return 1;
    return 0;
}

/* Until time is up, the player has had enough, or the server has. 0: something failed. */
static int play(struct player *p, sk_handle poller, long seconds) {
    enum direction direction = STAY;
    int64_t next = clock_us(), next_line = next + 1000000;
    int64_t end = seconds == 0 ? NEVER : next + (int64_t)seconds * 1000000;
    int good = 1;
    uint32_t drawn = 0;
    while (good && !stopping && clock_us() < end) {
        sk_event event;
        good = check("sk_poller_wait",
                     sk_poller_wait(poller, &event, 1, ms_until(earlier(next, end)))) >= 0 &&
               player_hear(p) && is_alive(p);
        if (!is_bot && p->world.tick != drawn && p->states > 0) {
            draw(p);
            drawn = p->world.tick;
        }
        if (good && clock_us() >= next) {
            if (is_bot)
                direction = player_greed(p);
            else if (!read_keys(&direction))
                break;
            good = player_move(p, direction);
            next = clock_us() + TICK_US;
        }
        if (is_bot && clock_us() >= next_line && p->states > 0) {
            describe(p);
            next_line += 1000000;
        }
    }
    return good;
}

static int run(const char *host, uint16_t port, long seconds) {
    static struct player p;
    sk_handle poller = check("sk_poller", sk_poller());
    int good = poller > 0 && catch_interrupts(poller) && player_open(&p, host, port) &&
               check("sk_poller_add", sk_poller_add(poller, p.socket, SK_READABLE, 0)) == SK_OK &&
               (is_bot || begin_terminal()) && play(&p, poller, seconds);
    end_terminal();
    if (p.states > 0)
        player_leave(&p);
    if (good)
        printf("end: %ld states seen, %ld missed, %ld came too late or twice\n", p.states, player_missed(&p),
               p.late);
    sk_close(p.socket);
    sk_close(poller);
    return good || stopping;
}

/* Plays the server by a script: what it says, the player must have understood. */
static sk_handle script;
static sk_addr player_address;

/* The next MOVE of the player, or 0 where none comes. */
static int hear_move(struct player *p, enum direction direction, uint32_t *key, uint32_t *seq) {
    unsigned char data[64];
    int64_t got = 0;
    int tries, good = 1;
    /* As players do: what got lost, the next one says. */
    for (tries = 0; tries < 10 && good && got == 0; tries++) {
        good = player_move(p, direction);
        got = check("sk_wait", sk_wait(script, SK_READABLE, 200));
    }
    if (!good || got < 1)
        return 0;
    got = check("sk_recv_from", sk_recv_from(script, data, sizeof data, 0, &player_address));
    if (got < 0 || kind_of(data, (size_t)got) != MOVE)
        return 0;
    *key = get32(data + 4);
    *seq = get32(data + 8);
    return data[12] == (unsigned char)direction;
}

/* Waits until the player has taken it, whatever it is. */
static int say(struct player *p, const void *data, size_t length) {
    long before = p->heard_count;
    int64_t sent = check("sk_send_to", sk_send_to(script, data, length, 0, &player_address));
    int tries, good = sent == (int64_t)length;
    for (tries = 0; good && tries < 20 && p->heard_count == before; tries++)
        good = check("sk_wait", sk_wait(p->socket, SK_READABLE, 5000)) == 1 && player_hear(p);
    return good;
}

static int say_state(struct player *p, uint32_t tick, uint32_t seq, int x) {
    unsigned char data[26] = {0};
    begin_datagram(data, STATE);
    put32(data + 4, tick);
    put32(data + 8, seq);
    data[12] = 1; /* you are B */
    data[13] = 9;
    data[14] = 5;
    data[15] = 2;
    data[17] = 3;
    data[18] = 5;
    data[21] = 1;
    data[22] = (unsigned char)x;
    data[23] = 5;
    put16(data + 24, 300);
    return say(p, data, sizeof data - (x < 0)); /* one that is cut */
}

static int self_test(void) {
    static struct player p;
    unsigned char key_datagram[8], full[4];
    sk_addr address;
    uint32_t key, seq;
    int good;
    script = check("sk_socket", sk_socket(SK_INET, SK_DGRAM, SK_PROTO_UDP));
    good = check("sk_bind", sk_bind(script, "127.0.0.1", 0)) == SK_OK &&
           check("sk_set_timeout", sk_set_timeout(script, 5000)) == SK_OK &&
           check("sk_local_addr", sk_local_addr(script, &address)) == SK_OK &&
           player_open(&p, "127.0.0.1", address.port);

    puts("-- the first move asks for the key");
    good = good && hear_move(&p, STAY, &key, &seq) && key == 0;
    put32(key_datagram + begin_datagram(key_datagram, KEY), 4711);
    good = good && say(&p, key_datagram, sizeof key_datagram) && hear_move(&p, RIGHT, &key, &seq) &&
           key == 4711;

    puts("-- states are shown; late, repeated and senseless ones are not");
    good = good && say_state(&p, 100, seq, 7) && p.states == 1;
    describe(&p);
    good = good && say_state(&p, 103, seq, 8) && say_state(&p, 101, seq, 7) && say_state(&p, 103, seq, 7) &&
           say(&p, "sg\1\5 nonsense", 13) && say(&p, "", 0) && say_state(&p, 104, seq, -1);
    describe(&p);
    good = good && p.world.players[1].x == 8 && p.world.players[1].score == 300 && p.world.tick == 103 &&
           p.states == 2 && p.late == 2 && p.strange == 3 && player_missed(&p) == 2 &&
           player_greed(&p) == RIGHT && is_alive(&p);

    puts("-- a server that is full, and one that has gone");
    fflush(stdout);
    good = good && say(&p, full, begin_datagram(full, FULL)) && p.full;
    sk_close(script);
    good = good && player_move(&p, STAY) && player_hear(&p);
    sk_close(p.socket);
    return good;
}

int main(int argc, char **argv) {
    long port, seconds = 0;
    int i = 1, status;
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    is_bot = argc > 1 && strcmp(argv[1], "--bot") == 0;
    i += is_bot;
    if (i + 1 < argc && option(argv + i, "--seconds", 0, 1000000, &seconds))
        i += 2;
    if (i + 2 != argc || !number(argv[i + 1], 1, 65535, &port)) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    return finish(run(argv[i], (uint16_t)port, seconds));
}

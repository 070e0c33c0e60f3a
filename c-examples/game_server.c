/* game_server: a game for many players over UDP. The server owns the world. Thirty times a second
 * it moves everybody by what it heard last, and tells everybody how the world is now. It never
 * waits for a datagram: who is not heard stands still or goes on, and the game with him.
 * What is said, and why a lost datagram does no harm, is in game.h. */
#define _POSIX_C_SOURCE 200809L
#include "game.h"
#include "lossy.h"

static const char usage[] =
    "usage: game_server [--host ADDRESS] [--port N] [--ticks N] | --self-test\n"
    "Runs the game that game_client plays: up to 16 players, who gets the coin?\n"
    "  --host ADDRESS  where to play (127.0.0.1)\n"
    "  --port N        0 takes any free one and prints it (0)\n"
    "  --ticks N       end after N ticks, 30 a second (0: only Ctrl-C ends it)\n";

enum { TICKS_A_STEP = 3, SILENT_TICKS = 90 };

struct guest {
    int here;
    sk_addr address;
    uint32_t number; /* of the newest MOVE */
    long heard;      /* the tick */
    int x, y, direction, score;
};

static struct {
    sk_handle socket;
    uint64_t secret, random;
    int64_t next; /* when the next tick is due */
    long tick, silent_ticks, moves, late, strange, skipped;
    int coin_x, coin_y;
    struct guest guests[PLAYERS];
} game;

static void place_coin(void) {
    game.coin_x = (int)(chance(&game.random) % WIDTH);
    game.coin_y = (int)(chance(&game.random) % HEIGHT);
}

static int game_open(const sk_addr *where) {
    sk_addr own;
    char text[SK_ADDR_STRLEN];
    game.silent_ticks = SILENT_TICKS;
    game.socket = check("sk_socket", sk_socket(where->family, SK_DGRAM, SK_PROTO_UDP));
    if (game.socket < 0 || !draw_secret(&game.secret) || !draw_secret(&game.random) ||
        check("sk_bind_addr", sk_bind_addr(game.socket, where)) < 0 ||
        check("sk_local_addr", sk_local_addr(game.socket, &own)) < 0 ||
        check("sk_addr_format", sk_addr_format(&own, text, sizeof text)) < 0)
        return 0;
    printf("bind:  %s\n", text);
    place_coin();
    game.next = clock_us() + TICK_US;
    return 1;
}

static int tell(const sk_addr *to, const unsigned char *data, size_t length) {
    int64_t sent = sk_send_to(game.socket, data, length, SK_DONTWAIT, to);
    return is_sent_or_lost(sent) || check("sk_send_to", sent) >= 0;
}

static char letter(const struct guest *guest) {
    return (char)('A' + (guest - game.guests));
}

static void leave(struct guest *guest, const char *why) {
    printf("leave: player %c %s, score %d\n", letter(guest), why, guest->score);
    guest->here = 0;
}

/* Somebody with the right key whom we don't know. */
static int join(const sk_addr *from, uint32_t number, int direction) {
    unsigned char full[4];
    char text[SK_ADDR_STRLEN];
    int i;
    for (i = 0; i < PLAYERS && game.guests[i].here; i++)
        continue;
    if (i == PLAYERS)
        return tell(from, full, begin_datagram(full, FULL));
    memset(&game.guests[i], 0, sizeof game.guests[i]);
    game.guests[i].here = 1;
    game.guests[i].address = *from;
    game.guests[i].number = number;
    game.guests[i].heard = game.tick;
    game.guests[i].direction = direction;
    game.guests[i].x = (int)(chance(&game.random) % WIDTH);
    game.guests[i].y = (int)(chance(&game.random) % HEIGHT);
    sk_addr_format(from, text, sizeof text);
    printf("join:  player %c from %s\n", letter(&game.guests[i]), text);
    return 1;
}

/* Whether somebody has this place, or had it until a moment ago: his late datagrams must not bring
 * him back as a ghost. */
static int is_known(const struct guest *guest) {
    return guest->here ||
           (guest->address.family != SK_UNSPEC && game.tick - guest->heard <= game.silent_ticks);
}

/* One datagram. 0: the socket failed. */
static int heed(const unsigned char *data, size_t length, const sk_addr *from) {
    struct guest *guest = NULL;
    int i, kind = kind_of(data, length);
    uint32_t key = key_of(from, game.secret), number;
    if ((kind != MOVE && kind != BYE) || (kind == MOVE && data[12] > RIGHT)) {
        game.strange++;
        return 1;
    }
    if (get32(data + 4) != key) { /* the answer is no longer than the question */
        unsigned char answer[8];
        put32(answer + begin_datagram(answer, KEY), key);
        return kind == BYE || tell(from, answer, sizeof answer);
    }
    number = get32(data + 8);
    for (i = 0; i < PLAYERS; i++)
        if (is_known(&game.guests[i]) && sk_addr_equal(&game.guests[i].address, from))
            guest = &game.guests[i];
    if (guest != NULL && !is_newer(number, guest->number)) {
        game.late++; /* a newer one has been here already, be it a goodbye */
    } else if (kind == BYE) {
        if (guest != NULL && guest->here) {
            guest->number = number;
            leave(guest, "said goodbye");
        }
    } else if (guest == NULL || !guest->here) {
        return join(from, number, data[12]);
    } else {
        guest->number = number;
        guest->direction = data[12];
        guest->heard = game.tick;
        game.moves++;
    }
    return 1;
}

static int game_hear(void) {
    unsigned char data[LARGEST + 1];
    sk_addr from;
    int i;
    for (i = 0; i < 256; i++) { /* not for ever: the next tick waits */
        int64_t got = sk_recv_from(game.socket, data, sizeof data, SK_DONTWAIT, &from);
        if (got < 0)
            return is_harmless(got) || check("sk_recv_from", got) >= 0;
        if (!heed(data, (size_t)got, &from))
            return 0;
    }
    return 1;
}

static void step(struct guest *guest) {
    guest->x += guest->direction == RIGHT && guest->x < WIDTH - 1;
    guest->x -= guest->direction == LEFT && guest->x > 0;
    guest->y += guest->direction == DOWN && guest->y < HEIGHT - 1;
    guest->y -= guest->direction == UP && guest->y > 0;
    if (guest->x == game.coin_x && guest->y == game.coin_y) {
        guest->score++;
        place_coin();
    }
}

/* How the world is now, to everybody. Only the number and the id differ. */
static int tell_all(void) {
    unsigned char data[LARGEST];
    size_t length = begin_datagram(data, STATE) + 12;
    int i;
    put32(data + 4, (uint32_t)game.tick);
    data[13] = (unsigned char)game.coin_x;
    data[14] = (unsigned char)game.coin_y;
    data[15] = 0;
    for (i = 0; i < PLAYERS; i++) {
        const struct guest *guest = &game.guests[i];
        if (!guest->here)
            continue;
        data[length] = (unsigned char)i;
        data[length + 1] = (unsigned char)guest->x;
        data[length + 2] = (unsigned char)guest->y;
        put16(data + length + 3, (uint16_t)guest->score);
        length += 5;
        data[15]++;
    }
    for (i = 0; i < PLAYERS; i++) {
        put32(data + 8, game.guests[i].number);
        data[12] = (unsigned char)i;
        if (game.guests[i].here && !tell(&game.guests[i].address, data, length))
            return 0;
    }
    return 1;
}

/* Where it is time: one tick. Who comes too late skips some, rather than hurry after the clock. */
static int game_tick(void) {
    int64_t now = clock_us();
    int i;
    if (now < game.next)
        return 1;
    for (game.next += TICK_US; game.next <= now; game.next += TICK_US)
        game.skipped++;
    game.tick++;
    for (i = 0; i < PLAYERS; i++) {
        if (game.guests[i].here && game.tick - game.guests[i].heard > game.silent_ticks)
            leave(&game.guests[i], "fell silent");
        if (game.guests[i].here && game.tick % TICKS_A_STEP == 0)
            step(&game.guests[i]);
    }
    return tell_all();
}

static void report(void) {
    printf("end:   %ld ticks (%ld skipped), %ld moves in time, %ld too late, %ld strange datagrams\n",
           game.tick, game.skipped, game.moves, game.late, game.strange);
}

static int serve(const sk_addr *where, long ticks) {
    sk_handle poller = check("sk_poller", sk_poller());
    int good = poller > 0 && catch_interrupts(poller) && game_open(where) &&
               check("sk_poller_add", sk_poller_add(poller, game.socket, SK_READABLE, 0)) == SK_OK;
    while (good && !stopping && (ticks == 0 || game.tick < ticks)) {
        sk_event event;
        good = check("sk_poller_wait", sk_poller_wait(poller, &event, 1, ms_until(game.next))) >= 0 &&
               game_hear() && game_tick();
    }
    if (good)
        report();
    sk_close(poller);
    return good || stopping;
}

enum { BOTS = 4, TEST_TICKS = 60, TEST_SILENT_TICKS = 15, TEST_LIMIT_US = 9000000 };

struct bot {
    struct player player;
    int moves_seen[PLAYERS]; /* how often each player was seen to have moved */
    struct world before;
};

static void watch(struct bot *bot) {
    int i, j;
    for (i = 0; i < bot->player.world.count; i++) {
        const struct seen_player *now = &bot->player.world.players[i];
        for (j = 0; j < bot->before.count; j++) {
            const struct seen_player *before = &bot->before.players[j];
            if (now->id == before->id && now->id < PLAYERS && (now->x != before->x || now->y != before->y))
                bot->moves_seen[now->id]++;
        }
    }
    bot->before = bot->player.world;
}

/* One turn of everything: server, bad network, and the bots that still play. */
static int turn(sk_handle poller, struct lossy *network, struct bot *bots, int playing, int64_t *next_move) {
    sk_event events[16];
    int64_t until = earlier(earlier(game.next, *next_move), lossy_next(network));
    int64_t i, count = check("sk_poller_wait", sk_poller_wait(poller, events, 16, ms_until(until)));
    int good = count >= 0, b;
    for (i = 0; i < count && good; i++)
        good = lossy_event(network, events[i].handle);
    good = good && lossy_due(network) && game_hear() && game_tick();
    for (b = 0; b < BOTS && good; b++) {
        good = player_hear(&bots[b].player);
        watch(&bots[b]);
        /* Each walks back and forth, so that the others have something to see. */
        if (good && b < playing && clock_us() >= *next_move)
            good = player_move(&bots[b].player, game.tick / 15 % 2 ? LEFT : RIGHT);
    }
    if (clock_us() >= *next_move)
        *next_move = clock_us() + TICK_US;
    return good;
}

static int everybody_saw_everybody(const struct bot *bots) {
    int b, other;
    for (b = 0; b < BOTS; b++)
        for (other = 0; other < BOTS; other++)
            if (bots[b].moves_seen[other] < 3)
                return 0;
    return 1;
}

static int here(void) {
    int i, count = 0;
    for (i = 0; i < PLAYERS; i++)
        count += game.guests[i].here;
    return count;
}

/* Four bots play through a network that loses, repeats, reorders and delays. */
static int self_test(void) {
    static const struct lossy_settings bad = {15, 5, 5, 20, 10, 3};
    static struct lossy network;
    static struct bot bots[BOTS];
    sk_handle poller = check("sk_poller", sk_poller());
    sk_addr address, front;
    int64_t end = clock_us() + TEST_LIMIT_US, next_move = 0;
    long missed = 0, late = 0;
    int b, opened = 0, good = poller > 0 && sk_addr_parse("127.0.0.1", &front) == SK_OK;

    puts("-- 15 % of all datagrams are lost, 5 % repeated, 5 % reordered; 10 to 30 ms under way");
    good = good && game_open(&front) &&
           check("sk_local_addr", sk_local_addr(game.socket, &address)) == SK_OK &&
           check("sk_poller_add", sk_poller_add(poller, game.socket, SK_READABLE, 0)) == SK_OK;
    opened = good;
    good = good && lossy_open(&network, poller, &front, &address, &bad) &&
           check("sk_local_addr", sk_local_addr(network.front, &address)) == SK_OK;
    for (b = 0; b < BOTS && good; b++)
        good = player_open(&bots[b].player, "127.0.0.1", address.port) &&
               check("sk_poller_add", sk_poller_add(poller, bots[b].player.socket, SK_READABLE, 0)) == SK_OK;
    while (good && (game.tick < TEST_TICKS || !everybody_saw_everybody(bots)) && clock_us() < end)
        good = turn(poller, &network, bots, BOTS, &next_move);
    good = good && everybody_saw_everybody(bots);
    for (b = 0; b < BOTS; b++) {
        missed += player_missed(&bots[b].player);
        late += bots[b].player.late;
    }
    printf("bots:  each saw all %d move, though %s states were lost and %s came too late\n", BOTS,
           missed > 0 ? "some" : "NO", late > 0 ? "some" : "NO");
    good = good && missed > 0 && late > 0 && game.late > 0;

    puts("-- one says goodbye, one falls silent, the others play on; a stranger talks nonsense");
    game.silent_ticks = TEST_SILENT_TICKS;
    network.settings.loss = 0;
    if (good) {
        player_leave(&bots[BOTS - 1].player);
        good = check("sk_send", sk_send(bots[BOTS - 1].player.socket, "nonsense", 8, 0)) == 8;
    }
    while (good && (here() > BOTS - 2 || game.strange == 0) && clock_us() < end)
        good = turn(poller, &network, bots, BOTS - 2, &next_move);
    good = good && here() == BOTS - 2 && game.strange == 1;
    report();
    for (b = 0; b < BOTS; b++)
        sk_close(bots[b].player.socket);
    if (opened)
        lossy_close(&network);
    sk_close(game.socket);
    sk_close(poller);
    return good;
}

int main(int argc, char **argv) {
    sk_addr where;
    const char *host = "127.0.0.1";
    long port = 0, ticks = 0;
    int i, good, status;
    if (is_answered(argc, argv, usage, self_test, &status))
        return status;
    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--host") == 0)
            host = argv[i + 1];
        else if (!option(argv + i, "--port", 0, 65535, &port) &&
                 !option(argv + i, "--ticks", 0, 1000000000, &ticks))
            break;
    }
    if (i < argc || sk_addr_parse(host, &where) != SK_OK || where.port != 0 || where.family == SK_UNIX) {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    where.port = (uint16_t)port;
    good = serve(&where, ticks);
    sk_close(game.socket);
    return finish(good);
}

/* game.h: what game_server and game_client say to each other, and the player's side of it, which
 * the bots in the tests share.
 *
 * Datagrams, numbers with their high byte first. Each begins "sg", version, kind:
 *
 *   MOVE   key 4, number 4, direction 1       player -> server, 30 times a second
 *   BYE    key 4, number 4                    player -> server
 *   KEY    key 4                              server -> player, where MOVE had the wrong key
 *   FULL                                      server -> player
 *   STATE  tick 4, number 4, you 1, coin x 1, y 1, players 1, for each: id 1, x 1, y 1, score 2
 *
 * No datagram is sent again. Each says all there is to know now (where I want to go, how the
 * world is), so the next one makes up for a lost one, and one that comes late is thrown away.
 * The key shows that a player receives at the address he sends from: without it anybody could
 * join in another's name, and the server would send that other 30 datagrams a second. */
#ifndef GAME_H
#define GAME_H

#include "common.h"

enum {
    WIDTH = 48, /* the world, in cells */
    HEIGHT = 14,
    PLAYERS = 16, /* at most */
    TICK_US = 1000000 / 30,
    LARGEST = 12 + 4 + 5 * PLAYERS,
    SILENCE_US = 3000000 /* so long without a word, and a player gives the server up */
};

enum kind { MOVE = 1, BYE, KEY, FULL, STATE };

enum direction { STAY, UP, DOWN, LEFT, RIGHT };

struct seen_player {
    int id, x, y, score;
};

struct world { /* as a player sees it */
    uint32_t tick;
    int you, coin_x, coin_y, count;
    struct seen_player players[PLAYERS];
};

struct player {
    sk_handle socket; /* connected to the server: it hears nobody else */
    uint32_t key, number, first_tick;
    int full; /* the server said so */
    int64_t heard;
    int64_t sent_at[32];        /* by the last bits of a MOVE's number */
    long heard_count;
    long states, late, strange; /* states seen, states that came behind a newer one, nonsense */
    double round_trip_ms;       /* smoothed; 0 before the first */
    struct world world;
};

static inline size_t begin_datagram(unsigned char *data, enum kind kind) {
    data[0] = 's';
    data[1] = 'g';
    data[2] = 1;
    data[3] = (unsigned char)kind;
    return 4;
}

/* The kind of a datagram, 0 where it is none of ours. Its length is right for its kind. */
static inline int kind_of(const unsigned char *data, size_t length) {
    static const size_t lengths[] = {0, 13, 12, 8, 4};
    if (length < 4 || data[0] != 's' || data[1] != 'g' || data[2] != 1 || data[3] < MOVE || data[3] > STATE)
        return 0;
    if (data[3] == STATE)
        return length >= 16 && data[15] <= PLAYERS && length == 16 + 5 * (size_t)data[15] ? STATE : 0;
    return length == lengths[data[3]] ? data[3] : 0;
}

/* The first datagram goes with player_move. p->socket is to be closed by sk_close. */
static inline int player_open(struct player *p, const char *host, uint16_t port) {
    memset(p, 0, sizeof *p);
    p->heard = clock_us();
    p->socket =
        check("sk_socket", sk_socket(strchr(host, ':') != NULL ? SK_INET6 : SK_INET, SK_DGRAM, SK_PROTO_UDP));
    return p->socket > 0 && check("sk_connect", sk_connect(p->socket, host, port)) == SK_OK;
}

/* Tells the server where to go; the first times, this only asks for the key. */
static inline int player_move(struct player *p, enum direction direction) {
    unsigned char data[13];
    size_t length = begin_datagram(data, MOVE);
    int64_t sent;
    put32(data + length, p->key);
    put32(data + length + 4, ++p->number);
    data[length + 8] = (unsigned char)direction;
    p->sent_at[p->number % 32] = clock_us();
    sent = sk_send(p->socket, data, sizeof data, SK_DONTWAIT);
    return is_sent_or_lost(sent) || check("sk_send", sent) >= 0;
}

static inline void player_leave(struct player *p) {
    unsigned char data[12];
    put32(data + begin_datagram(data, BYE), p->key);
    put32(data + 8, ++p->number);
    sk_send(p->socket, data, sizeof data, SK_DONTWAIT); /* lost: the server misses us soon */
}

/* Takes over a state that is newer than the last. */
static inline void player_look(struct player *p, const unsigned char *data) {
    uint32_t tick = get32(data + 4), number = get32(data + 8);
    int i;
    if (p->states > 0 && !is_newer(tick, p->world.tick)) {
        p->late++;
        return;
    }
    if (p->states++ == 0)
        p->first_tick = tick;
    if (p->number - number < 32) {
        double ms = (double)(clock_us() - p->sent_at[number % 32]) / 1000;
        p->round_trip_ms += p->round_trip_ms == 0 ? ms : (ms - p->round_trip_ms) / 8;
    }
    p->world.tick = tick;
    p->world.you = data[12];
    p->world.coin_x = data[13];
    p->world.coin_y = data[14];
    p->world.count = data[15];
    for (i = 0; i < p->world.count; i++) {
        const unsigned char *at = data + 16 + 5 * i;
        struct seen_player *seen = &p->world.players[i];
        seen->id = at[0];
        seen->x = at[1];
        seen->y = at[2];
        seen->score = get16(at + 3);
    }
}

/* Hears everything that has come. 0: the socket failed. */
static inline int player_hear(struct player *p) {
    unsigned char data[LARGEST + 1];
    int i;
    for (i = 0; i < 64; i++) {
        int64_t got = sk_recv(p->socket, data, sizeof data, SK_DONTWAIT);
        int kind;
        if (got < 0)
            return is_harmless(got) || check("sk_recv", got) >= 0;
        p->heard_count++;
        kind = kind_of(data, (size_t)got);
        if (kind == KEY)
            p->key = get32(data + 4);
        else if (kind == FULL)
            p->full = 1;
        else if (kind == STATE)
            player_look(p, data);
        else
            p->strange++;
        if (kind == KEY || kind == STATE)
            p->heard = clock_us();
    }
    return 1;
}

/* States that a newer one was here before: lost on the way, or late. */
static inline long player_missed(const struct player *p) {
    return p->states == 0 ? 0 : (long)(p->world.tick - p->first_tick + 1) - p->states;
}

/* What a bot does: it goes for the coin. */
static inline enum direction player_greed(const struct player *p) {
    int i;
    for (i = 0; i < p->world.count; i++) {
        const struct seen_player *me = &p->world.players[i];
        if (me->id != p->world.you)
            continue;
        if (me->x != p->world.coin_x)
            return me->x < p->world.coin_x ? RIGHT : LEFT;
        if (me->y != p->world.coin_y)
            return me->y < p->world.coin_y ? DOWN : UP;
    }
    return STAY;
}

#endif

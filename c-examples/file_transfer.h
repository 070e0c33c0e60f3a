/* What file_send and file_recv agree on, and both need.
 *
 *   sender:    "SKF1" | length of the name, 4 bytes | length of the file, 8 bytes | name
 *   receiver:  an answer: GO_ON, or why not
 *   sender:    the bytes of the file | their checksum, 8 bytes
 *   receiver:  an answer: WHOLE, or why not
 *
 * A stream has no messages, only bytes: so every length is said before what it counts.
 * Numbers travel with the highest byte first, whatever machines the two run on. */
#ifndef FILE_TRANSFER_H
#define FILE_TRANSFER_H

#include <sk.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    HEADER = 16,       /* bytes before the name */
    NAME_MOST = 255,   /* bytes of a name */
    ANSWER = 24,       /* bytes: verdict, how many bytes of the file came, their checksum */
    CHUNK = 256 * 1024 /* bytes that are moved at a time */
};

enum verdict { GO_ON, WHOLE, DAMAGED, BAD_HEADER, BAD_NAME, EXISTS, NOT_STORED };

static inline const char *in_words(uint64_t verdict) {
    static const char *const words[] = {"go on",
                                        "whole and identical",
                                        "damaged on the way: the checksums differ",
                                        "it was not sent by file_send",
                                        "its name is not accepted",
                                        "a file with its name is there already",
                                        "it could not be stored"};
    return verdict < sizeof words / sizeof words[0] ? words[verdict] : "an answer that nobody knows";
}

static inline void put_number(unsigned char *out, uint64_t number, int bytes) {
    while (bytes-- > 0) {
        out[bytes] = (unsigned char)(number & 0xff);
        number >>= 8;
    }
}

static inline uint64_t get_number(const unsigned char *in, int bytes) {
    uint64_t number = 0;
    while (bytes-- > 0)
        number = number << 8 | *in++;
    return number;
}

/* How much of what is left is moved at a time. */
static inline size_t next_piece(uint64_t left) {
    return (size_t)(left < (uint64_t)CHUNK ? left : (uint64_t)CHUNK);
}

/* CRC-64 as xz has it. TCP's own checksum has 16 bits, and covers only the way between the two
 * systems; this one goes from disk to disk. Begin with 0; the result of one piece goes into
 * the next. */
static inline uint64_t checksum(uint64_t sum, const unsigned char *data, size_t length) {
    static uint64_t table[256];
    size_t i;
    int bit;
    if (table[1] == 0)
        for (i = 0; i < 256; i++) {
            uint64_t entry = i;
            for (bit = 0; bit < 8; bit++)
                entry = entry >> 1 ^ (entry & 1 ? 0xC96C5795D7870F42u : 0);
            table[i] = entry;
        }
    sum = ~sum;
    for (i = 0; i < length; i++)
        sum = sum >> 8 ^ table[(sum ^ data[i]) & 0xff];
    return ~sum;
}

/* A bar, for a person who watches; a file or a pipe does not want one. Begins with done = 0. */
static inline void show_progress(uint64_t done, uint64_t length) {
    static int shown;
    int percent = length == 0 ? 100 : (int)((double)done / (double)length * 100);
    if ((done > 0 && percent == shown) || !isatty(STDOUT_FILENO))
        return;
    shown = percent;
    printf("\r[%-50.*s] %3d %%, %.1f MB%s", percent / 2,
           "##################################################", percent, (double)done / 1e6,
           done == length ? "\n" : "");
    fflush(stdout);
}

/* Leaves the line of a bar that did not come to its end. */
static inline void end_progress(uint64_t done, uint64_t length) {
    if (done < length && isatty(STDOUT_FILENO))
        putchar('\n');
}

#endif

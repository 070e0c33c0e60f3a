/* film.h: the pictures that video_stream shows, and how a terminal draws them. No sockets here. */
#ifndef FILM_H
#define FILM_H

#include <stdio.h>

enum { WIDTH = 64, HEIGHT = 32 };

/* A byte for each point: its colour among a terminal's 256. */
typedef unsigned char picture[HEIGHT][WIDTH];

static inline unsigned char colour(int red, int green, int blue) { /* each 0 to 5 */
    return (unsigned char)(16 + 36 * red + 6 * green + blue);
}

/* Goes up to `most` and back, for ever. */
static inline int bounce(long n, int most) {
    int at = (int)(n % (2 * most));
    return at < most ? at : 2 * most - at;
}

/* A ball that jumps along over a floor that goes by. */
static inline void paint(long frame, picture out) {
    int ball_x = 8 + bounce(frame, WIDTH - 16), fall = 15 - bounce(frame, 15), x, y;
    int ball_y = 8 + 14 * (225 - fall * fall) / 225;
    for (y = 0; y < HEIGHT; y++) {
        for (x = 0; x < WIDTH; x++) {
            int dx = x - ball_x, dy = y - ball_y, distance = dx * dx + dy * dy;
            if (distance < 36)
                out[y][x] = colour(5, distance < 6 ? 5 : distance < 20 ? 2 : 1, distance < 6 ? 4 : 0);
            else if (y >= 26)
                out[y][x] = (x + frame / 2) / 6 % 2 == (y - 26) / 3 % 2 ? colour(1, 3, 1) : colour(0, 2, 0);
            else
                out[y][x] = colour(y / 10, 1 + y / 7, 5 - y / 13);
        }
    }
}

/* Draws a picture: each character is two points, the upper in its colour, the lower in that of its
 * background. */
static inline void draw(picture points) {
    int x, y;
    fputs("\033[H", stdout); /* to the top left corner */
    for (y = 0; y < HEIGHT; y += 2) {
        int upper = -1, lower = -1;
        for (x = 0; x < WIDTH; x++) {
            if (points[y][x] != upper || points[y + 1][x] != lower)
                printf("\033[38;5;%d;48;5;%dm", upper = points[y][x], lower = points[y + 1][x]);
            fputs("\xe2\x96\x80", stdout); /* U+2580, the upper half */
        }
        fputs("\033[0m\n", stdout);
    }
    fflush(stdout);
}

#endif

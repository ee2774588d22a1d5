/* Holds the policy against the steps in vectors.csv: prints the largest difference of an action, as a number and in units
   in the last place, and the time of a step. Build it with: cc -std=c99 -O3 policy.c policy_check.c -o policy_check */
#include "policy.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef POLICY_NOISE
#define POLICY_NOISE 0
#endif
#define COLUMNS (1 + POLICY_OBSERVATIONS + POLICY_NOISE + POLICY_ACTIONS)

static float rows[4096][COLUMNS];

static int64_t place(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? (int64_t)INT32_MIN - bits : bits;
}

static void step(const float *row, float *action) {
    int k;
    for (k = 0; k < (int)row[0]; k++) {
        policy_reset();
    }
#if POLICY_NOISE > 0
    policy_step(row + 1, row + 1 + POLICY_OBSERVATIONS, action);
#else
    policy_step(row + 1, action);
#endif
}

int main(int argc, char **argv) {
    FILE *file = fopen(argc > 1 ? argv[1] : "vectors.csv", "r");
    float action[POLICY_ACTIONS];
    float largest = 0.0f;
    int64_t ulps = 0;
    long n = 0, steps = 0, t;
    int c, j;
    clock_t start;
    if (file == NULL) {
        fprintf(stderr, "vectors.csv cannot be opened\n");
        return 1;
    }
    while ((c = fgetc(file)) != EOF && c != '\n') {
    }
    while (n < 4096) {
        for (j = 0; j < COLUMNS && fscanf(file, j == 0 ? "%f" : ",%f", &rows[n][j]) == 1; j++) {
        }
        if (j < COLUMNS) {
            break;
        }
        n++;
    }
    fclose(file);
    if (n == 0) {
        fprintf(stderr, "vectors.csv has no steps of this policy\n");
        return 1;
    }
    for (t = 0; t < n; t++) {
        step(rows[t], action);
        for (j = 0; j < POLICY_ACTIONS; j++) {
            float expected = rows[t][1 + POLICY_OBSERVATIONS + POLICY_NOISE + j];
            float difference = action[j] > expected ? action[j] - expected : expected - action[j];
            int64_t apart = place(action[j]) - place(expected);
            if (!(difference <= largest)) {
                largest = difference;
            }
            apart = apart < 0 ? -apart : apart;
            ulps = apart > ulps ? apart : ulps;
        }
    }
    start = clock();
    do {
        for (t = 0; t < n; t++) {
            step(rows[t], action);
        }
        steps += n;
    } while (clock() - start < CLOCKS_PER_SEC / 5);
    printf("steps %ld largest %.9g ulps %lld microseconds %.4g\n", n, (double)largest, (long long)ulps,
           1e6 * (double)(clock() - start) / (double)CLOCKS_PER_SEC / (double)steps);
    return 0;
}

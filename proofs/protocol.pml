/* A finite instance, explored whole: three replicas, a network that repeats, reorders and drops, crashes that lose what
 * was not saved, and a fork: two machines run as incarnation X and part after its first change.
 *
 *   batch  0: X (0,1] label 1    1: X (1,2] label 2    2: X (1,2] label 3 (the clone's)    3: Y (0,1] label 4
 *
 * Every batch may arrive at every replica at any time, any number of times (a drop is an arrival that never comes).
 * Claim: a replica holds each change exactly as often as its heads name it: once or not at all.
 * -DNOHEAD drops the head check, -DNOLABEL compares numbers only, -DTORN saves state and head in two steps:
 * each must yield a counterexample. */
#define REPLICAS 3
#define BATCHES 4

typedef replica {
  byte count[BATCHES];          /* how often each batch is in the state */
  byte number[2]; byte label[2] /* the heads of X and Y */
};
replica live[REPLICAS], disk[REPLICAS];

inline describe(b) {
  if
  :: b == 0 -> inc = 0; from = 0; past = 0; to = 1; here = 1
  :: b == 1 -> inc = 0; from = 1; past = 1; to = 2; here = 2
  :: b == 2 -> inc = 0; from = 1; past = 1; to = 2; here = 3
  :: b == 3 -> inc = 1; from = 0; past = 0; to = 1; here = 4
  fi
}

inline copy_state(a, b) { b.count[0] = a.count[0]; b.count[1] = a.count[1]; b.count[2] = a.count[2]; b.count[3] = a.count[3] }
inline copy_heads(a, b) { b.number[0] = a.number[0]; b.number[1] = a.number[1]; b.label[0] = a.label[0]; b.label[1] = a.label[1] }

#if defined(NOHEAD)
#define FITS(r) (live[r].count[b] < 2)
#elif defined(NOLABEL)
#define FITS(r) (live[r].number[inc] == from)
#else
#define FITS(r) (live[r].number[inc] == from && live[r].label[inc] == past)
#endif

/* What the heads name, and nothing else. */
#ifdef NOLABEL
#define NAMES(x) (x.count[0] == (x.number[0] >= 1) && x.count[1] == (x.number[0] == 2) && x.count[3] == (x.number[1] == 1))
#else
#define NAMES(x) (x.count[0] == (x.number[0] >= 1) && x.count[1] == (x.label[0] == 2) && \
                  x.count[2] == (x.label[0] == 3) && x.count[3] == (x.label[1] == 4))
#endif

active proctype world() {
  byte r, b, inc, from, past, to, here;
  do
  :: atomic { /* a batch arrives */
       select(r : 0 .. REPLICAS - 1); select(b : 0 .. BATCHES - 1); describe(b);
       if
       :: FITS(r) -> live[r].count[b]++; live[r].number[inc] = to; live[r].label[inc] = here
       :: else -> skip /* a repeat, a gap or a fork */
       fi;
       assert(NAMES(live[r]));
       b = 0; inc = 0; from = 0; past = 0; to = 0; here = 0 }
#ifdef TORN
  :: atomic { select(r : 0 .. REPLICAS - 1); copy_state(live[r], disk[r]) }
  :: atomic { select(r : 0 .. REPLICAS - 1); copy_heads(live[r], disk[r]) }
#else
  :: atomic { select(r : 0 .. REPLICAS - 1); copy_state(live[r], disk[r]); copy_heads(live[r], disk[r]) }
#endif
  :: atomic { /* a crash */
       select(r : 0 .. REPLICAS - 1); copy_state(disk[r], live[r]); copy_heads(disk[r], live[r]);
       assert(NAMES(live[r])) }
  od
}
